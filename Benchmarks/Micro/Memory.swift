import Benchmark
import Cache

func measureCache() {
  let keys = (0..<1000).map { "user:\($0)" }
  Benchmark("L1 hit, 1000 keys", configuration: .init(scalingFactor: .kilo)) { benchmark in
    let cache = L1Cache(capacity: 10_000, timeToLive: .seconds(300), timeToIdle: .seconds(300))
    for key in keys { cache.store(.text("value of \(key)"), for: key) }
    benchmark.startMeasurement()
    for number in benchmark.scaledIterations { blackHole(cache.value(of: keys[number])) }
    benchmark.stopMeasurement()
    guard cache.statistics.misses == 0 else { return benchmark.error("misses: \(cache.statistics.misses)") }
  }
}
