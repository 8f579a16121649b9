import Foundation
import Primitives
import TestSupport
import Testing

@testable import Postgres

struct GaveUp: Error {}

/// Memory that this process holds, in KiB.
func residentKiB() throws -> Int {
  let text = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
  return try #require(Int(line.filter(\.isNumber)))
}

@Suite(.timeLimit(.minutes(2)))
struct CopyAndStreamTests {
  static let copyText = "copy t (id, name, amount) from stdin (format binary)"

  private func table(_ session: Session) throws {
    try session.simple("create table t (id int8 primary key, name text, amount numeric check (amount >= 0))")
  }

  @Test func copyInLoadsEveryValue() async throws {
    try await withSession { session throws in
      try table(session)
      let loaded = try session.copyIn(Self.copyText) { writer in
        for id in Int64(0)..<300_000 {
          try writer.row(id, id % 3 == 0 ? nil : "name \(id)", Int128(id) * 1_000_000_007)
        }
      }
      #expect(loaded == 300_000)
      #expect(try scalar(session, "select count(*) from t where name is null", Int64.self) == 100_000)
      #expect(
        try scalar(session, "select sum(amount) from t", Int128.self) == 299_999 * 150_000 * 1_000_000_007)
      #expect(try session.copyIn(Self.copyText) { _ in } == 0)
    }
  }

  @Test func aBodyThatThrowsLoadsNothing() async throws {
    try await withSession { session throws in
      try table(session)
      for rows in [Int64(0), 1, 100_000] {
        #expect(throws: GaveUp.self) {
          try session.copyIn(Self.copyText) { writer in
            for id in 0..<rows { try writer.row(id, "x", Int128(1)) }
            throw GaveUp()
          }
        }
        #expect(try scalar(session, "select count(*) from t", Int64.self) == 0)
      }
      // In a transaction the failure dooms it, and the rollback heals the session.
      #expect(throws: GaveUp.self) {
        try session.transaction { try session.copyIn(Self.copyText) { _ in throw GaveUp() } }
      }
      #expect(try answers(session))
    }
  }

  @Test func constraintsAndMalformedRows() async throws {
    try await withSession { session throws in
      try table(session)
      for bad in [Int64(0), 50_000] {
        let error = failure {
          try session.copyIn(Self.copyText) { writer in
            for id in Int64(0)..<100_000 { try writer.row(id, "x", Int128(id == bad ? -1 : 1)) }
          }
        }
        #expect(error?.sqlState == "23514")
      }
      let short = failure { try session.copyIn(Self.copyText) { writer in try writer.row(Int64(1)) } }
      #expect(short?.sqlState == "22P04")
      #expect(
        failure { try session.copyIn("copy nowhere from stdin (format binary)") { _ in } }?.sqlState
          == "42P01")
      #expect(failure { try session.copyIn("select 1") { _ in } }?.code == "internal_error")
      #expect(try scalar(session, "select count(*) from t", Int64.self) == 0)
      #expect(try answers(session))
    }
  }

  @Test func copyOut() async throws {
    try await withSession { session throws in
      var bytes = 0
      var rows = 0
      try session.copyOut("copy (select g, repeat('x', 100) from generate_series(1, 300000) g) to stdout") {
        row in
        bytes += row.count
        rows += 1
      }
      #expect(rows == 300_000)
      #expect(bytes > 30_000_000)
      var taken = 0
      #expect(throws: GaveUp.self) {
        try session.copyOut("copy (select * from generate_series(1, 3000000)) to stdout") { _ in
          taken += 1
          if taken == 10 { throw GaveUp() }
        }
      }
      #expect(taken == 10)
      let late = failure {
        try session.copyOut("copy (select 1 / (50000 - g) from generate_series(1, 100000) g) to stdout") {
          _ in
        }
      }
      #expect(late?.sqlState == "22012")
      #expect(failure { try session.copyOut("select 1") { _ in } }?.code == "internal_error")
      #expect(try answers(session))
    }
  }

  @Test func closingInsideABodyIsHarmless() async throws {
    try await withDatabase { database in
      try await database.sql("create table t (id int8, name text, amount numeric)")
      try await withSession(database.url) { session throws in
        let error = failure {
          try session.copyOut("copy (select * from generate_series(1, 100000)) to stdout") { _ in
            session.close()
          }
        }
        #expect(error?.code == "connection_lost")
      }
      try await withSession(database.url) { session throws in
        let error = failure {
          try session.copyIn(Self.copyText) { writer in
            session.close()
            for id in Int64(0)..<100_000 { try writer.row(id, "x", Int128(1)) }
          }
        }
        #expect(error?.code == "connection_lost")
      }
      try await withSession(database.url) { session throws in
        var rows = 0
        let numbers = Statement("select g from generate_series(1, 100000) g", columns: [.int4])
        let error = failure {
          try session.stream(numbers()) { _ in
            rows += 1
            session.close()
          }
        }
        #expect(rows == 1)
        #expect(error?.code == "connection_lost")
      }
    }
  }

  @Test func aMillionRowsStreamInLittleMemory() async throws {
    try await withSession { session throws in
      let before = try residentKiB()
      var sum: Int64 = 0
      let rows = Statement(
        "select g::int8, repeat('x', 200) from generate_series(1, 1000000) g", columns: [.int8, .text])
      try session.stream(rows()) { row in sum += try row.decode(0, as: Int64.self) }
      #expect(sum == 500_000_500_000)
      // Other tests run in this process too; the rows alone would be 230 MB.
      #expect(try residentKiB() - before < 150_000)
      #expect(try answers(session))
    }
  }

  @Test func aStreamCanBeLeftAndCanFail() async throws {
    try await withSession { session throws in
      let rows = Statement("select generate_series(1, 10000000)", columns: [.int4])
      for stop in [1, 2, 5000] {
        var taken = 0
        let time = seconds {
          #expect(throws: GaveUp.self) {
            try session.stream(rows()) { _ in
              taken += 1
              if taken == stop { throw GaveUp() }
            }
          }
        }
        #expect(taken == stop)
        #expect(time < 10)
        #expect(try answers(session))
      }
      let late = Statement("select 1 / (500 - g) from generate_series(1, 1000) g", columns: [.int4])
      #expect(failure { try session.stream(late()) { _ in } }?.sqlState == "22012")
      #expect(
        failure { try session.stream(Statement("select 1", columns: [.int8])()) { _ in } }?.code
          == "unexpected_schema")
      #expect(
        failure {
          try session.stream(Statement("select 1", columns: [.int4])()) { _ in
            try session.query(Statement.begin())
          }
        }?.code == "internal_error")
      #expect(try answers(session))
    }
  }
}
