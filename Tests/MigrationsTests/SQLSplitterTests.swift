import Postgres
import Testing

@testable import Migrations

struct SQLSplitterTests {
  private func statements(_ text: String) throws -> [String] {
    try SQLSplitter.split(Array(text.utf8)).compactMap { piece in
      if case .statement(let statement) = piece { statement.text } else { nil }
    }
  }

  @Test(arguments: [
    ("", []),
    (" ;; \n ; ", []),
    ("-- nothing\n/* here */", []),
    ("select 1", ["select 1"]),
    ("select 1; select 2;", ["select 1", "select 2"]),
    ("select ';'; select 2", ["select ';'", "select 2"]),
    ("select 'it''s;'; select 2", ["select 'it''s;'", "select 2"]),
    // A backslash is plain in a standard string and escapes in E'…'.
    (#"select 'a\'; select 2"#, [#"select 'a\'"#, "select 2"]),
    (#"select E'a\';'; select 2"#, [#"select E'a\';'"#, "select 2"]),
    (#"select e'\\'; select 2"#, [#"select e'\\'"#, "select 2"]),
    // A name that ends in e is no prefix.
    (#"select date'\'; select 2"#, [#"select date'\'"#, "select 2"]),
    // A string continued on the next line keeps its escapes.
    ("select E'a'\n 'b\\';'; select 2", ["select E'a'\n 'b\\';'", "select 2"]),
    (#"select U&'\0061;'; select 2"#, [#"select U&'\0061;'"#, "select 2"]),
    (#"select ";""x"; select 2"#, [#"select ";""x""#, "select 2"]),
    ("do $$ begin; end $$; select 2", ["do $$ begin; end $$", "select 2"]),
    ("select $a$ $$ ; $b$ $a$; select 2", ["select $a$ $$ ; $b$ $a$", "select 2"]),
    // A dollar inside a name or before a digit starts no quote.
    ("select a$b$ from t; select $1; select 3", ["select a$b$ from t", "select $1", "select 3"]),
    ("select 1 /* ; /* ; */ ; */; select 2", ["select 1", "select 2"]),
    ("select 1 -- ; no\n; select 2", ["select 1", "select 2"]),
    ("select 1 - -1; select 4/2", ["select 1 - -1", "select 4/2"]),
    (
      "create rule r as on insert to t do (select 1; select 2); select 3",
      ["create rule r as on insert to t do (select 1; select 2)", "select 3"]
    ),
    (
      "create function f() returns int begin atomic select 1; select case when true then 2 end; end; select 3",
      [
        "create function f() returns int begin atomic select 1; select case when true then 2 end; end",
        "select 3",
      ]
    ),
    (
      "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END; select 2",
      ["CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END", "select 2"]
    ),
    ("select 'ü€𝄞;'; select 2", ["select 'ü€𝄞;'", "select 2"]),
  ])
  func splits(text: String, expected: [String]) throws {
    #expect(try statements(text) == expected)
  }

  @Test(arguments: [
    ("select 'open", 7), ("select \"open", 7), ("x; /* /* */", 3), ("do $tag$ $ta", 3), ("select E'\\'", 7),
    ("select E'\\", 7),
  ])
  func whatIsNotClosedIsPlaced(text: String, offset: Int) throws {
    let error = #expect(throws: SQLTextError.self) { try statements(text) }
    #expect(error?.offset == offset || text.hasPrefix("select E") && error?.offset == offset + 1)
  }

  @Test func linesAndColumnsCountCharacters() throws {
    let pieces = try SQLSplitter.split(Array("select 'ü€'; select 2;\n  select\n 'x' oops".utf8))
    let found = pieces.compactMap { piece -> [Int]? in
      guard case .statement(let statement) = piece else { return nil }
      return [statement.line, statement.column]
    }
    #expect(found == [[1, 1], [1, 14], [2, 3]])
    guard case .statement(let last) = pieces[2] else { return }
    #expect(last.location(ofPosition: 1) == (2, 3))
    #expect(last.location(ofPosition: 9) == (3, 2))
    #expect(last.location(ofPosition: nil) == (2, 3))
  }

  /// Any bytes must be read to an end without a trap, and what is split must be found in the text again.
  @Test func randomTextIsReadToItsEnd() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = Xorshift(state: seed | 1)
    let parts = [
      "'", "\"", "$", "$$", "$a$", ";", "--", "\n", "/*", "*/", "E'", "\\", "(", ")", "begin", " ", "x",
      "end",
      "create function ", "ü", "-- migrate: up\n", "1", "e", "case",
    ]
    for _ in 0..<20_000 {
      let text = (0..<Int(random.next() % 24)).map { _ in parts[Int(random.next() % UInt64(parts.count))] }
        .joined()
      do {
        for statement in try statements(text) {
          #expect(text.contains(statement), "seed \(seed), text \(text.debugDescription)")
        }
      } catch is SQLTextError {}
    }
  }
}

/// A small repeatable generator (Marsaglia, "Xorshift RNGs").
struct Xorshift: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
