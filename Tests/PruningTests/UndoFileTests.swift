import Indexes
import Primitives
import TestSupport
import Testing

@testable import Pruning

@Suite struct UndoFileTests {
  private static func entry(_ name: String = "a", definition: String? = nil, comment: String = "it's\nodd \\")
    -> UndoFile.Entry
  {
    UndoFile.Entry(
      IndexRestoration(
        index: RelationName(schema: "public", name: name, quoted: "public.\(name)"),
        table: RelationName(schema: "public", name: "t", quoted: "public.t"),
        definition: definition ?? "CREATE INDEX \(name) ON public.t USING btree (x) WHERE (y > 1)",
        tablespace: "fast", predicate: "(y > 1)", statisticsTargets: [1: 100, 2: 0],
        comment: comment, isClustered: true),
      kind: "unused", notedAt: "2026-11-23T00:00:00.000000Z")
  }

  private static let file = UndoFile(
    system: "7", database: "wallet",
    entries: [entry(), entry("b", definition: "CREATE UNIQUE INDEX b ON public.t USING btree (x)")])

  private func line(of bytes: [UInt8]) -> Int? {
    do {
      _ = try UndoFile(parsing: bytes, name: "undo.sql")
      return nil
    } catch {
      return error.line
    }
  }

  @Test func readsAsSQL() throws {
    let text = String(decoding: Self.file.bytes, as: UTF8.self)
    let statements = text.split(separator: "\n").filter { !$0.hasPrefix("--") }.map(String.init)
    #expect(
      statements == [
        "CREATE INDEX CONCURRENTLY a ON public.t USING btree (x) TABLESPACE fast WHERE (y > 1);",
        "ALTER INDEX public.a ALTER COLUMN 1 SET STATISTICS 100;",
        "ALTER INDEX public.a ALTER COLUMN 2 SET STATISTICS 0;",
        "COMMENT ON INDEX public.a IS  E'it''s", "odd \\\\';",
        "ALTER TABLE public.t CLUSTER ON a;",
        // Its text does not end with the clause of its description: nothing is put in a wrong place.
        "CREATE UNIQUE INDEX CONCURRENTLY b ON public.t USING btree (x);",
        "ALTER INDEX public.b ALTER COLUMN 1 SET STATISTICS 100;",
        "ALTER INDEX public.b ALTER COLUMN 2 SET STATISTICS 0;",
        "COMMENT ON INDEX public.b IS  E'it''s", "odd \\\\';",
        "ALTER TABLE public.t CLUSTER ON b;",
      ])
    let read = try UndoFile(parsing: Self.file.bytes, name: "undo.sql")
    #expect(read == Self.file)
  }

  /// Files of earlier versions have the name of a clustered index in quotes.
  @Test func namesInNeedlessQuotesAreReadAndWrittenWithout() throws {
    let new = String(decoding: Self.file.bytes, as: UTF8.self)
    let sum = try #require(new.firstRange(of: "-- sha256 "))
    let body = String(new[..<sum.lowerBound])
      .replacing("CLUSTER ON a;", with: "CLUSTER ON \"a\";").replacing(
        "CLUSTER ON b;", with: "CLUSTER ON \"b\";")
    func signed(_ body: String) -> [UInt8] {
      Array((body + "-- sha256 " + SHA256.digest(of: body.utf8).hexadecimal + "\n").utf8)
    }
    let old = try UndoFile(parsing: signed(body), name: "undo.sql")
    #expect(old == Self.file)
    #expect(old.bytes == Self.file.bytes)
    #expect(line(of: signed(body.replacing("CLUSTER ON \"a\"", with: "CLUSTER ON \"c\""))) == 11)
  }

  /// Whatever names and texts a catalog holds.
  @Test func anythingSurvivesTheFile() throws {
    for seed in seeds(fresh: 20) {
      var random = SeededGenerator(seed: seed)
      let pieces = [
        "a", "\"", "'", "\\", "\n", "\r\n", "-- index {", "-- sha256 ", ";", "é", "e\u{301}", "\u{2028}",
        "\t", "}",
        "\u{7F}", "🦀", " ",
      ]
      func text() -> String {
        (0..<Int.random(in: 0...6, using: &random)).map { _ in
          pieces[Int.random(in: 0..<pieces.count, using: &random)]
        }.joined()
      }
      var file = UndoFile(system: text(), database: text())
      for number in 0..<Int.random(in: 0...4, using: &random) {
        let restoration = IndexRestoration(
          index: RelationName(schema: text(), name: "\(number)" + text(), quoted: text()),
          table: RelationName(schema: text(), name: text(), quoted: text()),
          definition: "CREATE INDEX " + text(), tablespace: Bool.random(using: &random) ? text() : nil,
          predicate: Bool.random(using: &random) ? text() : nil,
          statisticsTargets: Bool.random(using: &random) ? [1: .random(in: 0...10_000, using: &random)] : [:],
          comment: Bool.random(using: &random) ? text() : nil,
          extensions: Bool.random(using: &random) ? [text(), text()] : [],
          isClustered: .random(using: &random))
        file.entries.append(UndoFile.Entry(restoration, kind: text(), notedAt: text()))
      }
      let read = try UndoFile(parsing: file.bytes, name: "undo.sql")
      #expect(read == file, "seed \(seed)")
      #expect(read.bytes == file.bytes, "seed \(seed)")
    }
  }

  @Test func aFileThatIsCutShortAnywhereIsRefused() {
    let bytes = Self.file.bytes
    for length in bytes.indices {
      let cut = Array(bytes[..<length])
      let line = line(of: cut)
      #expect(line == cut.count { $0 == 0x0A } + 1, "cut to \(length) bytes")
    }
    #expect(line(of: bytes) == nil)
  }

  @Test func aFileThatWasChangedAnywhereIsRefused() {
    let bytes = Self.file.bytes
    for place in bytes.indices {
      for byte in [bytes[place] ^ 1, bytes[place] ^ 0x80, 0x0A, 0x22] where byte != bytes[place] {
        var changed = bytes
        changed[place] = byte
        #expect(line(of: changed) != nil, "byte \(place) is \(byte)")
      }
    }
    #expect(line(of: bytes + [0x0A]) != nil)
    #expect(line(of: bytes + bytes) != nil)
  }

  /// Each with its line; the checksum is right, so that it is the rule that refuses.
  @Test func hostileFilesAreRefused() throws {
    let text = String(decoding: Self.file.bytes, as: UTF8.self)
    let sum = try #require(text.firstRange(of: "-- sha256 "))
    let body = String(text[..<sum.lowerBound])
    func signed(_ body: String) -> [UInt8] {
      Array((body + "-- sha256 " + SHA256.digest(of: body.utf8).hexadecimal + "\n").utf8)
    }
    #expect(line(of: signed(body)) == nil)
    #expect(line(of: signed(body.replacing("SET STATISTICS 100", with: "SET STATISTICS 101"))) == 7)
    #expect(line(of: signed(body + "drop table users;\n")) == 19)
    #expect(line(of: signed(body.replacing("CREATE INDEX", with: "DROP TABLE"))) == 5)
    #expect(line(of: signed(body.replacing("\"clustered\":true", with: "\"clustered\":1"))) == 5)
    #expect(line(of: signed(body.replacing("\"1\":100", with: "\"1\":1e2"))) == 5)
    #expect(line(of: signed(body.replacing("\"1\":100", with: "\"99999\":100"))) == 5)
    #expect(line(of: signed(body.replacing("\"kind\"", with: "\"sort\""))) == 5)
    #expect(line(of: signed(body.replacing("{\"schema\"", with: "{\"more\":1,\"schema\""))) == 5)
    #expect(line(of: signed(body.replacing("-- index {", with: "-- index {{"))) == 5)
    #expect(line(of: signed(body.replacing("version 1", with: "version 2"))) == 1)
    let entries = body[(try #require(body.firstRange(of: "-- index"))).lowerBound...]
    #expect(line(of: signed(body + entries)) == 19)
    #expect(line(of: []) == 1)
    #expect(line(of: Array(repeating: 0, count: 10_000)) == 1)
  }

  @Test func entriesAreKeptAndAdded() {
    var file = Self.file
    #expect(file.add([Self.entry("c"), Self.entry("a")]) == nil)
    #expect(file.entries.map(\.restoration.index.name) == ["a", "b", "c"])
    let taken = file.add([
      Self.entry("d"), Self.entry("a", definition: "CREATE INDEX a ON public.t USING hash (x)"),
    ])
    #expect(taken?.name == "a")
    #expect(file.entries.map(\.restoration.index.name) == ["a", "b", "c"])
    // Restored, given another comment, and about to be dropped again: the last word counts, whatever it looks like.
    for comment in ["caf\u{E9}", "cafe\u{301}"] {
      #expect(file.add([Self.entry("a", comment: comment)]) == nil)
      #expect(file.entries.map(\.restoration.index.name) == ["a", "b", "c"])
      #expect(file.entries[0].restoration.comment.map { Array($0.utf8) } == Array(comment.utf8))
    }
  }

  /// One of a time that did not know of statistics is as good as it was.
  @Test func statisticsAreOfExpressionsAlone() throws {
    var entry = Self.entry()
    entry.restoration.hasExpressions = true
    let file = UndoFile(system: "7", database: "wallet", entries: [entry])
    #expect(try UndoFile(parsing: file.bytes, name: "undo.sql") == file)
    #expect(String(decoding: file.bytes, as: UTF8.self).contains("\nANALYZE public.t;\n"))
    let plain = String(decoding: Self.file.bytes, as: UTF8.self)
    #expect(!plain.contains("ANALYZE") && !plain.contains("expressions"))
  }
}
