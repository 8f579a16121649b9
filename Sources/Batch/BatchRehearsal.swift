internal import Ledger
internal import Postgres
internal import Primitives
internal import Wallet

/// What a batch would come to: the codes of a real run, and nothing written to the database.
struct BatchRehearsal {
  let batch: BatchRun
  let plan: BatchPlan

  /// All of it reads one snapshot, in one read-only transaction.
  func run(
    _ files: OutcomeFiles, _ count: @escaping (Int) -> Void
  ) throws -> (tally: BatchTally, isAborted: Bool) {
    let session = try batch.processor.withSession { $0 }
    let atomic =
      batch.options.isAtomic
      ? try AtomicOutcome(files, try batch.makeFiles(), isReferred: plan.keys.matters) : nil
    var tally = BatchTally()
    try session.transaction(.snapshot) {
      let registry = BatchRegistry(session: session)
      let (round, now) = try registry.current(plan.digest, processStart: registry.processStart())
      var rehearsal = TransferRehearsal()
      try batch.makePass(plan, round: round, transactionStart: now).run { requests, meanwhile in
        meanwhile()
        return try rehearsal.rehearse(requests, on: session, remembers: plan.keys.matters)
      } tell: { rows, results in
        // What a rehearsal makes up is stored nowhere.
        let results = results.map { result in
          var result = result
          if !result.isOlder { result.transferID = nil }
          return result
        }
        for index in rows.indices { tally.add(rows[index], results[index]) }
        if let atomic {
          try atomic.tell(rows, results)
        } else {
          try files.write(rows, results, isReferred: plan.keys.matters)
        }
        count(tally.rows)
      }
    }
    if let atomic { return (try atomic.commit(), atomic.isAborted) }
    try files.commit()
    return (tally, false)
  }
}
