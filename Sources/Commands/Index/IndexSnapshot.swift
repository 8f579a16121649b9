import ArgumentParser
import Indexes
import Primitives

/// `ironforge index snapshot`.
struct IndexSnapshot: CronCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot",
    abstract: "Record how often each index was read, on the primary and all replicas.",
    discussion: """
      What came to the counters since the last snapshot is added to a ledger in schema ironforge, so that a reset, a crash, \
      a restart or a failover loses at most the time since then; `index audit` reads it. Run it every hour. An index that is \
      seen for the first time is dated.

      Reads the server of database.url, which must be the primary, and every server of database.replicas. Needs pg_monitor, \
      and to write to the ledger's tables (index_servers, index_gaps, index_history, index_counters, index_usage_days), \
      which belong to whoever applied the migrations.

      EXIT CODES: 0 recorded; 3 recorded, but a replica was not heard; 75 another snapshot is being taken; 78 a replica \
      belongs to another cluster, or the server is a standby, and nothing was recorded.

      EXAMPLES:
        ironforge index snapshot
        ironforge index snapshot --quiet --jitter 60 --metrics-file /var/lib/node_exporter/textfile/index_snapshot.prom
      """)

  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  var runName: String { "index snapshot" }

  func run(in context: CommandContext) throws {
    let snapshot = try context.clusterReader(context.openCancellableSession()).record()
    context.itemCount = Int64(snapshot.indexes)
    let isWhole = snapshot.unheard.isEmpty
    try context.output.render(SnapshotView(snapshot: snapshot), isSuccess: isWhole)
    tell(snapshot, context.messages)
    if !isWhole { throw ExitCode(.partial) }
  }

  private func tell(_ snapshot: UsageSnapshot, _ messages: Messages) {
    for server in snapshot.servers {
      if server.isPromoted { messages.info("\(server.name) was a standby and is the primary now") }
      if let gap = server.gap {
        messages.info(
          "\(server.name) has lost what it counted for \(humanDuration(gap.to - gap.from)) before \(gap.to)")
      }
    }
    for name in snapshot.serversLeft { messages.info("\(name) belongs to the cluster no more") }
    for (name, other) in snapshot.repeated {
      messages.warning("\(name) of database.replicas is the same server as \(other); it counts once")
    }
    if !snapshot.tablesLocked.isEmpty {
      messages.info(
        "left as they were, because they are locked exclusively: \(snapshot.tablesLocked.joined(separator: ", "))"
      )
    }
    if snapshot.isCopy {
      messages.warning(
        "the ledger came with this database from the one that it was copied of; it begins anew with this snapshot"
      )
    }
    warnOfUnheard(snapshot.unheard, messages)
  }
}

/// What `index snapshot` prints.
struct SnapshotView: Renderable {
  let snapshot: UsageSnapshot

  var json: JSON {
    [
      "at": .time(snapshot.at), "previous": .time(snapshot.previous),
      "indexes": .integer(Int64(snapshot.indexes)), "created": .integer(Int64(snapshot.created)),
      "removed": .integer(Int64(snapshot.removed)), "renamed": .integer(Int64(snapshot.renamed)),
      "rebuilt": .integer(Int64(snapshot.rebuilt)), "indexes_read": .integer(Int64(snapshot.indexesRead)),
      "scans": .integer(snapshot.scans),
      "servers": .array(snapshot.servers.map(Self.json)),
      "left": .array(snapshot.serversLeft.map(JSON.string)),
      "unheard": .array(
        snapshot.unheard.map { ["name": .string($0.name), "reason": .string($0.reason)] }),
    ]
  }

  private static func json(_ server: UsageSnapshot.Server) -> JSON {
    [
      "name": .string(server.name), "role": server.isStandby ? "standby" : "primary",
      "timeline": .integer(Int64(server.timeline)), "since": .time(server.coveredFrom),
      "new": .bool(server.isNew), "promoted": .bool(server.isPromoted),
      "lost": server.gap.map {
        ["from": .time($0.from), "to": .time($0.to), "cause": .string($0.cause.rawValue)]
      } ?? .null,
    ]
  }

  var text: String {
    let count = snapshot.servers.count
    let place = counted(count, "server")
    let indexes = counted(snapshot.indexes, "index", "indexes")
    guard let previous = snapshot.previous else {
      return "Recorded \(indexes) on \(place) for the first time."
    }
    let changes = [
      ("new", snapshot.created), ("gone", snapshot.removed), ("renamed", snapshot.renamed),
      ("rebuilt", snapshot.rebuilt),
    ].filter { $0.1 > 0 }.map { ", \($0.1) \($0.0)" }.joined()
    return "Recorded \(indexes) on \(place)\(changes); \(counted(snapshot.indexesRead, "was", "were")) read, "
      + "\(counted(snapshot.scans, "scan")), since \(previous.minute)."
  }

  var csv: (header: [String], rows: [[String]]) {
    (
      ["server", "role", "timeline", "since", "new", "promoted", "lost_from", "lost_to", "cause"],
      snapshot.servers.map { server in
        [
          server.name, server.isStandby ? "standby" : "primary", "\(server.timeline)",
          "\(server.coveredFrom)", "\(server.isNew)", "\(server.isPromoted)",
          server.gap.map { "\($0.from)" } ?? "", server.gap.map { "\($0.to)" } ?? "",
          server.gap?.cause.rawValue ?? "",
        ]
      }
    )
  }
}
