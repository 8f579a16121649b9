import Advice
import Batch
import Bench
import CacheRace
import Doctor
import FoundationEssentials
import Fixtures
import Indexes
import Jobs
import Ledger
import Maintenance
import Migrations
import Pruning
import Serve
import TestSupport
import Testing
import WalletCache
import Workload

@testable import Postgres

@Suite struct StatementTests {
  /// The statements of every target that has any, as the program itself lists them.
  private static let lists: [(target: String, statements: [Statement])] = [
    ("Advice", AdviceStatements.all), ("Batch", BatchRegistry.statements), ("Bench", BenchStatements.all),
    ("CacheRace", RaceStatements.all),
    ("Doctor", DoctorStatements.all),
    ("Fixtures", FixtureStatements.all), ("Indexes", IndexStatements.all), ("Jobs", JobStatements.all),
    ("Ledger", Ledger.statements), ("Maintenance", MaintenanceStatements.all),
    ("Migrations", MigrationStatements.all), ("Pruning", PruneStatements.all), ("Serve", ServeStatements.all),
    ("WalletCache", RowStatements.all + AuditStatements.all + OutboxStatements.all),
    ("Workload", WorkloadStatements.all + ExplainStatements.all),
    (
      "Postgres",
      [.begin, .beginSnapshot, .commit, .rollback, Session.localTimeouts, .backendPID]
        + AdvisoryLock.statements + TransactionMark.statements
    ),
  ]

  /// They make what they name, so that a migrated database has it already.
  private static let onlyBefore = ["createSchema", "createRecords"]

  @Test func everyStatementIsWhatItsDeclarationSays() async throws {
    try await withDatabase(template: .migrated) { database in
      let problems = try await onSession(database.url) { session in
        var problems: [String] = []
        // Those about indexes read whatever server there is; each knows a part of them.
        let newer = Set((IndexStatements.all + MaintenanceStatements.all + DoctorStatements.all).map(\.sql))
          .subtracting(DoctorStatements.all(serverVersion: session.serverVersion).map(\.sql))
          .subtracting(IndexStatements.all(serverVersion: session.serverVersion).map(\.sql))
          .subtracting(MaintenanceStatements.all(serverVersion: session.serverVersion).map(\.sql))
        for (_, statements) in Self.lists {
          for statement in statements where !newer.contains(statement.sql) {
            do {
              let actual = try session.describe(statement.sql)
              if actual.parameters != statement.parameters.map(\.oid)
                || actual.columns != statement.columns.map(\.oid)
              {
                problems.append(
                  "\(actual) where \(statement.parameters) and \(statement.columns): \(statement.sql)")
              }
            } catch {
              problems.append("\(error): \(statement.sql)")
            }
          }
        }
        return problems
      }
      #expect(problems == [])
    }
  }

  /// Reads the sources: a constant that no list holds would be sent without ever having been prepared.
  @Test func everyStatementOfTheSourcesIsInAList() throws {
    let declaration = #/static let (?<name>\w+)(?:: Statement)? = (?:Statement(?:\.inspecting)?|check)\(/#
    let anywhere = #/(?:[^\w.]|^)(?:Statement(?:\.inspecting)?|check)\(\s*"/#
    let sources = Repository.path("Sources")
    var found: [String: [String]] = [:]
    let files = try FileManager.default.subpathsOfDirectory(atPath: sources)
    for file in files where file.hasSuffix(".swift") {
      let text = try String(contentsOf: URL(filePath: "\(sources)/\(file)"), encoding: .utf8)
        .split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("//") }.joined(separator: "\n")
      let target = String(file.prefix { $0 != "/" })
      let names = text.matches(of: declaration).map { String($0.output.name) }
      found[target, default: []] += names.filter { !Self.onlyBefore.contains($0) }
      // SQL in the middle of a function has no name, and no list can hold it.
      #expect(text.matches(of: anywhere).count == names.count, "a statement without a name in \(file)")
    }
    #expect(found.filter { !$0.value.isEmpty }.keys.sorted() == Self.lists.map(\.target).sorted())
    for (target, statements) in Self.lists {
      #expect(Set(statements.map(\.sql)).count == statements.count, "twice in the list of \(target)")
      #expect(statements.count == found[target]?.count, "\(target) declares \(found[target] ?? [])")
    }
  }
}
