import ArgumentParser
import Cache
import Primitives
import Redis
import WalletCache

/// `ironforge cache invalidate`.
struct CacheInvalidate: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "invalidate",
    abstract: "Take values out of Redis.",
    discussion: """
      For rows that another program has written, or keys that `ironforge cache audit` found. Named keys are taken out at \
      once; --scope shows how many there are, and takes them out with --execute.

      A load that is under way, or that reads a standby, cannot bring the old value back: the keys are fenced by a fresh \
      transaction of the primary database. While that is away values are taken out all the same, and a warning says \
      what is not covered.

      EXAMPLES:
        ironforge cache invalidate user:01a205f0-2c1b-7a6e-8a07-9d1f4d1fb8c1
        ironforge cache invalidate --scope wallets --execute
      """)

  @ArgumentParser.Argument(help: "user:ID, wallet:ID.")
  var keys: [String] = []

  @Option(help: ArgumentHelp("All keys of users, wallets or all.", valueName: "scope"))
  var scope: CacheScope?

  @Flag(help: "Do it; for --scope.")
  var execute = false

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    if keys.isEmpty == (scope == nil) { throw ValidationError("Name keys, or a --scope.") }
    if scope == nil, execute { throw ValidationError("--execute belongs to --scope; named keys need none.") }
  }

  func run(in context: CommandContext) throws {
    var seen: Set<CacheKey> = []
    let named = try keys.map { text throws(SimpleFailure) in try Self.key(text) }
      .filter { seen.insert($0).inserted }
    let redis = try context.openRedis()
    let check = { try context.signals.check() }
    let registration = try context.signals.onStop {}
    defer { withExtendedLifetime(registration) {} }
    if let scope, !execute {
      let count = try CacheInvalidation.count(scope.tables, in: redis, check: check)
      try context.output.render(
        InvalidationReport(keys: count, deleted: 0, isFenced: false, isExecuted: false))
      context.messages.info("nothing was changed; take them out with --execute")
      return
    }
    let writer = try freshTransaction(context)
    let invalidation = CacheInvalidation(by: writer, store: try context.fencedStore(), redis: redis)
    let deleted =
      try scope.map { try invalidation.invalidateAll(of: $0.tables, check: check) }
      ?? invalidation.invalidate(named)
    try context.output.render(
      InvalidationReport(
        keys: scope == nil ? named.count : deleted, deleted: deleted, isFenced: writer != nil,
        isExecuted: true))
  }

  /// Nil while the database is away.
  private func freshTransaction(_ context: CommandContext) throws -> WritingTransaction? {
    do {
      return try context.openSession().newTransaction()
    } catch let failure as any Failure where failure.kind == .unreachable {
      context.messages.warning(
        "the database is away (\(failure.message)), so the values are taken out without a fence: a load from a "
          + "standby that lags may bring an old one back",
        fields: [("code", .string(failure.code))])
      return nil
    }
  }

  /// Also what is no key of a row, as long as it is named like one: an audit finds such.
  private static func key(_ text: String) throws(SimpleFailure) -> CacheKey {
    if let row = CachedRow(key: text.lowercased()) { return row.key }
    guard CachedTable.keyPrefixes.contains(where: text.hasPrefix) else {
      throw SimpleFailure(
        .usage, code: "cache_key_invalid", message: "\"\(text)\" is no key of a cached row",
        hint: "keys are user:ID and wallet:ID")
    }
    return try CacheKey(text)
  }
}

/// What an invalidation did, or would do.
struct InvalidationReport: TableRow {
  static let tableHeader: [TableColumn] = [.number("keys"), .number("deleted"), "fenced", "executed"]
  let keys: Int
  let deleted: Int
  let isFenced: Bool
  let isExecuted: Bool

  var tableRow: [String] { csvRow }

  var json: JSON {
    [
      "keys": .integer(Int64(keys)), "deleted": .integer(Int64(deleted)), "fenced": .bool(isFenced),
      "executed": .bool(isExecuted),
    ]
  }

  var text: String {
    isExecuted
      ? "Invalidated \(keys) \(keys == 1 ? "key" : "keys"), \(deleted) of which had a value."
      : "Would invalidate \(keys) \(keys == 1 ? "key" : "keys")."
  }
}
