import Histogram
import Primitives
import Testing

@testable import Bench

@Suite struct LoadScheduleTests {
  private static let second: Int64 = 1_000_000_000

  private static func open(_ stages: [LoadStage], warmup: Duration = .zero) -> LoadSchedule {
    LoadSchedule(LoadPlan(connections: 1, warmup: warmup, arrivals: .open(stages)), start: 0)
  }

  private static func allTurns(_ schedule: LoadSchedule) -> [LoadTurn] {
    var turns: [LoadTurn] = []
    while let turn = schedule.next(at: 0) { turns.append(turn) }
    return turns
  }

  @Test func turnsOfAStageAreAtEvenDistances() {
    let turns = Self.allTurns(Self.open([LoadStage(duration: .seconds(2), rate: 4)]))
    #expect(turns.map(\.due) == (0..<8).map { $0 * Self.second / 4 })
    #expect(turns.allSatisfy { $0.isMeasured && !$0.isOverdue && $0.stage == 0 })
  }

  @Test func stagesFollowEachOtherWithoutARamp() {
    let turns = Self.allTurns(
      Self.open([LoadStage(duration: .seconds(1), rate: 2), LoadStage(duration: .seconds(1), rate: 5)]))
    #expect(turns.map(\.stage) == [0, 0, 1, 1, 1, 1, 1])
    #expect(turns[2].due == Self.second)
    #expect(turns[6].due == Self.second + 800_000_000)
  }

  @Test func theWarmupHasTheRateOfTheFirstStageAndIsNotMeasured() {
    let schedule = Self.open(
      [LoadStage(duration: .seconds(1), rate: 3), LoadStage(duration: .seconds(1), rate: 1)],
      warmup: .seconds(2))
    let turns = Self.allTurns(schedule)
    #expect(turns.map(\.isMeasured) == Array(repeating: false, count: 6) + Array(repeating: true, count: 4))
    #expect(schedule.measuredFrom == 2 * Self.second)
    #expect(schedule.end == 4 * Self.second)
  }

  @Test func aFractionOfARequestIsDueAtOnce() {
    #expect(Self.allTurns(Self.open([LoadStage(duration: .seconds(1), rate: 0.25)])).map(\.due) == [0])
  }

  @Test func aTurnThatIsTakenTooLateIsOverdue() throws {
    let schedule = Self.open([LoadStage(duration: .seconds(2), rate: 1)])
    let first = try #require(schedule.next(at: 5))
    let next = try #require(schedule.next(at: 5))
    #expect(first.isOverdue && !next.isOverdue)
  }

  @Test func whatIsDueIsSentForASecondAfterTheEnd() {
    let schedule = Self.open([LoadStage(duration: .seconds(1), rate: 100)])
    #expect(schedule.next(at: 2 * Self.second - 1)?.due == 0)
    #expect(schedule.next(at: 2 * Self.second) == nil)
    #expect(schedule.isOver(at: 2 * Self.second))
  }

  @Test func aClosedLoopIsDueNowUntilItsEnd() {
    let plan = LoadPlan(connections: 1, warmup: .seconds(1), arrivals: .closed(.seconds(1)))
    let schedule = LoadSchedule(plan, start: 0)
    #expect(schedule.next(at: 7)?.due == 7)
    #expect(schedule.next(at: 7)?.isMeasured == false)
    #expect(schedule.next(at: Self.second)?.isMeasured == true)
    #expect(schedule.next(at: 2 * Self.second) == nil)
  }

  @Test func whatNobodyHadTimeForIsCounted() {
    // Ten requests in a second, of which a connection that hangs for three seconds sends one.
    let plan = LoadPlan(
      connections: 1, warmup: .zero, arrivals: .open([LoadStage(duration: .seconds(1), rate: 10)]))
    let schedule = LoadSchedule(plan, start: 0)
    let recorder = LoadRecorder(schedule, keepsHistograms: false)
    let now = 3 * Self.second
    if let turn = schedule.next(at: 0) { recorder.record(turn, sent: 0, ended: now, failure: nil) }
    recorder.recordMissed(at: now)
    let sample = recorder.finish()
    #expect(sample.requests == 10 && sample.unsent == 9 && sample.errors == ["not_sent": 9])
    #expect(sample.latencies.totalCount == 10)
    // The last was due at 0.9 s, so it waits for 2.1 s.
    #expect(abs(sample.latencies.milliseconds(at: 5) - 2100) < 3)
    #expect(sample.stages[0].unsent == 9)
  }

  @Test func aRunThatIsStoppedForgetsTheFuture() {
    let plan = LoadPlan(
      connections: 1, warmup: .zero, arrivals: .open([LoadStage(duration: .seconds(100), rate: 10)]))
    let schedule = LoadSchedule(plan, start: 0)
    let recorder = LoadRecorder(schedule, keepsHistograms: false)
    recorder.recordMissed(at: 2 * Self.second + 50_000_000)
    // Due in the first 1.05 seconds; what was due later may have been sent within the second that is given.
    #expect(recorder.finish().unsent == 11)
  }
}
