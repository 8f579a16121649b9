public import Postgres
internal import Primitives
public import Wallet

extension Ledger {
  /// Adds a currency. The same one again changes nothing.
  ///
  /// - Returns: whether it is new.
  /// - Throws: `currency_invalid`, or `currency_exists` when the code stands for another scale: a scale never
  ///   changes, because every stored amount depends on it.
  public func addCurrency(_ currency: Currency) throws -> Bool {
    guard Self.isValid(currencyCode: currency.code), (0...18).contains(currency.scale) else {
      throw SimpleFailure(
        .usage, code: "currency_invalid",
        message:
          "a currency is 1 to 32 letters, digits, dots, hyphens or underscores, with a scale from 0 to 18",
        hint: "for example: ironforge currency add USD --scale 2")
    }
    let added = try session.query(Self.insertCurrency(currency.code, Int16(currency.scale)))
    if added.affected == 1 { return true }
    let scale = try session.query(Self.selectScale(currency.code)).first?.decode(0, as: Int16.self)
    guard scale.map(Int.init) == currency.scale else {
      throw SimpleFailure(
        .refused, code: "currency_exists",
        message: "currency \(currency.code) exists with scale \(scale ?? -1), which cannot change",
        hint: "use another code for another scale")
    }
    return false
  }

  /// All currencies, by code.
  public func currencies() throws(PostgresError) -> [Currency] {
    try session.query(Self.selectCurrencies()).map { row throws(PostgresError) in
      Currency(code: try row.decode(0), scale: Int(try row.decode(1, as: Int16.self)))
    }
  }

  /// A currency by its code.
  ///
  /// - Throws: `currency_not_found`.
  @discardableResult
  public func requireCurrency(_ code: String) throws -> Currency {
    guard let scale = try session.query(Self.selectScale(code)).first?.decode(0, as: Int16.self) else {
      throw SimpleFailure(
        .refused, code: ResultCode.currencyNotFound.rawValue, message: "there is no currency \"\(code)\"",
        hint: ResultCode.currencyNotFound.hint)
    }
    return Currency(code: code, scale: Int(scale))
  }

  private static func isValid(currencyCode code: String) -> Bool {
    func isAlphanumeric(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"):
        true
      default: false
      }
    }
    guard let first = code.utf8.first, isAlphanumeric(first), code.utf8.count <= 32 else { return false }
    return code.utf8.allSatisfy { isAlphanumeric($0) || Array("._-".utf8).contains($0) }
  }

  static let insertCurrency = Statement(
    "insert into currencies (code, scale) values ($1, $2) on conflict (code) do nothing",
    parameters: [.text, .int2])

  static let selectScale = Statement(
    "select scale from currencies where code = $1", parameters: [.text], columns: [.int2])

  static let selectCurrencies = Statement(
    "select code, scale from currencies order by code", columns: [.text, .int2])
}
