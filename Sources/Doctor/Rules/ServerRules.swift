internal import Primitives

/// The state of the server.
struct ServerRules {
  let facts: CheckupFacts
  let limits: CheckupLimits

  var server: ServerFacts { facts.server }

  var items: [CheckupItem] {
    [durability, checksums, autovacuum, counting, statementStatistics, bufferHits] + ages
      + ActivityRules(server: facts.server, limits: limits).items
      + [replicationLag, replicationSlots, checkpoints, tempFiles]
  }

  // MARK: Settings

  /// Without any of these an acknowledged transfer can be lost in a crash (PostgreSQL manual, "Write Ahead Log").
  private var durability: CheckupItem {
    let settings = server.settings
    var wrong: [String] = []
    if !settings.fsync { wrong.append("fsync") }
    if !settings.fullPageWrites { wrong.append("full_page_writes") }
    if settings.synchronousCommit == "off" { wrong.append("synchronous_commit") }
    guard wrong.isEmpty else {
      let lines = wrong.map { "alter system set \($0) = on;" } + ["select pg_reload_conf();"]
      return Check.durability.fault(
        "\(wrong.joined(separator: ", ")) off: a crash loses acknowledged transfers, or the database",
        .sql(lines.joined(separator: "\n")))
    }
    return Check.durability.good(
      "fsync and full_page_writes on, synchronous_commit \(settings.synchronousCommit)")
  }

  private var checksums: CheckupItem {
    server.settings.hasChecksums
      ? Check.checksums.good("on")
      : Check.checksums.fault(
        "off: a page that the disk has spoilt is served as if it were right",
        .shell("pg_checksums --enable --pgdata \"$PGDATA\" # while PostgreSQL is stopped"))
  }

  private var autovacuum: CheckupItem {
    server.settings.isVacuuming
      ? Check.autovacuum.good("on")
      : Check.autovacuum.fault(
        "off: tables bloat, statistics grow stale, transaction ids run out", .server("autovacuum = on"))
  }

  private var counting: CheckupItem {
    let settings = server.settings
    guard settings.isCounting else {
      return Check.counting.fault(
        "track_counts is off: autovacuum does not know where to go, audits know nothing",
        .server("track_counts = on"))
    }
    return Check.counting.good(
      "track_counts is on, track_io_timing \(settings.isTimingInputOutput ? "on" : "off")")
  }

  private var statementStatistics: CheckupItem {
    let check = Check.statementStatistics
    guard let fix = facts.statementsFix else {
      return facts.statements.judged(check) { _ in check.good("it counts") }
    }
    if case .unknown(let reason) = facts.statements { return check.fault(reason, .sql(fix)) }
    return check.fault("statements are not counted", .sql(fix))
  }

  // MARK: Counters

  private var bufferHits: CheckupItem {
    let check = Check.bufferHits
    let counters = server.counters
    let all = Double(counters.blocksHit) + Double(counters.blocksRead)
    guard all >= Double(limits.bufferReadsMin) else {
      return check.notJudged("only \(whole(all)) blocks were read, fewer than \(limits.bufferReadsMin)")
    }
    let share = Double(counters.blocksHit) / all
    let evidence =
      "\(percent(share)) of block reads, with shared_buffers of \(spoken(bytes: server.settings.bufferBytes))"
    guard share < limits.bufferHitShare else { return check.good(evidence, .init("hit_rate", share: share)) }
    let megabytes = max(1, server.settings.bufferBytes >> 20).multipliedReportingOverflow(by: 2).partialValue
    return check.fault(
      evidence, .server("shared_buffers = '\(megabytes)MB'", restart: true), .init("hit_rate", share: share))
  }

  private var ages: [CheckupItem] {
    [
      age(
        .transactionIDs, server.ages.map { ($0.name, $0.transactions) }, server.settings.freezeAge,
        "transactions"),
      age(
        .multixactIDs, server.ages.map { ($0.name, $0.multixacts) }, server.settings.multixactFreezeAge,
        "multixacts"),
    ]
  }

  private func age(
    _ check: Check, _ ages: [(name: String, age: Int64)], _ freezeAge: Int64, _ unit: String
  ) -> CheckupItem {
    guard let oldest = ages.max(by: { $0.age < $1.age }) else {
      return check.notJudged("the server tells none")
    }
    let limit = min(limits.transactionAgeMax, whole(Double(freezeAge) * limits.freezeAgeFactor))
    let evidence = "\(oldest.age) \(unit) in database \(oldest.name), and at 2000000000 writes stop"
    guard oldest.age >= limit else { return check.good(evidence, .init("age", oldest.age)) }
    // Not only this database, where another one is the oldest.
    return check.fault(
      evidence, .shell("vacuumdb --freeze --jobs 2 --dbname \(shellQuoted(oldest.name))"),
      .init("age", oldest.age))
  }

  private var checkpoints: CheckupItem {
    let check = Check.checkpoints
    let (timed, requested) = (server.checkpoints.timed, server.checkpoints.requested)
    let all = Double(timed) + Double(requested)
    guard all >= Double(limits.checkpointsMin) else {
      return check.notJudged("only \(whole(all)) so far, fewer than \(limits.checkpointsMin)")
    }
    let share = Double(requested) / all
    let evidence =
      "\(percent(share)) of \(whole(all)) were not due by time, with max_wal_size of \(spoken(bytes: server.settings.walBytesMax))"
    guard share > limits.checkpointsForcedShare else {
      return check.good(evidence, .init("requested_share", share: share))
    }
    let megabytes = max(64, server.settings.walBytesMax >> 20).multipliedReportingOverflow(by: 2).partialValue
    return check.fault(
      evidence, .server("max_wal_size = '\(megabytes)MB'"), .init("requested_share", share: share))
  }

  private var tempFiles: CheckupItem {
    let check = Check.tempFiles
    let counters = server.counters
    guard let seconds = counters.seconds else {
      return check.notJudged("since when they are counted is not known")
    }
    // What was counted for a minute says nothing of an hour.
    let hourly = Double(counters.tempBytes) / max(1, seconds / 3600)
    let evidence =
      "\(counters.tempFiles) with \(spoken(bytes: counters.tempBytes)) in \(spoken(seconds)), work_mem \(spoken(bytes: server.settings.workBytes))"
    guard hourly >= limits.tempBytesPerHour else {
      return check.good(evidence, .init("bytes", counters.tempBytes))
    }
    let kilobytes = max(64, server.settings.workBytes >> 10).multipliedReportingOverflow(by: 2).partialValue
    return check.fault(evidence, .server("work_mem = '\(kilobytes)kB'"), .init("bytes", counters.tempBytes))
  }

  // MARK: Replication

  private var replicationLag: CheckupItem {
    let check = Check.replicationLag
    if let lag = server.standbyLagSeconds {
      let evidence = "this standby is \(spoken(lag)) behind"
      guard lag >= limits.replicationLagSeconds else {
        return check.good(evidence, .init("seconds", seconds: lag))
      }
      return check.fault(
        evidence, .sql("select * from pg_stat_wal_receiver; select pg_wal_replay_resume();"),
        .init("seconds", seconds: lag))
    }
    guard server.seesActivity else { return check.notJudged(Self.hidden) }
    guard !server.standbys.isEmpty else { return check.good("no standby streams from this server") }
    let late = server.standbys.filter {
      ($0.seconds ?? 0) >= limits.replicationLagSeconds || ($0.bytes ?? 0) >= limits.replicationLagBytes
    }
    let worst = server.standbys.max { ($0.bytes ?? 0) < ($1.bytes ?? 0) }
    let bytes = worst?.bytes ?? 0
    guard let first = late.first else {
      return check.good(
        "\(server.standbys.count) standbys, at most \(spoken(bytes: bytes)) behind", .init("bytes", bytes))
    }
    return check.fault(
      "\(listed(late.map(\.name))): \(first.name) is \(spoken(bytes: first.bytes ?? 0)) and \(spoken(first.seconds ?? 0)) behind",
      .sql("select application_name, state, sent_lsn, replay_lsn, replay_lag from pg_stat_replication;"),
      .init("bytes", bytes))
  }

  private var replicationSlots: CheckupItem {
    let check = Check.replicationSlots
    guard !server.slots.isEmpty else { return check.good("there are none") }
    let bad = server.slots.filter {
      $0.state == "lost" || $0.state == "unreserved" || $0.bytes >= limits.slotBytes
    }
    let most = server.slots.map(\.bytes).max() ?? 0
    guard !bad.isEmpty else {
      return check.good(
        "\(server.slots.count), which hold \(spoken(bytes: most)) of WAL at most", .init("bytes", most))
    }
    let idle = bad.filter { !$0.isActive }
    let names = bad.map { "\($0.name) (\($0.isActive ? "in use" : "unused"), \(spoken(bytes: $0.bytes)))" }
    let fix =
      idle.isEmpty
      ? "select * from pg_stat_replication;"
      : idle.map { "select pg_drop_replication_slot(\(sqlQuoted($0.name)));" }.joined(separator: "\n")
    return check.fault("WAL is held back, or lost, by \(listed(names))", .sql(fix), .init("bytes", most))
  }

  static let hidden = "the role may not see other sessions (pg_monitor)"
}

/// A word for a shell.
func shellQuoted(_ text: String) -> String {
  "'" + text.unicodeScalars.reduce(into: "") { $0 += $1 == "'" ? "'\\''" : String($1) } + "'"
}

/// A literal for psql, whatever `standard_conforming_strings` is: slots have names of letters, digits and underscores.
func sqlQuoted(_ text: String) -> String {
  "'" + text.doubling(["'"]) + "'"
}
