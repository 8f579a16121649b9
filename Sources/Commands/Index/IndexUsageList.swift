import ArgumentParser
import Indexes
import Primitives

/// `ironforge index usage`.
struct IndexUsageList: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "usage",
    abstract: "List how often each index was used since the statistics were reset, least used first.",
    discussion: """
      Needs only pg_monitor. Sums over the server and all of database.replicas; one that gives no answer is named on \
      stderr, and its usage is missing. JSON has what the ledger of `index snapshot` knows of each server as well. An \
      index of a partition stands for itself; one without storage is left out.

      EXAMPLES:
        ironforge index usage
        ironforge index usage --table public.orders --json
      """)

  @OptionGroup var tables: TableOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let session = try context.openCancellableSession()
    let reader = try context.clusterReader(session)
    let ledger = try reader.ledger { warnOfHiddenLedger(context.messages) }
    let single = try CatalogReader(session).read()
    let usage = try reader.usage(of: single, ledger: ledger)
    try context.signals.check()
    let catalog = single.with(usage)
    let names = try tables.selection.names(in: catalog)
    let rows = catalog.sortedIndexes
      .filter { !$0.isPartitioned && names.contains(catalog.tableName($0)) }
      .map { IndexUsageRow(table: catalog.tableName($0), index: $0) }
    try context.output.render(rows.sorted { $0.isUsedLess(than: $1) })
    warnOfLockedTables(catalog.facts, context.messages)
    warnOfRepeated(usage.cluster, context.messages)
    warnOfUnheard(usage.cluster.unheard, context.messages)
  }
}

/// Says which entries of the configuration name the same server.
func warnOfRepeated(_ cluster: Cluster, _ messages: Messages) {
  for (name, other) in cluster.repeated {
    messages.warning("\(name) of database.replicas is the same server as \(other); it counts once")
  }
}

/// Says why a ledger counts for nothing.
func warnOfHiddenLedger(_ messages: Messages) {
  messages.warning("the usage ledger is left out: the role may not read it; pg_monitor may")
}

/// Says whose usage is missing.
func warnOfUnheard(_ unheard: [Cluster.Unheard], _ messages: Messages) {
  for server in unheard {
    messages.warning("what \(server.name) reads is not known: \(server.reason)")
  }
}

/// Says which tables were left out, where that is so.
func warnOfLockedTables(_ facts: StatisticsFacts, _ messages: Messages) {
  guard !facts.tablesLocked.isEmpty else { return }
  messages.warning(
    "left out, because they are locked exclusively: \(facts.tablesLocked.joined(separator: ", "))")
}

/// An index and how it is used.
struct IndexUsageRow: TableRow {
  static let tableHeader: [TableColumn] = [
    "schemaname", "tablename", "indexname", .number("idx_scan"), .number("idx_tup_read"),
    .number("idx_tup_fetch"), .number("size"),
  ]
  let table: RelationName
  let index: Index

  /// By scans; of equals the largest first.
  func isUsedLess(than other: IndexUsageRow) -> Bool {
    let (own, others) = (index.usage.scans, other.index.usage.scans)
    if own != others { return own < others }
    if index.sizeBytes != other.index.sizeBytes { return index.sizeBytes > other.index.sizeBytes }
    return index.name < other.index.name
  }

  var tableRow: [String] {
    [
      table.schema, table.name, index.name.name, "\(index.usage.scans)", "\(index.usage.tuplesRead)",
      "\(index.usage.tuplesFetched)", humanSize(bytes: index.sizeBytes),
    ]
  }

  var json: JSON {
    [
      "schemaname": .string(table.schema), "tablename": .string(table.name),
      "indexname": .string(index.name.name), "idx_scan": .integer(index.usage.scans),
      "idx_tup_read": .integer(index.usage.tuplesRead), "idx_tup_fetch": .integer(index.usage.tuplesFetched),
      "size": .integer(index.sizeBytes), "last_idx_scan": .time(index.usage.lastScan),
      "first_seen": .time(index.history?.firstSeen), "last_used": .time(index.history?.lastUsed),
      "servers": .array(
        (index.history?.servers ?? []).map { server in
          [
            "name": .string(server.name), "idx_scan": .integer(server.scans),
            "last_used": .time(server.lastUsed),
          ]
        }),
    ]
  }
}
