import ArgumentParser
import Indexes
import Postgres
import Primitives
import Pruning

/// Prune and restore take turns.
let indexChangesLock = "index prune"

/// Refuses a name that is not that of the database.
func requireConfirmation(_ confirm: String, _ database: String) throws {
  guard confirm != database else { return }
  throw SimpleFailure(
    .usage, code: "confirmation_mismatch",
    message: "--confirm says \(confirm), and this database is \(database)",
    hint: "check that you are connected to the right one: ironforge config show")
}

/// Ends a run of which not everything was done: exit 3, unless the reason stands in the way of all the rest, too.
func endAsFailed(_ failures: [any Failure], hasDoneSome: Bool) throws {
  if let lost = failures.first(where: { $0.kind == .unreachable }) { throw lost }
  if !hasDoneSome, let denied = failures.first(where: { $0.kind == .privilege }) { throw denied }
  throw ExitCode(.partial)
}

/// Says whom a statement waits for.
func tellWaiting(
  for index: RelationName, _ holders: [String], _ pause: Duration, _ messages: Messages
) {
  let by = listed(holders.isEmpty ? ["somebody"] : holders, "holds", "hold")
  messages.info(
    "\(index): \(by) a lock; trying again in \(humanDuration(pause))",
    fields: [("index", .string(index.description)), ("holders", .array(holders.map(JSON.string)))])
}

extension CommandContext {
  /// Reads the catalog and what all servers read of it, and judges it.
  func audit(on session: Session, thresholds: Thresholds) throws -> (
    catalog: Catalog, report: IndexAuditReport
  ) {
    let reader = try clusterReader(session)
    let ledger = try reader.ledger()
    let catalog = try CatalogReader(session).read()
    let usage = try reader.usage(of: catalog, ledger: ledger)
    return (catalog, Audit(catalog, thresholds: thresholds, usage: usage).report())
  }
}

extension ServerFacts {
  /// Refuses servers on which no index can be dropped or made concurrently.
  func requireChangeable(_ command: String) throws {
    if isStandby {
      throw SimpleFailure(
        .configuration, code: "read_only_server", message: "this server is a standby",
        hint: "connect to the primary; add target_session_attrs=read-write to the URL")
    }
    guard isPooled else { return }
    throw SimpleFailure(
      .configuration, code: "needs_direct_connection",
      message:
        "`\(command)` needs a connection of its own, and this one goes through a pooler in transaction mode",
      hint: "give the server's own address and port in the database URL for this command")
  }
}
