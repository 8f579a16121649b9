import Primitives
import TestSupport
import Testing

@testable import Postgres

@Suite(.timeLimit(.minutes(1)))
struct RoundTripTests {
  static let tenTo38: Int128 = (0..<38).reduce(1) { value, _ in value * 10 }
  static let numerics: [Int128] =
    [
      0, 1, -1, 9, 10, 9999, 10_000, -9999, -10_000, 10_001, 99_999_999, 100_000_000, tenTo38, tenTo38 - 1,
      -(tenTo38 - 1), .max, .min, .max - 1, .min + 1, 10_000_000_000_000_000, 9_999_999_999_999_999,
    ] + (0..<38).map { exponent in (0..<exponent).reduce(1) { value, _ in value * 10 } }

  /// The server says the same in text, and sends the same back.
  private func roundTrip<T: PostgresEncodable & PostgresDecodable & Equatable>(
    _ session: Session, _ value: T, text: String?, seed: UInt64 = 0
  ) throws {
    let type = T.postgresType
    let echo = Statement(
      "select $1::\(type), ($1::\(type))::text", parameters: [type], columns: [type, .text])
    let row = try #require(try session.query(echo(value)).first)
    #expect(try row.decode(0, as: T.self) == value, "seed \(seed)")
    if let text { #expect(try row.decode(1, as: String.self) == text, "seed \(seed)") }
  }

  @Test func numericEdges() async throws {
    try await withSession { session throws in
      for value in Self.numerics { try roundTrip(session, value, text: "\(value)") }
    }
  }

  @Test func randomNumerics() async throws {
    try await withSession { session throws in
      var (random, seed) = Xorshift.seeded()
      for _ in 0..<2000 {
        let wide = Int128(truncatingIfNeeded: UInt128(random.next()) << 64 | UInt128(random.next()))
        let value = wide >> Int128(random.next() % 128)
        try roundTrip(session, value, text: "\(value)", seed: seed)
        // Zeros at the end, which the binary form leaves out.
        let round = value / 10_000_000_000 * 10_000_000_000
        #expect(try scalar(session, "select \(round)::numeric", Int128.self) == round, "seed \(seed)")
      }
    }
  }

  @Test func whatIsNoWholeNumberInRangeIsRefused() async throws {
    try await withSession { session throws in
      for text in [
        "1.5", "-0.1", "'NaN'", "'Infinity'", "'-Infinity'", "170141183460469231731687303715884105728",
        "-170141183460469231731687303715884105729", "1e39", "1e100",
      ] {
        let error = failure { _ = try scalar(session, "select \(text)::numeric", Int128.self) }
        #expect(error?.code == "unexpected_schema", "\(text)")
      }
      #expect(try scalar(session, "select 12.000::numeric", Int128.self) == 12)
      #expect(try scalar(session, "select 0.000::numeric", Int128.self) == 0)
      #expect(try answers(session))
    }
  }

  @Test func scalars() async throws {
    try await withSession { session throws in
      for value in [true, false] { try roundTrip(session, value, text: value ? "true" : "false") }
      for value: Int16 in [0, 1, -1, .min, .max] { try roundTrip(session, value, text: "\(value)") }
      for value: Int32 in [0, 1, -1, .min, .max] { try roundTrip(session, value, text: "\(value)") }
      for value: Int64 in [0, 1, -1, .min, .max] { try roundTrip(session, value, text: "\(value)") }
      for value: Double in [0, -0.0, 1.5, .pi, .infinity, -.infinity, .leastNonzeroMagnitude] {
        try roundTrip(session, value, text: nil)
      }
      for value in ["", " ", "ü€𝄞", "'\"\\", "a\nb\tc", String(repeating: "x", count: 1_000_000)] {
        try roundTrip(session, value, text: value)
      }
      for value in [
        Identifier(high: 0, low: 0), Identifier(high: .max, low: .max), Identifier(high: 1, low: 2),
      ] {
        try roundTrip(session, value, text: value.description)
      }
      #expect(try scalar(session, "select '18446744073709551615'::xid8", UInt64.self) == .max)
      #expect(try scalar(session, "select 4294967295::oid", UInt32.self) == .max)
      #expect(try scalar(session, "select 'x'::text", String.self) == "x")
    }
  }

  @Test func timestamps() async throws {
    try await withSession { session throws in
      try session.simple("set timezone = 'UTC'")
      for text in [
        "1970-01-01T00:00:00.000000Z", "2000-01-01T00:00:00.000000Z", "1999-12-31T23:59:59.999999Z",
        "2024-02-29T12:34:56.000001Z", "0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z",
      ] {
        let value = try #require(Timestamp(rfc3339: text))
        try roundTrip(session, value, text: nil)
        let format = #"select to_char($1 at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"#
        let rows = try session.query(
          Statement(format, parameters: [.timestamptz], columns: [.text])(value))
        #expect(try rows[0].decode(0, as: String.self) == text)
      }
      for text in ["infinity", "-infinity"] {
        let error = failure { _ = try scalar(session, "select '\(text)'::timestamptz", Timestamp.self) }
        #expect(error?.code == "unexpected_schema")
      }
      // Moments that PostgreSQL does not have are refused by the server, and never become infinity.
      for value: Int64 in [.min, .min + 1, .min + postgresEpochMicroseconds] {
        let error = failure { try roundTrip(session, Timestamp(microseconds: value), text: nil) }
        #expect(error?.sqlState == "22008", "\(value)")
      }
    }
  }

  @Test func arrays() async throws {
    try await withSession { session throws in
      func text<T: PostgresArrayElement>(_ values: [T]) throws -> String {
        let type = [T].postgresType
        let echo = Statement("select ($1::\(type))::text", parameters: [type], columns: [.text])
        return try session.query(echo(values))[0].decode(0)
      }
      #expect(try text([Int64]()) == "{}")
      #expect(try text([String]()) == "{}")
      #expect(try text([Int64.min, 0, .max]) == "{-9223372036854775808,0,9223372036854775807}")
      #expect(try text([Int16(1), nil, 3]) == "{1,NULL,3}")
      #expect(try text([Int32?.none]) == "{NULL}")
      #expect(try text(["", nil, "a,b", "NULL"]) == "{\"\",NULL,\"a,b\",\"NULL\"}")
      #expect(try text([true, false]) == "{t,f}")
      #expect(try text([Int128.max, .min, 0]) == "{\(Int128.max),\(Int128.min),0}")
      #expect(try text([Identifier(high: 0, low: 1)]) == "{\(Identifier(high: 0, low: 1))}")
      #expect(try text((0..<100_000).map { Int32($0) }).utf8.count == 588_891)
      let times = Statement(
        "select ($1::timestamptz[])[1]", parameters: [.timestamptzArray], columns: [.timestamptz])
      let now = Timestamp.now()
      #expect(try session.query(times([now]))[0].decode(0, as: Timestamp.self) == now)
      let none = Statement("select $1::int8[] is null", parameters: [.int8Array], columns: [.bool])
      #expect(try session.query(none([Int64]?.none))[0].decode(0, as: Bool.self))
    }
  }

  @Test func nullsOfEveryType() async throws {
    try await withSession { session throws in
      func isNull<T: PostgresEncodable>(_ value: T?) throws -> Bool {
        let type = T.postgresType
        let statement = Statement("select $1::\(type) is null", parameters: [type], columns: [.bool])
        return try session.query(statement(value))[0].decode(0)
      }
      #expect(try isNull(Bool?.none) && isNull(Int16?.none) && isNull(Int32?.none) && isNull(Int64?.none))
      #expect(try isNull(Double?.none) && isNull(String?.none) && isNull(Identifier?.none))
      #expect(try isNull(Timestamp?.none) && isNull(Int128?.none))
      let isEmptyNull = try isNull(String?.some(""))
      #expect(!isEmptyNull)
      let row = try session.query(Statement("select null::int8", columns: [.int8])())[0]
      #expect(try row.decodeIfPresent(0, as: Int64.self) == nil)
      #expect(failure { _ = try row.decode(0, as: Int64.self) }?.code == "unexpected_schema")
      #expect(failure { _ = try row.decode(1, as: Int64.self) }?.code == "unexpected_schema")
      #expect(failure { _ = try row.decode(-1, as: Int64.self) }?.code == "unexpected_schema")
      #expect(failure { _ = try row.decodeIfPresent(0, as: Int32.self) }?.code == "unexpected_schema")
    }
  }

  @Test func aNULIsRefused() async throws {
    try await withSession { session throws in
      let echo = Statement("select $1::text", parameters: [.text], columns: [.text])
      #expect(failure { _ = try session.query(echo("a\u{0}b")) }?.sqlState == "22021")
      #expect(failure { try session.simple("select 1;\u{0} select broken") }?.code == "internal_error")
      #expect(failure { _ = try session.quoted(identifier: "a\u{0}b") }?.code == "internal_error")
      #expect(failure { _ = try session.quoted(literal: "\u{0}") }?.code == "internal_error")
      #expect(try answers(session))
    }
  }

  @Test func declarationsAreChecked() async throws {
    try await withSession { session throws in
      let echo = Statement("select $1::text", parameters: [.text], columns: [.text])
      #expect(
        failure { try session.query(Statement("select 1::int8", columns: [.int4])()) }?.code
          == "unexpected_schema")
      #expect(failure { try session.query(Statement("select 1")()) }?.code == "unexpected_schema")
      #expect(try answers(session))
      let described = try session.describe("select $1::uuid, count(*) from pg_class where relname = $2")
      #expect(described.parameters == [DataType.uuid.oid, DataType.name.oid])
      #expect(described.columns == [DataType.uuid.oid, DataType.int8.oid])
      #expect(failure { _ = try session.describe("select nothing") }?.sqlState == "42703")
      #expect(try session.describe("begin").columns.isEmpty)
      #expect(try answers(session))
      // Wrong values are a fault of the program: nothing is sent.
      #expect(failure { try session.query(echo()) }?.code == "internal_error")
    }
    try await withSession { session throws in
      let echo = Statement("select $1::text", parameters: [.text], columns: [.text])
      #expect(failure { try session.query(echo(Int64(1))) }?.code == "internal_error")
    }
  }

  @Test func hostileNamesAreQuoted() async throws {
    try await withSession { session throws in
      for name in [
        "a\"b", "a'b", "\\", "; drop table x; --", "ü€", " ", "$1", "select", "a\nb", "\"\"", "%I",
      ] {
        let identifier = try session.quoted(identifier: name)
        try session.simple("create table \(identifier) (x int)")
        let found = Statement(
          "select relname from pg_class where relname = $1", parameters: [.text], columns: [.name])
        #expect(try session.query(found(name)).first?.decode(0, as: String.self) == name)
        let literal = try session.quoted(literal: name)
        #expect(try scalar(session, "select \(literal)::text", String.self) == name)
      }
    }
  }
}
