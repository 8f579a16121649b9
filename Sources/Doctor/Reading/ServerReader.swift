internal import Postgres
internal import Primitives

/// Asks the server for its state.
struct ServerReader {
  let session: Session

  /// - Throws: `PostgresError`.
  func read() throws -> ServerFacts {
    var facts = ServerFacts()
    try readSettings(&facts)
    if let row = try session.query(DoctorStatements.counters()).first {
      facts.counters.blocksHit = try row.decode(0)
      facts.counters.blocksRead = try row.decode(1)
      facts.counters.tempFiles = try row.decode(2)
      facts.counters.tempBytes = try row.decode(3)
      facts.counters.seconds = try row.decodeIfPresent(4)
    }
    facts.ages = try session.query(DoctorStatements.ages()).map { row in
      DatabaseAge(name: try row.decode(0), transactions: try row.decode(1), multixacts: try row.decode(2))
    }
    facts.sessions = try readSessions()
    facts.prepared = try session.query(DoctorStatements.preparedTransactions()).map { row in
      PreparedTransaction(id: try row.decode(0), seconds: try row.decode(1))
    }
    facts.standbys = try session.query(DoctorStatements.standbys()).map { row in
      StandbyFact(
        name: try row.decode(0), bytes: try row.decodeIfPresent(1), seconds: try row.decodeIfPresent(2))
    }
    facts.slots = try session.query(DoctorStatements.slots()).map { row in
      SlotFact(
        name: try row.decode(0), isActive: try row.decode(1), bytes: try row.decode(2),
        state: try row.decode(3))
    }
    facts.standbyLagSeconds = try session.query(DoctorStatements.standbyLag()).first?.decodeIfPresent(0)
    try readCheckpoints(&facts)
    return facts
  }

  private func readSettings(_ facts: inout ServerFacts) throws {
    guard let row = try session.query(DoctorStatements.settings()).first else { return }
    facts.settings.connectionsMax = try row.decode(0)
    facts.settings.connectionsReserved = try row.decode(1)
    facts.settings.isVacuuming = try row.decode(2)
    facts.settings.isCounting = try row.decode(3)
    facts.settings.isTimingInputOutput = try row.decode(4)
    facts.settings.fsync = try row.decode(5)
    facts.settings.fullPageWrites = try row.decode(6)
    facts.settings.synchronousCommit = try row.decode(7)
    facts.settings.hasChecksums = try row.decode(8)
    facts.settings.freezeAge = try row.decode(9)
    facts.settings.multixactFreezeAge = try row.decode(10)
    facts.settings.walBytesMax = try row.decode(11)
    facts.settings.bufferBytes = try row.decode(12)
    facts.settings.workBytes = try row.decode(13)
    facts.isStandby = try row.decode(14)
    facts.seesActivity = try row.decode(15)
    facts.isLocal = try row.decode(16)
    facts.database = try row.decode(17)
    facts.connections = try row.decode(18)
  }

  private func readSessions() throws -> [SessionFact] {
    try session.query(DoctorStatements.sessions()).map { row in
      var fact = SessionFact(pid: try row.decode(0))
      fact.application = try row.decode(1)
      fact.user = try row.decode(2)
      fact.isIdle = try row.decode(3)
      fact.isWaitingForLock = try row.decode(4)
      fact.transactionSeconds = try row.decode(5)
      fact.stateSeconds = try row.decode(6)
      fact.statementSeconds = try row.decode(7)
      fact.blockers = try row.decode(8)
      return fact
    }
  }

  private func readCheckpoints(_ facts: inout ServerFacts) throws {
    let statement =
      session.serverVersion >= 170_000
      ? DoctorStatements.checkpointsSince17 : DoctorStatements.checkpointsBefore17
    guard let row = try session.query(statement()).first else { return }
    facts.checkpoints.timed = try row.decode(0)
    facts.checkpoints.requested = try row.decode(1)
  }
}
