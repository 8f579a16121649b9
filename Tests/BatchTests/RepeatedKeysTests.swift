import Primitives
import TestSupport
import Testing

@testable import Batch

@Suite struct RepeatedKeysTests {
  private func text(_ key: String, ref: String = "") -> RowText {
    var row = RowText()
    row.set(line: 1) { column in
      switch column {
      case .key: Array(key.utf8)[...]
      case .ref: Array(ref.utf8)[...]
      default: nil
      }
    }
    return row
  }

  private func noted(_ rows: [(key: String, ref: String)], parts: Int = 1) -> RepeatedKeys {
    var keys = RepeatedKeys()
    for part in 0..<parts {
      keys.begin(part: part, of: parts)
      for row in rows { keys.note(text(row.key, ref: row.ref)) }
    }
    keys.finish()
    return keys
  }

  /// None is overlooked; mistakes are rare. In one go and in parts.
  @Test(arguments: [1, 5]) func whatStandsTwiceIsFound(parts: Int) {
    let rows = (0..<50_000).map { (key: "k\($0 % 49_000)", ref: "") }
    let keys = noted(rows, parts: parts)
    let found = (0..<49_000).filter { keys.isAwaited("k\($0)") }
    #expect(found.prefix(1000) == Array(0..<1000)[...])
    #expect(found.count < 1010)
  }

  @Test func aReferenceMattersToTheKeyThatItNames() {
    let keys = noted([
      ("a", ""), ("b", "a"), ("c", "late"), ("late", ""), ("d", "elsewhere"), ("e", "elsewhere"),
    ])
    #expect(["a", "late"].allSatisfy { keys.matters($0) } && !keys.matters("b"))
    // Only a key that stands behind its reference is awaited; one that no row has is none of this file's.
    #expect(keys.isAwaited("late"))
    #expect(!keys.isAwaited("a") && !keys.isAwaited("elsewhere") && !keys.matters("elsewhere"))
  }

  /// A file with more rows than the filter is made for is read again, a part of its keys at a time.
  @Test func aLongFileIsLookedAtInParts() throws {
    let limits = RepeatedKeys.Limits(filterBits: 1 << 10, wordsMax: 60, keysMax: 40)
    let directory = try TemporaryDirectory("batch")
    func plan(repeating count: Int) throws -> BatchPlan {
      let rows = (0..<2000).map { "k\($0),a,b,1,USD\n" } + (0..<count).map { "k\($0),a,b,1,USD\n" }
      let path = try directory.write("key,from,to,amount,currency\n" + rows.joined(), to: "f")
      return try BatchPlan(of: try BatchSource(path), limits: limits)
    }
    let keys = try plan(repeating: 5).keys
    #expect((0..<5).allSatisfy { keys.isAwaited("k\($0)") })
    #expect((0..<2000).count { keys.isAwaited("k\($0)") } < 25)
    let failure = #expect(throws: SimpleFailure.self) { try plan(repeating: 100) }
    #expect(failure?.code == "input_repeats_keys" && failure?.kind == .malformedInput)
  }

  @Test func aKeyIsTakenOnce() {
    var keys = noted([("twice", ""), ("once", ""), ("twice", "")])
    #expect(keys.isAwaited("twice") && !keys.isTaken("twice"))
    keys.take("once")
    keys.take("twice")
    #expect(!keys.isAwaited("twice") && keys.isTaken("twice") && !keys.isTaken("once"))
  }
}

@Suite struct ChunkSizeTests {
  @Test func itAimsAtThreeTenthsOfASecond() {
    var size = ChunkSize(fixed: nil)
    for _ in 0..<20 { size.learn(nanoseconds: Int64(size.rows) * 100_000) }
    #expect(size.rows == 3000)
    for _ in 0..<20 { size.learn(nanoseconds: 1) }
    #expect(size.rows == ChunkSize.range.upperBound)
    for _ in 0..<20 { size.learn(nanoseconds: .max) }
    #expect(size.rows == 100)
    var fixed = ChunkSize(fixed: 7)
    fixed.learn(nanoseconds: 1)
    #expect(fixed.rows == 7)
  }
}

@Suite struct NextKeyTests {
  @Test(arguments: [
    ("payout-1", "payout-1~2"), ("payout-1~2", "payout-1~3"), ("a~9", "a~10"), ("a~1", "a~1~2"),
    ("a~02", "a~02~2"),
    ("a~x", "a~x~2"), ("~2", "~3"), ("a~", "a~~2"), ("a~99999999999999999999", "a~99999999999999999999~2"),
  ])
  func theNumberOfTheAttemptCountsUp(key: String, next: String) {
    #expect(OutcomeFiles.nextKey(key) == next)
  }

  @Test func itStaysWithinTheLengthOfAKey() {
    let long = String(repeating: "é", count: 100)
    let next = OutcomeFiles.nextKey(long)
    #expect(next.utf8.count <= 200 && next.hasSuffix("~2") && next == OutcomeFiles.nextKey(long))
    #expect(OutcomeFiles.nextKey(String(repeating: "é", count: 99) + "x") != next)
    #expect(OutcomeFiles.nextKey(next).hasSuffix("~3"))
  }
}
