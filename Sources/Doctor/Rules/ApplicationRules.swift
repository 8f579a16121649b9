internal import Primitives

/// How the backend uses the database.
struct ApplicationRules {
  let facts: CheckupFacts
  let limits: CheckupLimits

  var items: [CheckupItem] {
    [poolSize, poolRoom, slowStatements, batching, ledger]
  }

  /// cores × 2 + disks (PostgreSQL wiki, "Number Of Database Connections"; SEED row 3). A smaller pool leaves the server idle while
  /// requests wait; a larger one costs nothing until it is used, and is bounded by the room that the server has.
  private var poolSize: CheckupItem {
    let check = Check.poolSize
    let settings = facts.settings
    // Through a pooler the address is that of the pooler's connection.
    let isLocal = facts.server.isLocal && !settings.isPooled
    guard let cores = settings.cores ?? (isLocal ? settings.localCores : nil) else {
      return check.notJudged(
        "the cores of the database's machine are not known from here; say --cores N --disks N",
        .init("max_connections", settings.connectionsMax))
    }
    let wanted = Int128(cores) * 2 + Int128(settings.disks)
    let total = Int128(settings.connectionsMax) * Int128(settings.processes)
    let evidence =
      "database.max_connections \(settings.connectionsMax)"
      + (settings.processes > 1 ? " in \(settings.processes) processes" : "")
      + ", and cores × 2 + disks is \(cores) × 2 + \(settings.disks) = \(wanted) (\(settings.cores == nil ? "of this machine" : "as you say"))"
    guard total < wanted else {
      return check.good(
        evidence, .init("max_connections", settings.connectionsMax), .init("wanted", Int64(clamping: wanted)))
    }
    let each = (wanted + Int128(settings.processes) - 1) / Int128(max(1, settings.processes))
    return check.fault(
      evidence, .setting("database", "max_connections", Int64(clamping: each)),
      .init("max_connections", settings.connectionsMax), .init("wanted", Int64(clamping: wanted)))
  }

  private var poolRoom: CheckupItem {
    let check = Check.poolRoom
    let settings = facts.settings
    guard !settings.isPooled else {
      return check.notJudged("a pooler stands before the server, and its own limits count")
    }
    let server = facts.server.settings
    let room = max(0, difference(server.connectionsMax, server.connectionsReserved))
    let wanted = Int128(settings.connectionsMax) * Int128(settings.processes)
    let processes = settings.processes == 1 ? "one process" : "\(settings.processes) processes"
    let evidence =
      "\(processes) of up to \(settings.connectionsMax) connections, and the server has \(room) for ordinary roles"
    guard wanted > Int128(room) else {
      return check.good(evidence, .init("wanted", Int64(clamping: wanted)), .init("room", room))
    }
    let each = Int64(settings.processes) > room ? 1 : max(1, room / Int64(max(1, settings.processes)))
    return check.fault(
      evidence, .setting("database", "max_connections", Int64(each)),
      .init("wanted", Int64(clamping: wanted)),
      .init("room", room))
  }

  private var slowStatements: CheckupItem {
    facts.statements.judged(.slowStatements) { statements in
      let check = Check.slowStatements
      let target = facts.settings.p95Milliseconds
      let slow = statements.filter {
        $0.calls >= limits.statementCallsMin && $0.meanMilliseconds > target
      }.sorted { $0.meanMilliseconds > $1.meanMilliseconds }
      guard let worst = slow.first else {
        return check.good(
          "none takes more than targets.p95_ms (\(whole(target)) ms) on the average", .init("count", 0))
      }
      return check.fault(
        "\(slow.count) take more than targets.p95_ms (\(whole(target)) ms) on the average; the slowest, \(whole(worst.meanMilliseconds)) ms in \(worst.calls) calls: \(excerpt(worst.text))",
        .shell("ironforge query slow --sort mean --plans"), .init("count", slow.count),
        .init("mean_ms", .number((worst.meanMilliseconds * 1000).rounded() / 1000)))
    }
  }

  /// Rows that are read one by one where a statement for many is there already. Where there is none, one row at a time may be
  /// what is wanted, and nothing is said.
  private var batching: CheckupItem {
    facts.statements.judged(.batching) { statements in
      let check = Check.batching
      var counts: [LookupShape.Target: (single: Int64, batched: Int64)] = [:]
      for statement in statements {
        guard let shape = LookupShape(statement.text) else { continue }
        var count = counts[shape.target] ?? (0, 0)
        let calls = statement.calls
        if shape.isBatched {
          count.batched = count.batched.addingReportingOverflow(calls).partialValue
        } else {
          count.single = count.single.addingReportingOverflow(calls).partialValue
        }
        counts[shape.target] = count
      }
      let suspects = counts.filter { _, count in
        count.batched > 0 && count.single >= limits.singleReadsMin
          && count.single / count.batched >= limits.singleReadsPerBatch
      }.sorted { ($1.value.single, $0.key.name) < ($0.value.single, $1.key.name) }
      guard let (target, count) = suspects.first else {
        return check.good("no table is read row by row where a batched read is there")
      }
      return check.fault(
        "\(target.name) is read \(count.single) times by one value, and \(count.batched) times by many (N+1)",
        .shell("ironforge query slow --sort calls"), .init("single_calls", count.single),
        .init("batched_calls", count.batched))
    }
  }

  /// Reads every entry; a checklist must not.
  private var ledger: CheckupItem {
    Check.ledger.notJudged("it reads the whole ledger; `ironforge ledger verify` does, from cron")
  }

  private func excerpt(_ text: String) -> String {
    let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return words.count > 60 ? words.prefix(59) + "…" : words
  }
}
