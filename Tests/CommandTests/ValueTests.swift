import Primitives
import Testing

@testable import Commands

@Suite struct ValueTests {
  @Test(arguments: [
    ("7d", 604_800_000), ("15m", 900_000), ("10s", 10_000), ("500ms", 500), ("1h30m", 5_400_000),
    ("2w", 1_209_600_000),
    ("1m1ms", 60_001), ("0s", 0), ("36525d", 3_155_760_000_000),
  ])
  func durationsAreRead(text: String, milliseconds: Int64) {
    #expect(HumanDuration(argument: text)?.duration == .milliseconds(milliseconds))
  }

  @Test(arguments: [
    "", "7", "d", "-1d", "+1d", "1.5h", "1 d", "30m1h", "1d1d", "1y", "7D", "36526d", "9999999999999999d",
    "999999999999999d", "١d", "1d ", "1d1",
  ])
  func whatIsNoDurationIsRefused(text: String) {
    #expect(HumanDuration(argument: text) == nil)
  }

  @Test(arguments: [
    (Duration.zero, "0 ms"), (.microseconds(250), "250 µs"), (.milliseconds(12), "12 ms"),
    (.milliseconds(1050), "1 s"), (.milliseconds(1500), "1.5 s"), (.milliseconds(9999), "9.9 s"),
    (.seconds(42), "42 s"),
    (.seconds(200), "3 min 20 s"), (.seconds(7200), "2 h"), (.seconds(187_200), "2 d 4 h"),
    (.seconds(-1), "0 ms"),
  ])
  func durationsAreShown(duration: Duration, text: String) {
    #expect(humanDuration(duration) == text)
  }

  @Test(
    arguments: [
      (0, "0 B"), (812, "812 B"), (1023, "1023 B"), (1024, "1.0 kB"), (1536, "1.5 kB"), (10_240, "10 kB"),
      (1_048_575, "1024 kB"), (1_572_864, "1.5 MB"), (25_769_803_776, "24 GB"), (Int64.max, "8.0 EB"),
      (Int64.min, "-8.0 EB"), (-1536, "-1.5 kB"),
    ] as [(Int64, String)])
  func sizesAreShown(bytes: Int64, text: String) {
    #expect(humanSize(bytes: bytes) == text)
  }

  @Test func progressShowsOnlyAfterASecondAndNotTooOften() {
    let second: Int64 = 1_000_000_000
    var meter = ProgressMeter(label: "loading", total: 1000, start: 0)
    let isShown = [(10, second - 1), (100, 2 * second), (101, 2 * second + 1), (450, 5 * second)]
      .map { done, now in meter.update(done: done, at: now) }
    #expect(isShown == [false, true, false, true])
    #expect(meter.line(at: 5 * second) == "loading  45 %  450/1000  90/s  6.1 s left")
    #expect(
      meter.event(at: 5 * second, isLast: false).description == """
        {"progress":{"label":"loading","done":450,"total":1000,"rate":90.0,"eta_seconds":6.1,"finished":false}}
        """)
  }

  @Test func progressWithoutATotalOrTimeStillShows() {
    var meter = ProgressMeter(label: "loading", total: nil, start: 5)
    _ = meter.update(done: 7, at: 5)
    #expect(meter.line(at: 5) == "loading  7  0/s")
    meter.total = 0
    #expect(meter.line(at: 5) == "loading  7  0/s")
  }

  /// What an earlier process did says nothing of the speed of this one.
  @Test func progressOfWorkThatIsContinuedHasItsOwnRate() {
    var meter = ProgressMeter(label: "sql", total: 1000, doneBefore: 800, start: 0)
    _ = meter.update(done: 850, note: "paused", at: 5_000_000_000)
    #expect(meter.line(at: 5_000_000_000) == "sql  85 %  850/1000  10/s  15 s left  (paused)")
    #expect(meter.event(at: 5_000_000_000, isLast: true)["progress"]?["note"] == "paused")
  }
}

@Suite struct ByteCountTests {
  @Test func readsSizesAsPostgreSQLCountsThem() {
    let read = ["8192", "64kB", "100MB", "1.5GB", "2 tb", "0", "7b"].map { ByteCount(argument: $0)?.bytes }
    #expect(read == [8192, 65_536, 104_857_600, 1_610_612_736, 2_199_023_255_552, 0, 7])
    let refused = ["", "MB", "-1", "1e3", "0x10", "nan", "inf", "1.2.3", "2000TB", "5 parsecs", "１"]
    #expect(refused.compactMap { ByteCount(argument: $0) } == [])
  }
}
