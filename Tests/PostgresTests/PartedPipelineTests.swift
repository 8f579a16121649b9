import Primitives
import TestSupport
import Testing

@testable import Postgres

/// Pipelines that are sent in two parts.
@Suite(.timeLimit(.minutes(2)))
struct PartedPipelineTests {
  private static let take = Statement(
    "select length($1) from pg_advisory_xact_lock(7)", parameters: [.text], columns: [.int4])
  private static let isTaken = Statement(
    "select exists (select from pg_locks where locktype = 'advisory' and objid = 7)", columns: [.bool])

  /// The server works on the beginning before the rest is sent, however long the beginning is.
  @Test(arguments: [1, 8_000_000]) func theServerWorksOnTheBeginning(length: Int) async throws {
    try await withDatabase { database in
      try await withSession(database.url) { session throws in
        let other = try Session(connecting: ConnectionString(database.url))
        defer { other.close() }
        let text = String(repeating: "x", count: length)
        let beginning = try session.begin([Statement.begin(), Self.take(text)], isSentAtOnce: true)
        let deadline = Deadline.after(.seconds(60))
        while try !other.query(Self.isTaken())[0].decode(0, as: Bool.self) {
          guard !deadline.hasPassed else { throw TestFailure("the server has not begun") }
        }
        let pending = try session.complete(
          beginning, with: [PipelineTests.echo(Int64(5)), Statement.commit()])
        let results = try session.receive(pending)
        let said = (try results[1][0].decode(0, as: Int32.self), try results[2][0].decode(0, as: Int64.self))
        #expect(results.count == 4 && said == (Int32(length), 5))
        #expect(try !other.query(Self.isTaken())[0].decode(0, as: Bool.self))
      }
    }
  }

  /// The rest of a pipeline whose beginning has failed is not carried out.
  @Test func aBeginningThatFailsEndsThePipeline() async throws {
    try await withSession { session throws in
      try session.simple("create table t (x int8)")
      let insert = Statement("insert into t values ($1)", parameters: [.int8])
      let beginning = try session.begin(
        [Statement.begin(), insert(Int64(1)), PipelineTests.divide(Int64(0))], isSentAtOnce: true)
      let pending = try session.complete(beginning, with: [insert(Int64(2)), Statement.commit()])
      let error = failure { _ = try session.receive(pending) }
      #expect(error?.sqlState == "22012")
      session.rollback()
      #expect(try scalar(session, "select count(*) from t", Int64.self) == 0)
    }
  }

  /// Nothing may come between the two parts; what is left unfinished costs the connection, and the transaction with it.
  @Test func aBeginningWithoutAnEndIsNotMistakenForAnother() async throws {
    try await withSession { session throws in
      _ = try session.begin([Statement.begin(), PipelineTests.echo(Int64(1))], isSentAtOnce: true)
      let error = failure { try session.query(PipelineTests.echo(Int64(2))) }
      guard case .misuse = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      session.rollback()
      #expect(!session.isOpen)
    }
  }
}
