internal import Indexes
internal import Postgres
internal import Primitives

/// Drops one index, if what the plan was made of still holds.
struct IndexDropper {
  let item: PruneItem
  let audit: (Session) throws -> (catalog: Catalog, report: IndexAuditReport)
  let patient: PatientSession

  private var session: Session { patient.session }

  func drop() -> DropOutcome {
    do {
      return try attempt()
    } catch is Stopped {
      return stopped()
    } catch let blocked as Blocked {
      return .blocked(holders: blocked.holders, isHalfDropped: isHalfDropped())
    } catch let error as PostgresError where error.sqlState == "42501" {
      // The plan knew better: the role or the owner is another since. Nobody can grant what is the owner's alone.
      let failure = SimpleFailure(
        .privilege, code: error.code, message: error.message,
        hint: "run as \(item.owner), who owned it when the plan was made, or as a member of the owner")
      return .failed(failure, isHalfDropped: isHalfDropped())
    } catch let failure as any Failure {
      return .failed(failure, isHalfDropped: isHalfDropped())
    } catch {
      let failure = SimpleFailure(.unexpected, code: "internal_error", message: "\(error)")
      return .failed(failure, isHalfDropped: isHalfDropped())
    }
  }

  private func attempt() throws -> DropOutcome {
    var early: DropOutcome?
    let name = item.restoration.index.quoted
    do {
      try patient.send("drop index concurrently \(name)", on: item.oid) {
        let state = try IndexState(of: item.restoration, session)
        if state.isInWork { return .wait }
        if state.isWhole, item.candidate != nil, try isLocked() { return .wait }
        early = try refusal(state)
        return early == nil ? .send : .end
      }
    } catch let error as PostgresError where error.sqlState == "42704" {
      return .gone
    }
    return early ?? .dropped
  }

  /// Whether somebody has its table, or waits for it, exclusively: an audit does not see it then.
  private func isLocked() throws -> Bool {
    let table = item.restoration.table
    let locked = try session.query(IndexStatements.lockedTables()).map { row in
      try row.decode(0, as: String.self)
    }
    return locked.contains(table.description)
  }

  /// Why the index is not to be dropped now, or need not be.
  private func refusal(_ state: IndexState) throws -> DropOutcome? {
    guard state.oid != nil else { return .gone }
    guard state.oid == item.oid, state.matches(item.restoration) else {
      return .changed(Reason("another_index", "the name now stands for another index"))
    }
    // What no query uses any more was judged before it was begun.
    if !state.isWhole { return nil }
    guard let candidate = item.candidate else {
      return .changed(Reason("whole_again", "somebody has made it whole again"))
    }
    let report = try audit(session).report
    let ids = Set(candidate.findings.map(\.id))
    let now = report.findings.filter { ids.contains($0.id) && $0.verdict == .drop }
    // It goes for the reason that the plan gives, or not at all.
    if now.contains(where: { $0.kind == candidate.kind }) { return nil }
    let reasons = report.findings.first { ids.contains($0.id) }?.reasons.map(\.sentence) ?? []
    return .changed(
      Reason(
        "verdict_changed",
        reasons.isEmpty
          ? "it is used, or needed, since the plan was made" : reasons.joined(separator: "; ")))
  }

  /// Stopped between two attempts.
  private func stopped() -> DropOutcome {
    guard isHalfDropped() else { return .notTried }
    return .blocked(holders: [], isHalfDropped: true)
  }

  /// False also where nobody can tell any more: the connection is gone, and the failure says so.
  private func isHalfDropped() -> Bool {
    guard session.isOpen else { return false }
    do {
      let state = try IndexState(of: item.restoration, session)
      return state.oid == item.oid && !state.isWhole
    } catch {
      return false
    }
  }
}
