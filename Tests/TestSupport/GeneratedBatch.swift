public import Primitives
public import Wallet

/// A batch file out of a `RequestGenerator`, and the database in which it has a meaning.
public struct GeneratedBatch: Sendable {
  /// What the rows ask for, in their order.
  public let requests: [TransferRequest]
  /// The wallets of the generator.
  public let standings: [Identifier: LedgerView.Standing]
  /// The currencies of the generator.
  public let scales: [String: Int]

  /// A file of `count` rows.
  public init(seed: UInt64, count: Int) {
    var generator = RequestGenerator(seed: seed)
    requests = (0..<count).map { _ in
      var request = generator.next()
      // A file cannot tell an amount that is empty from none.
      if request.kind.isSequel, request.amount == "" { request.amount = "x" }
      return request
    }
    standings = generator.standings
    scales = generator.scales
  }

  /// Makes the wallets and currencies.
  public func found(_ database: TestDatabase) async throws {
    let wallets = standings.map { id, standing in
      "insert into wallets (id, user_id, name, kind, status) select '\(id)', id, 'w\(id.low)', "
        + "'\(standing.kind.rawValue)', '\(standing.status.rawValue)' from users;"
    }
    let currencies = scales.map { "insert into currencies (code, scale) values ('\($0)', \($1));" }
    try await database.sql(
      "insert into users (email) values ('x@example.com');" + wallets.joined() + currencies.joined())
  }

  /// The file as CSV. Wallets that do not exist have a name that nobody has.
  public var csv: String {
    var out: [UInt8] = Array("kind,key,ref,from,to,amount,currency,expires,memo\r\n".utf8)
    for request in requests {
      let isSequel = request.kind.isSequel
      let fields = [
        request.kind.rawValue, request.key, request.ref ?? "", isSequel ? "" : text(request.from),
        isSequel ? "" : text(request.to), request.amount ?? "", request.currency,
        request.lifetime == nil ? "" : "24h", request.memo ?? "",
      ]
      for (index, field) in fields.enumerated() {
        if index > 0 { out.append(CSV.separator) }
        CSV.append(field, to: &out)
      }
      out += CSV.lineEnd
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// The rows that were told something else, with what they ask for.
  public func differences(_ told: [String], _ expected: [String]) -> [String] {
    if told.count != expected.count { return ["\(told.count) rows instead of \(expected.count)"] }
    return requests.indices.filter { told[$0] != expected[$0] }.map {
      "row \($0): \(told[$0]) instead of \(expected[$0]): \(requests[$0])"
    }
  }

  private func text(_ wallet: Identifier?) -> String { wallet?.description ?? "nobody@example.com/x" }

  /// The code of each row and the balances at the end, by the plainest reading of the rules.
  public func plain() -> (codes: [String], ledger: PlainLedger) {
    var ledger = PlainLedger(standings: standings, scales: scales)
    let codes = requests.map { ledger.send($0).code.rawValue }
    return (codes, ledger)
  }

  /// What a database holds of it; equal for equal ledgers.
  public static func holdings(_ database: TestDatabase) async throws -> [[String]] {
    try await database.sql(
      "select wallet_id, currency, balance, held, version from assets order by wallet_id, currency")
  }
}

extension GeneratedBatch {
  private init(_ other: GeneratedBatch, requests: [TransferRequest]) {
    self.requests = requests
    standings = other.standings
    scales = other.scales
  }

  /// The file with some of its rows only.
  public func keeping(_ isKept: (Int) -> Bool) -> GeneratedBatch {
    GeneratedBatch(self, requests: requests.indices.filter(isKept).map { requests[$0] })
  }
}
