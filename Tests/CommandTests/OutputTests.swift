import Primitives
import Testing

@testable import Commands

private struct Wallet: TableRow {
  let name: String
  let size: Int64
  var note: String?

  static let tableHeader: [TableColumn] = ["name", .number("size_bytes"), "note"]
  var tableRow: [String] { [name, humanSize(bytes: size), note ?? ""] }
  var json: JSON { ["name": .string(name), "size_bytes": .integer(size), "note": .optional(note)] }
}

@Suite struct OutputTests {
  private func encode(_ encoder: some RowEncoder, _ rows: [Wallet]) -> String {
    var encoder = encoder
    var out: [UInt8] = []
    for row in rows { encoder.append(row, to: &out) }
    encoder.finish(to: &out)
    return String(decoding: out, as: UTF8.self)
  }

  private let table = TableEncoder(Wallet.tableHeader, isBold: false)

  @Test func textIsAlignedNumbersAtTheRightWithoutTrailingBlanks() {
    let rows = [Wallet(name: "a", size: 5), Wallet(name: "long name", size: 1536, note: "x")]
    #expect(
      encode(table, rows) == """
        NAME       SIZE BYTES  NOTE
        a                 5 B
        long name      1.5 kB  x

        """)
    #expect(encode(table, []) == "NAME  SIZE BYTES  NOTE\n")
  }

  @Test func wideAndCombiningCharactersKeepTheColumns() {
    let rows = [Wallet(name: "財布", size: 1), Wallet(name: "e\u{301}ab", size: 1), Wallet(name: "👩‍👩‍👧", size: 1)]
    #expect(
      encode(table, rows) == """
        NAME  SIZE BYTES  NOTE
        財布         1 B
        e\u{301}ab          1 B
        👩‍👩‍👧           1 B

        """)
  }

  @Test func hostileNamesCannotMoveTheCursor() {
    let hostile = "\u{1B}[2J\r\n\t\u{202E}\u{9B}x\u{7F}\u{0}"
    let text = encode(table, [Wallet(name: hostile, size: 1)])
    #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || (0x20..<0x7F).contains($0.value) })
    #expect(text.split(separator: "\n").count == 2)
    #expect(text.contains(#"\u{1b}[2J\r\n\t\u{202e}\u{9b}x\u{7f}\u{0}"#))
    #expect(Wallet(name: hostile, size: 1).text.split(separator: "\n").count == 3)
  }

  @Test func aLongTableStreamsAfterItsSample() {
    var encoder = table
    var out: [UInt8] = []
    for _ in 1..<TableEncoder.sampleSize { encoder.append(Wallet(name: "a", size: 1), to: &out) }
    #expect(out.isEmpty)
    encoder.append(Wallet(name: "a", size: 1), to: &out)
    let count = out.count
    #expect(count > TableEncoder.sampleSize)
    encoder.append(Wallet(name: "wider than all", size: 1), to: &out)
    #expect(String(decoding: out[count...], as: UTF8.self) == "wider than all         1 B\n")
  }

  @Test func csvQuotesAsRFC4180AndShowsMachineValues() {
    let rows = [Wallet(name: "a,b", size: 1536, note: "say \"x\"\nline"), Wallet(name: "", size: -1)]
    #expect(
      encode(CSVEncoder(Wallet.csvHeader), rows)
        == "name,size_bytes,note\r\n\"a,b\",1536,\"say \"\"x\"\"\nline\"\r\n,-1,\r\n")
    #expect(encode(CSVEncoder(Wallet.csvHeader), []) == "name,size_bytes,note\r\n")
  }

  @Test func jsonIsOneObjectALine() {
    let rows = [Wallet(name: "a\n", size: 1), Wallet(name: "b", size: 2, note: "n")]
    #expect(
      encode(NDJSONEncoder(), rows) == """
        {"name":"a\\n","size_bytes":1,"note":null}
        {"name":"b","size_bytes":2,"note":"n"}

        """)
    #expect(encode(NDJSONEncoder(), []) == "")
  }

  @Test func oneRowOnItsOwnIsAListOfNamesAndValues() {
    #expect(Wallet(name: "a", size: 5, note: "n").text == "name        a\nsize_bytes  5 B\nnote        n")
  }

  @Test func theCursorIsTheLastLineOfStderr() async throws {
    let result = await #expect(
      processExitsWith: .success, observing: [\.standardOutputContent, \.standardErrorContent]
    ) {
      let messages = Messages(asJSON: true, isQuiet: true, isColored: false)
      let output = Output(format: .json, isColored: false, messages: messages)
      try output.render([Wallet(name: "a", size: 1)], nextCursor: "abc")
      messages.info("not with --quiet")
      messages.warning("late")
      try output.finish()
    }
    let observed = try #require(result)
    #expect(
      String(decoding: observed.standardErrorContent, as: UTF8.self)
        == "{\"warning\":{\"message\":\"late\"}}\n{\"next_cursor\":\"abc\"}\n")
    #expect(
      String(decoding: observed.standardOutputContent, as: UTF8.self)
        .contains("{\"name\":\"a\",\"size_bytes\":1,\"note\":null}\n"))
  }
}
