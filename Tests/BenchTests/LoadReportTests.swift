import Primitives
import Testing

@testable import Bench

@Suite struct LoadReportTests {
  private static let targets = LoadTargets(
    p50Milliseconds: 10, p95Milliseconds: 20, p99Milliseconds: 30, requestsPerSecond: 5, errorRate: 0.1,
    availability: 0.9)

  private static func recorded(
    _ plan: LoadPlan, _ requests: [(due: Int64, sent: Int64, ended: Int64, failure: String?)]
  ) -> LoadSample {
    let recorder = LoadRecorder(LoadSchedule(plan, start: 0), keepsHistograms: false)
    for request in requests {
      let turn = LoadTurn(due: request.due, stage: 0, isMeasured: true, isOverdue: request.sent > request.due)
      recorder.record(turn, sent: request.sent, ended: request.ended, failure: request.failure)
    }
    return recorder.finish()
  }

  private static func plan(rate: Double? = nil, connections: Int = 2) -> LoadPlan {
    LoadPlan(
      connections: connections, warmup: .zero,
      arrivals: rate.map { .open([LoadStage(duration: .seconds(10), rate: $0)]) } ?? .closed(.seconds(10)))
  }

  private static func milliseconds(_ number: Int64) -> Int64 { number * 1_000_000 }

  @Test func figuresAndVerdicts() {
    let requests = (0..<20).map { number -> (Int64, Int64, Int64, String?) in
      let due = Self.milliseconds(Int64(number) * 100)
      return (due, due, due + Self.milliseconds(number == 19 ? 100 : 5), number == 19 ? "busy" : nil)
    }
    let sample = Self.recorded(Self.plan(), requests)
    let report = LoadReport(sample, plan: Self.plan(), generator: GeneratorUse(), targets: Self.targets)
    #expect(report.requests == 20 && report.errors == 1 && report.errorsByCode == ["busy": 1])
    #expect(report.duration == .milliseconds(2000))
    #expect(report.requestsPerSecond == 9.5 && report.errorRate == 0.05 && report.availability == 0.95)
    #expect(abs(report.latency.p50 - 5) < 0.01 && abs(report.latency.max - 100) < 0.1)
    let missed = report.targets.filter { !$0.isOK }.map(\.name)
    #expect(missed == ["p99_ms"])
    #expect(!report.isOK)
    #expect(report.timeline.map(\.requests) == [10, 9, 1])
    #expect(report.timeline.map(\.errors) == [0, 0, 1])
    #expect(report.distribution.last?.percentile == 100)
  }

  @Test func nothingMeasuredMeetsNoTarget() {
    let report = LoadReport(
      LoadSample(stages: 0), plan: Self.plan(), generator: GeneratorUse(), targets: Self.targets)
    #expect(!report.isOK && report.targets.allSatisfy { !$0.isOK })
    #expect(report.distribution.isEmpty && report.timeline.isEmpty && report.latency.max == 0)
  }

  @Test func unsentRequestsAreNoThroughput() {
    let plan = Self.plan(rate: 2)
    let recorder = LoadRecorder(LoadSchedule(plan, start: 0), keepsHistograms: false)
    recorder.recordMissed(at: Self.milliseconds(11_000))
    let report = LoadReport(
      recorder.finish(), plan: plan, generator: GeneratorUse(), targets: Self.targets)
    #expect(report.requests == 20 && report.unsent == 20 && report.requestsPerSecond == 0)
    #expect(report.availability == 0)
  }

  @Test func busyConnectionsAreToldFromAGeneratorThatSleeps() throws {
    // 100 a second on two connections that are busy for 50 ms each: five would be needed.
    let plan = Self.plan(rate: 100)
    let busy = Self.recorded(
      plan,
      (0..<100).map { number in
        let due = Self.milliseconds(Int64(number) * 10)
        let sent = due + Self.milliseconds(Int64(number) * 15)
        return (due, sent, sent + Self.milliseconds(50), nil)
      })
    #expect(
      GeneratorDoubt(busy, plan, GeneratorUse())
        == .tooFewConnections(milliseconds: busy.waits.maxMilliseconds, needed: 5, have: 2))
    // The same lateness of connections that were free.
    let recorder = LoadRecorder(LoadSchedule(plan, start: 0), keepsHistograms: false)
    for number in 0..<100 {
      let due = Self.milliseconds(Int64(number) * 10)
      let turn = LoadTurn(due: due, stage: 0, isMeasured: true, isOverdue: false)
      recorder.record(
        turn, sent: due + Self.milliseconds(20), ended: due + Self.milliseconds(22), failure: nil)
    }
    let doubt = try #require(GeneratorDoubt(recorder.finish(), plan, GeneratorUse()))
    #expect(doubt.sentence.hasPrefix("the generator was the bottleneck"))
  }

  @Test func aRunWithinItsMeansIsNotDoubted() {
    let plan = Self.plan(rate: 100)
    let sample = Self.recorded(
      plan,
      (0..<100).map { number in
        let due = Self.milliseconds(Int64(number) * 10)
        return (due, due, due + Self.milliseconds(3), nil)
      })
    #expect(GeneratorDoubt(sample, plan, GeneratorUse()) == nil)
  }

  @Test func zipfPrefersTheFirstKeys() {
    let zipf = KeyChoice(.zipf, among: 3)
    // 1 + 1/2 + 1/3: the first has 6 of 11 parts, the second 3, the third 2.
    #expect([0, 0.54, 0.55, 0.81, 0.82, 0.999].map(zipf.place) == [0, 0, 1, 1, 2, 2])
    let uniform = KeyChoice(.uniform, among: 4)
    #expect([0, 0.25, 0.5, 0.99].map(uniform.place) == [0, 1, 2, 3])
  }

  @Test func countersThatFallAreNotADifference() {
    var before = ServerCounters()
    before.counts = [.init(name: "commits", value: 10), .init(name: "rollbacks", value: 3)]
    var now = ServerCounters()
    now.counts = [.init(name: "commits", value: 4), .init(name: "rollbacks", value: 5)]
    let difference = now.since(before)
    #expect(difference.counts == [.init(name: "rollbacks", value: 2)])
    #expect(difference.notes.count == 1)
  }
}
