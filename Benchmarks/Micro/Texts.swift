import Benchmark
import Plans
import Primitives
import Redis

/// The bytes as a file hands them over.
private func source(_ bytes: [UInt8]) -> (UnsafeMutableRawBufferPointer) -> Int {
  var rest = bytes[...]
  return { buffer in
    let taken = rest.prefix(buffer.count)
    buffer.copyBytes(from: taken)
    rest = rest.dropFirst(taken.count)
    return taken.count
  }
}

func measureTexts() {
  let csv = Array(
    (0..<1000).map {
      "payout-\($0),00000000-0000-7000-8000-000000000001,ada@example.com/main,12.50,USD,\"memo, \($0)\"\n"
    }.joined().utf8)
  Benchmark("CSV, a row of 1000", configuration: .init(scalingFactor: .kilo)) { benchmark in
    var parser = CSVParser(name: "rows", read: source(csv))
    var bytes = 0
    benchmark.startMeasurement()
    while try parser.next() { bytes += parser.field(5).count }
    benchmark.stopMeasurement()
    guard bytes > 0 else { return benchmark.error("no rows") }
  }
  let object = Array(
    #"{"key":"payout-1","from":"a@b.c/main","to":"d@e.f/main","amount":12.50,"currency":"USD","memo":"é"}"#
      .utf8)
  Benchmark("JSON, an object of six members", configuration: .init(scalingFactor: .kilo)) { benchmark in
    for _ in benchmark.scaledIterations {
      var scanner = JSONScanner(object)
      while let token = try scanner.next() { blackHole(token) }
    }
  }
  let key = Array("user:00000000-0000-7000-8000-000000000001".utf8)
  let value = Array(#"{"id":"00000000-0000-7000-8000-000000000001","email":"ada@example.com"}"#.utf8)
  Benchmark("RESP, one SET encoded", configuration: .init(scalingFactor: .kilo)) { benchmark in
    var buffer = CommandBuffer(capacity: 256 << 10)
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations {
      buffer.begin(words: 5)
      buffer.append("SET")
      buffer.append(key[...])
      buffer.append(value[...])
      buffer.append("PX")
      buffer.append(3_600_000)
    }
    benchmark.stopMeasurement()
    blackHole(buffer)
  }
  let plan = Array(
    """
    Limit  (cost=0.56..8.58 rows=1 width=64) (actual time=0.021..0.022 rows=1 loops=1)
      Buffers: shared hit=4
      ->  Nested Loop  (cost=0.56..8.58 rows=1 width=64) (actual time=0.020..0.020 rows=1 loops=1)
            Buffers: shared hit=4
            ->  Index Scan using wallets_pkey on wallets w  (cost=0.28..4.29 rows=1 width=32) (actual time=0.010..0.010 rows=1 loops=1)
                  Index Cond: (id = '00000000-0000-7000-8000-000000000001'::uuid)
                  Buffers: shared hit=2
            ->  Seq Scan on users u  (cost=0.28..4.29 rows=1 width=32) (actual time=0.005..0.005 rows=1 loops=1)
                  Filter: (id = w.user_id)
                  Rows Removed by Filter: 41
                  Buffers: shared hit=2
    Planning Time: 0.110 ms
    Execution Time: 0.040 ms
    """.utf8)
  Benchmark("text plan of four nodes, read") { benchmark in
    for _ in benchmark.scaledIterations { blackHole(try Plan(parsing: plan)) }
  }
}
