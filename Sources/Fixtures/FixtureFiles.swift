internal import Primitives
internal import Wallet

/// One line of a fixture file, with its place.
struct FixtureRow<Value> {
  let file: String
  let line: Int
  let value: Value

  /// The place with a reason.
  func error(_ reason: String, code: String, hint: String? = nil, kind: FailureKind) -> InputError {
    InputError(file: file, line: line, reason, code: code, hint: hint, kind: kind)
  }
}

struct UserFixture {
  let id: Identifier?
  let email: String
  let name: String
  let lastLoginAt: Timestamp?
}

struct WalletFixture {
  /// The owner, by id or email.
  let user: String
  let name: String
  let network: String
  let address: String?
  let kind: WalletKind
  let id: Identifier?
}

struct TransferFixture {
  let key: String
  let from: String
  let to: String
  let amount: String
  let currency: String
  let memo: String?
}

/// The files of a fixture directory, read and checked as far as that goes without a database.
struct FixtureFiles {
  static let names = ["currencies.csv", "users.csv", "wallets.csv", "transfers.csv"]
  /// Files are held in memory; larger ledgers are generated, or sent as a batch.
  static let rowsMax = 1_000_000

  let currencies: [FixtureRow<Currency>]
  let users: [FixtureRow<UserFixture>]
  let wallets: [FixtureRow<WalletFixture>]
  let transfers: [FixtureRow<TransferFixture>]

  /// - Throws: `InputError` with the first line that is wrong; `fixtures_missing` where the directory holds none of
  ///   the files.
  init(directory: String) throws {
    let paths = Self.names.map { "\(directory)/\($0)" }
    guard paths.contains(where: InputFile.exists) else {
      throw SimpleFailure(
        .malformedInput, code: "fixtures_missing", message: "\(directory) holds no fixtures",
        hint: "a directory of fixtures has one or more of: \(Self.names.joined(separator: ", "))")
    }
    currencies = try Self.rows(paths[0], required: [CurrencyColumn.code, .scale], Self.currency)
    users = try Self.rows(paths[1], required: [UserColumn.email], Self.user)
    wallets = try Self.rows(paths[2], required: [WalletColumn.user, .name], Self.wallet)
    transfers = try Self.rows(
      paths[3], required: [TransferColumn.key, .from, .to, .amount, .currency], Self.transfer)
    try Self.requireUnique(currencies, "code") { $0.code }
    try Self.requireUnique(users, "email") { $0.email }
    try Self.requireUnique(transfers, "key") { $0.key }
  }

  private static func rows<Column, Value>(
    _ path: String, required: [Column], _ make: (CSVRecord<Column>) throws -> Value
  ) throws -> [FixtureRow<Value>] {
    guard InputFile.exists(path) else { return [] }
    var reader = try CSVReader(try InputFile(path), required: required)
    var rows: [FixtureRow<Value>] = []
    while let record = try reader.next() {
      guard rows.count < rowsMax else {
        throw record.error("a fixture file has at most \(rowsMax) rows")
      }
      rows.append(FixtureRow(file: record.file, line: record.line, value: try make(record)))
    }
    return rows
  }

  /// A line that repeats another one is a slip: the second would be taken for what was loaded before.
  private static func requireUnique<Value>(
    _ rows: [FixtureRow<Value>], _ column: String, _ name: (Value) -> String
  ) throws(InputError) {
    var lines: [String: Int] = [:]
    for row in rows {
      if let first = lines.updateValue(row.line, forKey: name(row.value)) {
        throw InputError(
          file: row.file, line: row.line, "\(column) \"\(name(row.value))\" stands on line \(first) already")
      }
    }
  }

  private enum CurrencyColumn: String, CaseIterable { case code, scale }
  private enum UserColumn: String, CaseIterable {
    case id, email, name
    case lastLoginAt = "last_login_at"
  }
  private enum WalletColumn: String, CaseIterable { case id, user, name, network, address, kind }
  private enum TransferColumn: String, CaseIterable { case key, from, to, amount, currency, memo }

  private static func currency(_ record: CSVRecord<CurrencyColumn>) throws -> Currency {
    let text = try record.required(.scale)
    guard let scale = Int(text), (0...18).contains(scale) else {
      throw record.error("scale \"\(text)\" is no whole number from 0 to 18")
    }
    return Currency(code: try record.required(.code), scale: scale)
  }

  private static func user(_ record: CSVRecord<UserColumn>) throws -> UserFixture {
    UserFixture(
      id: try identifier(record[.id], record), email: try record.required(.email), name: record[.name] ?? "",
      lastLoginAt: try record[.lastLoginAt].map { text in
        guard let time = Timestamp(rfc3339: text) else {
          throw record.error(
            "last_login_at \"\(text)\" is no time", hint: "write RFC 3339, such as 2026-01-31T08:00:00Z")
        }
        return time
      })
  }

  private static func wallet(_ record: CSVRecord<WalletColumn>) throws -> WalletFixture {
    let kind = record[.kind] ?? WalletKind.standard.rawValue
    guard let kind = WalletKind(rawValue: kind) else {
      throw record.error("kind \"\(kind)\" is neither standard nor external")
    }
    return WalletFixture(
      user: try record.required(.user), name: try record.required(.name), network: record[.network] ?? "eth",
      address: record[.address], kind: kind, id: try identifier(record[.id], record))
  }

  private static func transfer(_ record: CSVRecord<TransferColumn>) throws -> TransferFixture {
    let key = try record.required(.key)
    guard key.utf8.count <= 200, !key.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
      throw record.error("a key is 1 to 200 bytes without control characters")
    }
    let memo = record[.memo]
    guard memo?.utf8.count ?? 0 <= 1000 else { throw record.error("a memo is at most 1000 bytes") }
    let amount = try record.required(.amount)
    // Its scale is known later; what is no amount at any scale is found before the database is asked.
    do throws(ResultCode) { _ = try Amount.parse(amount, scale: 18) } catch {
      throw InputError(
        file: record.file, line: record.line, "\(error.sentence): \"\(amount)\"", code: error.rawValue,
        hint: error.hint)
    }
    return TransferFixture(
      key: key, from: try record.required(.from), to: try record.required(.to), amount: amount,
      currency: try record.required(.currency), memo: memo)
  }

  private static func identifier<Column>(
    _ text: String?, _ record: CSVRecord<Column>
  ) throws(InputError) -> Identifier? {
    guard let text else { return nil }
    guard let id = Identifier(text) else { throw record.error("id \"\(text)\" is no UUID") }
    return id
  }
}
