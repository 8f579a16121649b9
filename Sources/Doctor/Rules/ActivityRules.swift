internal import Primitives

/// What sessions do, and what they hold up.
struct ActivityRules {
  let server: ServerFacts
  let limits: CheckupLimits

  var items: [CheckupItem] {
    [longTransactions, idleTransactions, prepared, lockWaits, connectionRoom]
  }

  private func seen(_ check: Check, _ judge: () -> CheckupItem) -> CheckupItem {
    server.seesActivity ? judge() : check.notJudged(ServerRules.hidden)
  }

  private var longTransactions: CheckupItem {
    seen(.longTransactions) {
      let check = Check.longTransactions
      // Those that wait or idle have checks of their own.
      let found = server.sessions.filter {
        !$0.isIdle && !$0.isWaitingForLock && $0.transactionSeconds >= limits.longTransactionSeconds
      }.sorted { $0.transactionSeconds > $1.transactionSeconds }
      guard let oldest = found.first else {
        return check.good("none is older than \(spoken(limits.longTransactionSeconds))")
      }
      return check.fault(
        "\(found.count); \(oldest.name) for \(spoken(oldest.transactionSeconds)): VACUUM removes nothing that is newer",
        .sql("select pg_cancel_backend(\(oldest.pid));"), .init("count", found.count),
        .init("pid", Int64(oldest.pid)),
        .init("seconds", seconds: oldest.transactionSeconds))
    }
  }

  private var idleTransactions: CheckupItem {
    seen(.idleTransactions) {
      let check = Check.idleTransactions
      let found = server.sessions.filter { $0.isIdle && $0.stateSeconds >= limits.idleInTransactionSeconds }
        .sorted { $0.stateSeconds > $1.stateSeconds }
      guard let oldest = found.first else {
        return check.good("none for longer than \(spoken(limits.idleInTransactionSeconds))")
      }
      let calls = found.prefix(10).map { "select pg_terminate_backend(\($0.pid));" }
      return check.fault(
        "\(found.count); \(oldest.name) for \(spoken(oldest.stateSeconds)), with its locks",
        .sql(calls.joined(separator: "\n")), .init("count", found.count), .init("pid", Int64(oldest.pid)),
        .init("seconds", seconds: oldest.stateSeconds))
    }
  }

  private var prepared: CheckupItem {
    let check = Check.preparedTransactions
    let found = server.prepared.filter { $0.seconds >= limits.preparedTransactionSeconds }
      .sorted { $0.seconds > $1.seconds }
    guard let oldest = found.first else {
      return check.good("none is older than \(spoken(limits.preparedTransactionSeconds))")
    }
    return check.fault(
      "\(found.count); \(oldest.id) for \(spoken(oldest.seconds)), with its locks",
      .sql("rollback prepared \(sqlQuoted(oldest.id));"), .init("count", found.count),
      .init("seconds", seconds: oldest.seconds))
  }

  private var lockWaits: CheckupItem {
    seen(.lockWaits) {
      let check = Check.lockWaits
      let found = server.sessions.filter {
        $0.isWaitingForLock && $0.statementSeconds >= limits.lockWaitSeconds
      }.sorted { $0.statementSeconds > $1.statementSeconds }
      guard let longest = found.first else {
        return check.good("nobody waits for longer than \(spoken(limits.lockWaitSeconds))")
      }
      let waiting = Set(found.map(\.pid))
      // Who blocks and waits for nobody is where the queue begins.
      let heads = Set(found.flatMap(\.blockers)).subtracting(waiting).filter { $0 > 0 }.sorted()
      let calls = heads.prefix(10).map { "select pg_terminate_backend(\($0));" }
      let fix = calls.isEmpty ? "select * from pg_prepared_xacts;" : calls.joined(separator: "\n")
      return check.fault(
        "\(found.count) wait; \(longest.name) for \(spoken(longest.statementSeconds)) behind "
          + (heads.isEmpty
            ? "a prepared transaction" : "pid \(heads.map(String.init).joined(separator: ", "))"),
        .sql(fix), .init("count", found.count), .init("seconds", seconds: longest.statementSeconds))
    }
  }

  private var connectionRoom: CheckupItem {
    let check = Check.connectionRoom
    let room = max(1, difference(server.settings.connectionsMax, server.settings.connectionsReserved))
    let share = Double(server.connections) / Double(room)
    let evidence = "\(server.connections) of \(room) are in use"
    let figures = (CheckupItem.Figure("used", server.connections), CheckupItem.Figure("room", room))
    guard share >= limits.connectionShare else { return check.good(evidence, figures.0, figures.1) }
    let more = server.settings.connectionsMax.multipliedReportingOverflow(by: 2).partialValue
    return check.fault(
      "\(evidence): the next ones are refused", .server("max_connections = \(more)", restart: true),
      figures.0,
      figures.1)
  }
}
