import Plans
import Postgres
import TestSupport
import Testing

@testable import Workload

@Suite(.timeLimit(.minutes(2))) struct StatementPlannerTests {
  @Test func plansStatementsWithAndWithoutParameters() async throws {
    try await withDatabase { database in
      try await database.sql("create table t (a int primary key, b text)")
      let types = try await database.planned(["select * from t", "select * from t where a = $1 and b = $2"])
      #expect(types == ["Seq Scan", "Index Scan"])
    }
  }
}

extension TestDatabase {
  fileprivate func planned(_ statements: [String]) async throws -> [String] {
    try await blocking { [url] in
      let session = try Session(connecting: ConnectionString(url))
      defer { session.close() }
      let planner = StatementPlanner(session)
      return try statements.map { try planner.plan($0).root.type }
    }
  }
}
