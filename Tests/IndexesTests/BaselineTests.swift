import Primitives
import TestSupport
import Testing

@testable import Indexes

@Suite struct BaselineTests {
  private func baseline(_ text: String) throws -> Baseline {
    let directory = try TemporaryDirectory("baseline")
    return try Baseline(InputFile(try directory.write(text, to: "accepted.csv")))
  }

  @Test func acceptsAFindingForATime() throws {
    var draft = Draft()
    draft.table()
    draft.index("idle", "a")
    let finding = try #require(draft.report.findings.first)
    let accepted = try baseline(
      "id,reason,until,about\r\n\(finding.id),\"kept for the yearly report, says Ada\",2027-01-31,idle\r\n")
    let last = try #require(Timestamp(rfc3339: "2027-01-31T23:59:59Z"))
    let after = try #require(Timestamp(rfc3339: "2027-02-01"))
    #expect(accepted.acceptance(of: finding, at: last)?.reason == "kept for the yearly report, says Ada")
    #expect(accepted.expired(finding, at: last) == nil)
    #expect(accepted.acceptance(of: finding, at: after) == nil)
    #expect(accepted.expired(finding, at: after) != nil)
    draft.tables[0].counters.sequentialScans = 0
    draft.index("other", "b")
    let other = try #require(draft.report.findings.first { $0.index == "other" })
    #expect(accepted.acceptance(of: other, at: last) == nil)
  }

  @Test(arguments: [
    ("id,until\r\n", "column \"reason\" is missing"),
    ("id,reason,until\r\nxyz,because,2027-01-31\r\n", ":2: xyz is no id of a finding"),
    ("id,reason,until\r\n0123456789abcdef,,2027-01-31\r\n", ":2: reason is empty"),
    ("id,reason,until\r\n0123456789abcdef,because,\r\n", ":2: until is empty"),
    ("id,reason,until\r\n0123456789abcdef,because,soon\r\n", ":2: soon is no date"),
    (
      "id,reason,until\r\n0123456789abcdef,a,2027-01-31\r\n0123456789abcdef,b,2027-01-31\r\n",
      ":3: 0123456789abcdef stands there twice"
    ),
  ])
  func saysWhatIsWrong(_ text: String, _ message: String) throws {
    let error = #expect(throws: InputError.self) { try baseline(text) }
    #expect(error?.message.contains(message) == true)
  }
}
