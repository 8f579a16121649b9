import Primitives
import TestSupport
import Testing

@testable import Batch

@Suite struct RowReaderTests {
  private static let header = "key,from,to,amount,currency,memo\n"

  @Test func columnsStandInAnyOrder() throws {
    let rows = try readRows("amount,to,currency,from\n1.50,b,USD,a\n", .csv)
    #expect(rows == [ReadRow(line: 2, texts: ["", "", "a", "b", "1.50", "USD", "", "", ""])])
  }

  @Test func bothFormatsAreTheSameRows() throws {
    let csv = try readRows(
      "\u{FEFF}key,kind,from,to,amount,currency,ref,expires,memo\r\nk,hold,a,b,12.50,USD,,15m,\"x, \"\"é\"\"\"\r\n",
      .csv)
    let json = try readRows(
      "\u{FEFF}{\"from\":\"a\",\"to\":\"b\",\"key\":\"k\",\"kind\":\"hold\",\"amount\":12.50,\"currency\":\"USD\",\"ref\":null,"
        + "\"expires\":\"15m\",\"memo\":\"x, \\\"\\u00e9\\\"\"}\r\n", .ndjson)
    #expect(csv[0].texts == json[0].texts && csv[0].texts[4] == "12.50")
    #expect(csv[0].line == 2 && json[0].line == 1)
  }

  @Test(arguments: [
    ("", "the header is missing"), ("from,to,amount\n", "column \"currency\" is missing"),
    ("from,to,amount,currency,form\n", "unknown column \"form\""), ("from,to,to\n", "twice"),
    ("From,to,amount,currency\n", "unknown column \"From\""),
  ])
  func aHeaderThatCannotBeUsedIsRefused(text: String, reason: String) {
    let error = #expect(throws: InputError.self) { try readRows(text, .csv) }
    #expect(error?.line == 1 && error?.reason.contains(reason) == true, "\(error?.message ?? "")")
    #expect(error?.hint?.contains("key, kind, from, to") == true && error?.kind == .malformedInput)
  }

  @Test func aHeaderMustBeUTF8() {
    let error = #expect(throws: InputError.self) {
      try readRows([0xFF] + Array(",to,amount,currency\n".utf8), .csv)
    }
    #expect(error?.reason.contains("UTF-8") == true)
  }

  @Test(arguments: [
    ("k,a,b,1,USD,\"open\n", 2, "not closed"), ("k,a,b,1,USD,\nk,a,b\"c,1,USD,\n", 3, "quote"),
    ("k,a,b,1,USD,\0\n", 2, "NUL"), ("k,a,b,1,USD,\"m\"x\n", 2, "closing quote"), ("k\r,a\n", 2, "carriage"),
  ])
  func aFileThatCannotBeToldApartIsRefused(text: String, line: Int, reason: String) {
    let error = #expect(throws: InputError.self) { try readRows(Self.header + text, .csv) }
    #expect(error?.line == line && error?.reason.contains(reason) == true, "\(error?.message ?? "")")
  }

  @Test func aRowThatCannotBeReadIsKeptAndTheRestGoesOn() throws {
    let bad = Array("k,a,".utf8) + [0xC3, 0x28] + Array(",1,USD,\n".utf8)
    let rows = try readRows(
      Array(Self.header.utf8) + Array("k,a\n".utf8) + bad + Array("\nk,a,b,1,USD,m,x\nk,a,b,1,USD,\n".utf8),
      .csv)
    #expect(rows.map(\.line) == [2, 3, 5, 6])
    #expect(
      rows.map(\.fault) == [
        "2 fields where the header has 6", "to is not valid UTF-8", "7 fields where the header has 6", nil,
      ])
  }

  @Test func aLineThatIsNoObjectIsKeptAndTheRestGoesOn() throws {
    let good = "{\"from\":\"a\",\"to\":\"b\",\"amount\":\"1\",\"currency\":\"USD\"}"
    let rows = try readRows(
      [
        good, "{\"from\":\"a\"", "", "[1]", "{\"form\":\"a\"}", "{\"from\":\"a\",\"from\":\"b\"}",
        "{\"from\":[1]}",
        "{\"from\":true}", "{\"from\":\"\\u0000\"}", "\(good) x", "  ", " \(good)", "nonsense",
      ].joined(separator: "\n"), .ndjson)
    #expect(rows.map(\.line) == [1, 2, 4, 5, 6, 7, 8, 9, 10, 12, 13])
    #expect(rows.map { $0.fault == nil } == [true] + Array(repeating: false, count: 8) + [true, false])
    let faults = rows.compactMap(\.fault)
    for (fault, reason) in zip(
      faults,
      [
        "expected , or }", "expected an object", "unknown name \"form\"", "from stands there twice",
        "from must be a string or a number", "from must be", "from holds a NUL", "text stands behind",
        "expected a value",
      ])
    {
      #expect(fault.contains(reason) && fault.hasPrefix("column "), "\(fault)")
    }
  }

  @Test(arguments: ["{\n\"from\":1}", "{\"from\":\"a\"", "nonsense", "{\"form\":1}"])
  func theFirstLineShowsWhetherItIsNDJSON(text: String) {
    let error = #expect(throws: InputError.self) { try readRows("\n" + text, .ndjson) }
    #expect(error?.line == 2 && error?.reason.contains("the first line is not a JSON object") == true)
  }

  @Test func linesAreBounded() throws {
    let long = String(repeating: "x", count: JSONRows.lineSizeMax)
    let error = #expect(throws: InputError.self) { try readRows("{\"memo\":\"\(long)\"}", .ndjson) }
    #expect(error?.reason.contains("longer than") == true)
    let fits = String(repeating: "x", count: 700_000)
    let rows = try readRows("{\"from\":\"\(fits)\"}\n{\"from\":\"b\"}", .ndjson)
    #expect(rows.map { $0.texts[2].count } == [700_000, 1])
  }

  /// Any bytes end in rows or in an `InputError`, the same ones wherever the pieces end.
  @Test(arguments: seeds(fresh: 60)) func anyBytesComeToAnEnd(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let pieces = [
      "{\"from\":", "\"a\"", "}", "\n", "\r\n", ",", "\"", "from,to,amount,currency\n", "a,b,1,USD\n",
      "\\u0041",
      "é", " ", "{}", "\u{FEFF}", "12.50", "null", "\0",
    ].map { Array($0.utf8) }
    for _ in 0..<40 {
      var data: [UInt8] = []
      for _ in 0..<Int.random(in: 0..<25, using: &random) {
        data +=
          Int.random(in: 0..<50, using: &random) == 0
          ? [UInt8.random(in: 0...255, using: &random)]
          : pieces[Int.random(in: 0..<pieces.count, using: &random)]
      }
      for format in [BatchFormat.csv, .ndjson] {
        let results = [1, 3, 1 << 16].map { piece in
          do {
            return "\(try readRows(data, format, piece: piece))"
          } catch {
            return error is InputError ? "\(error)" : "another error: \(error)"
          }
        }
        #expect(results[0] == results[1] && results[0] == results[2], "seed \(seed): \(data)")
        #expect(results[0].hasPrefix("[") || results[0].hasPrefix("f:"), "seed \(seed): \(data)")
      }
    }
  }
}

@Suite struct BatchRowTests {
  private static let header = "key,kind,from,to,amount,currency,ref,expires,memo\n"

  private func row(_ text: String) throws -> BatchRow { try batchRows(Self.header + text, .csv)[0] }

  @Test(
    arguments: [
      (",,a,b,1,USD,,,", nil), (",transfer,,,,,,,", nil), (",hold,a,b,1,USD,,15m,", nil),
      (",capture,,,,,k,,", nil), (",capture,,,1,,k,,m", nil), (",void,,,,,k,,", nil),
      (",reverse,,,1,,k,,", nil),
      (",refund,a,b,1,USD,,,", "kind must be one of transfer, hold, capture, void, reverse"),
      (",Transfer,a,b,1,USD,,,", "kind must be one of transfer, hold, capture, void, reverse"),
      (",transfer,a,b,1,USD,k,,", "a transfer takes no ref"), (",hold,a,b,1,USD,k,,", "a hold takes no ref"),
      (",,a,b,1,USD,,1h,", "only a hold expires"), (",void,,,,,k,1h,", "only a hold expires"),
      (",hold,a,b,1,USD,,15,", "expires must be a length of time such as 15m or 7d"),
      (",hold,a,b,1,USD,,0s,", "expires must be a length of time such as 15m or 7d"),
      (",capture,,,,,,,", "a capture needs the ref of a transfer"),
      (",reverse,a,,,,k,,", "a reverse takes its from from the ref"),
      (",capture,,b,,,k,,", "a capture takes its to from the ref"),
      (",capture,,,,USD,k,,", "a capture takes its currency from the ref"),
      (",void,,,1,,k,,", "a void has no amount"),
      ("a\tb,,a,b,1,USD,,,", "key must be at most 200 bytes without control characters"),
    ] as [(String, String?)])
  func aMalformedRowSaysWhy(text: String, fault: String?) throws {
    #expect(try row(text + "\n").fault == fault)
  }

  @Test func keysAndMemosAreBounded() throws {
    func fault(_ key: Int, _ memo: Int) throws -> String? {
      try row(
        String(repeating: "k", count: key) + ",,a,b,1,USD,,," + String(repeating: "é", count: memo) + "\n"
      ).fault
    }
    #expect(try fault(200, 500) == nil)
    #expect(try fault(201, 0)?.contains("200 bytes") == true && fault(1, 501)?.contains("1000 bytes") == true)
  }

  @Test func aRowWithoutAKeyGetsOne() throws {
    let rows = try batchRows(Self.header + ",,a,b,1,USD,,,\nmine,,a,b,1,USD,,,\nshort\n", .csv)
    #expect(rows.map(\.key) == ["derived-2", "mine", "derived-4"])
    #expect(rows.map(\.shownKey) == ["derived-2", "mine", ""])
  }
}
