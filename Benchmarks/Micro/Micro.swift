import Benchmark

/// All of them. Those of `Values` need nothing; those of `Servers` the sandbox that scripts/microbench.sh starts.
let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock, .throughput], warmupIterations: 3, maxDuration: .seconds(3))
  measureMoney()
  measureTexts()
  measureCache()
  measureServers()
}
