import Testing

@testable import Bench

/// When the figures say more of the generator than of the server.
@Suite struct GeneratorTests {
  @Test func threadsWithoutTimeAreTold() {
    let plan = LoadPlan(connections: 50, warmup: .zero, arrivals: .closed(.seconds(1)))
    var sample = LoadSample(stages: 0)
    let turn = LoadTurn(due: 0, stage: 0, isMeasured: true, isOverdue: false)
    for _ in 0..<100 { sample.record(turn, sent: 0, ended: 500_000_000, failure: nil) }
    sample.lastEnd = 1_000_000_000
    // Two threads of which a second of a second could be taken each.
    for (cpu, loops, isBusy) in [(1.9, 2, true), (0.95, 1, true), (0.95, 2, false), (0.5, 1, false)] {
      var use = GeneratorUse()
      use.cpuSeconds = cpu
      use.loops = loops
      let doubt = GeneratorDoubt(sample, plan, use)
      #expect((doubt != nil) == isBusy, "\(cpu) s of \(loops)")
      if isBusy { #expect(doubt?.sentence.contains("--threads") == true) }
    }
  }
}
