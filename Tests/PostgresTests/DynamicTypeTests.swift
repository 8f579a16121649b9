import Primitives
import TestSupport
import Testing

@testable import Postgres

/// Arrays in results, and values of types that only the server knows.
@Suite struct DynamicTypeTests {
  @Test func arraysAreReadBack() async throws {
    try await withSession { session throws in
      for texts in [
        [], [""], ["a", "NULL", "{}", "\"\\,", "ü€𝄞", "a\nb"], Array(repeating: "x", count: 5000),
      ] {
        let echo = Statement("select $1::text[]", parameters: [.textArray], columns: [.textArray])
        let read = try session.query(echo(texts))[0].decode(0, as: [String].self)
        #expect(read == texts)
      }
      let numbers = Statement("select $1::int8[]", parameters: [.int8Array], columns: [.int8Array])
      let read = try session.query(numbers([Int64.min, 0, .max]))[0].decode(0, as: [Int64].self)
      #expect(read == [.min, 0, .max])
    }
  }

  @Test(arguments: ["array['a', null]", "array[['a'], ['b']]"])
  func anArrayThatIsNoneOfTheTypeIsRefused(array: String) async throws {
    try await withSession { session throws in
      let error = failure { _ = try scalar(session, "select \(array)::text[]", [String].self) }
      #expect(error?.code == "unexpected_schema")
      let isNull = try session.query(Statement("select null::text[]", columns: [.textArray])())[0]
        .decodeIfPresent(0, as: [String].self)
      #expect(isNull == nil)
      #expect(try answers(session))
    }
  }

  @Test func aCutOffArrayIsNoArray() {
    var bytes: [UInt8] = []
    _ = ["one", "two"].encode(into: &bytes)
    for count in bytes.indices {
      let part = Array(bytes.prefix(count)).withUnsafeBytes { [String].decode($0) }
      #expect(part == nil, "\(count) of \(bytes.count) bytes")
    }
    for place in 0..<20 {
      for value: UInt8 in [0xFF, 0x7F, 0x80] {
        var wrong = bytes
        wrong[place] = value
        // Whatever comes out of it, it is no trap.
        _ = wrong.withUnsafeBytes { [String].decode($0) }
      }
    }
  }

  @Test func textFormGoesToAnyType() async throws {
    try await withSession { session throws in
      try session.simple("create type mood as enum ('sad', 'ok'); create temp table m (m mood)")
      let row = try session.query(
        Statement("select typarray from pg_type where oid = 'mood'::regtype", columns: [.oid])())[0]
      let moods = DataType(oid: try row.decode(0), name: "mood[]")
      let insert = Statement("insert into m select unnest($1)", parameters: [moods])
      for _ in 1...3 { try session.query(insert(TextValue("{ok,sad,NULL}", of: moods))) }
      #expect(try scalar(session, "select count(*) from m", Int64.self) == 9)
      let wrong = failure { try session.query(insert(TextValue("{happy}", of: moods))) }
      #expect(wrong?.sqlState == "22P02")
      let described = try session.describe("select $1, $2 + 1", parameters: [moods])
      #expect(described.parameters == [moods.oid, DataType.int4.oid])
      // A mistake of the program ends the session.
      let other = failure { try session.query(insert(TextValue("{}", of: .textArray))) }
      #expect(other?.code == "internal_error")
    }
  }

  @Test func parametersAreTokens() throws {
    func tokens(_ text: String) throws -> [SQLToken] {
      var scanner = SQLScanner(Array(text.utf8))
      var found: [SQLToken] = []
      while let element = try scanner.next() {
        if case .token(let token, _) = element { found.append(token) }
      }
      return found
    }
    #expect(
      try tokens("a=any($1)and$2") == [
        .word("a"), .other, .word("any"), .punctuation(40), .parameter(1), .punctuation(41), .word("and$2"),
      ])
    #expect(
      try tokens("$12$1 $$ $1 $$ '$1' -- $1\n/* $1 */ \"$1\"") == [
        .parameter(12), .parameter(1), .other, .other, .quoted("$1"),
      ])
    #expect(try tokens("$99999999999999999999") == [.other])
  }
}
