import Primitives
import Testing

@testable import Cache

@Suite struct DatabaseSnapshotTests {
  @Test func seesWhatWasOver() throws {
    let snapshot = try DatabaseSnapshot(text: "100:108:100,103,107", isFromStandby: false)
    let seen = (98...110).filter { snapshot.sees(TransactionID($0)) }
    #expect(seen == [98, 99, 101, 102, 104, 105, 106])
    #expect(snapshot.description == "100:108:100,103,107")
  }

  @Test func aStandbyIsSureOnlyOfWhatIsOlderThanAllThatRan() throws {
    let snapshot = try DatabaseSnapshot(text: "100:108:", isFromStandby: true)
    let seen = (98...110).filter { snapshot.sees(TransactionID($0)) }
    #expect(seen == [98, 99])
  }

  @Test func numbersHave64Bits() throws {
    let snapshot = try DatabaseSnapshot(
      text: "18446744073709551000:18446744073709551615:18446744073709551001", isFromStandby: false)
    #expect(snapshot.sees(TransactionID(18_446_744_073_709_551_002)))
    #expect(!snapshot.sees(TransactionID(18_446_744_073_709_551_001)))
    #expect(!snapshot.sees(TransactionID(.max)))
  }

  @Test(arguments: [
    "", ":", "1:2", "1:2:3:4", "a:2:", "1:2:x", "-1:2:", "+1:2:", "1:2:1,", "1:2:,1", "5:2:", "1:5:7",
    "2:5:1",
    "1:5:3,3", "1:5:4,2", "1:18446744073709551616:", " 1:2:", "1:2: 1",
  ]) func refusesWhatIsNone(text: String) throws {
    let error = try #require(throws: SimpleFailure.self) {
      try DatabaseSnapshot(text: text, isFromStandby: false)
    }
    #expect(error.code == "snapshot_malformed")
  }

  @Test func keysThatWouldLeaveTheirSlotAreRefused() throws {
    #expect(try CacheKey("user:42").sideKey == "fence:{user:42}")
    for text in ["", "a b", "a\nb", "{a}", "a}", "a\u{7F}", String(repeating: "x", count: 513)] {
      let error = try #require(throws: SimpleFailure.self) { try CacheKey(text) }
      #expect(error.code == "cache_key_invalid")
    }
  }
}
