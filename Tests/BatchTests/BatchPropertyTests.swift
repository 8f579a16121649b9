import Batch
import Ledger
import Postgres
import Primitives
import TestSupport
import Testing
import Wallet

/// A batch is the same as its rows sent one after another, whatever the chunking, and as the plain model.
@Suite struct BatchPropertyTests {
  private static func run(
    _ file: String, on database: TestDatabase, outcome: String, _ change: (inout BatchOptions) -> Void
  ) throws -> BatchReport {
    var options = BatchOptions()
    options.outcomePath = outcome
    change(&options)
    let target = try ConnectionString(database.url)
    let batch = BatchRun(
      try BatchSource(file), options: options,
      processor: TransferProcessor { try Session(connecting: target) })
    let report = try batch.run()
    try batch.finish()
    return report
  }

  /// The rows as single transfers.
  private static func send(_ requests: [TransferRequest], on database: TestDatabase) throws -> [String] {
    let target = try ConnectionString(database.url)
    let processor = TransferProcessor { try Session(connecting: target) }
    return try requests.flatMap { try processor.process([$0]).map(\.code.rawValue) }
  }

  @Test(.timeLimit(.minutes(3)), arguments: seeds(fresh: 3))
  func aBatchIsItsRowsOneByOne(seed: UInt64) async throws {
    let generated = GeneratedBatch(seed: seed, count: 300)
    let (codes, ledger) = generated.plain()
    let comment = Comment("seed \(seed)")
    let directory = try TemporaryDirectory("property")
    let file = try directory.write(generated.csv, to: "batch.csv")
    let outcome = directory.file("outcome.csv")

    let single = try await withDatabase(template: .migrated) { database in
      try await generated.found(database)
      let answers = try await blocking { try Self.send(generated.requests, on: database) }
      #expect(answers == codes, comment)
      return try await GeneratedBatch.holdings(database)
    }
    let plain = ledger.balances.keys.sorted().map {
      ["\($0.wallet)", $0.currency, "\(ledger.balances[$0] ?? 0)", "\(ledger.held[$0] ?? 0)"]
    }
    #expect(single.map { Array($0.prefix(4)) } == plain, comment)

    for size in [1, 7, 64, nil] as [Int?] {
      try await withDatabase(template: .migrated) { database in
        try await generated.found(database)
        for isDryRun in [true, false] {
          let report = try await blocking {
            try Self.run(file, on: database, outcome: outcome) {
              $0.chunkSize = size
              $0.isDryRun = isDryRun
            }
          }
          let told = try CSVFile(outcome).column("code")
          #expect(
            generated.differences(told, codes) == [],
            "seed \(seed), chunks of \(size ?? 0), dry run \(isDryRun)")
          #expect(
            report.tally.rows == 300 && report.tally.created == codes.count { $0 == "created" }, comment)
          let holdings = try await GeneratedBatch.holdings(database)
          #expect(holdings == (isDryRun ? [] : single), "seed \(seed), chunks of \(size ?? 0)")
        }
      }
    }
  }

  /// Rows that would succeed one by one are carried out as a whole, too.
  @Test(arguments: seeds(fresh: 2)) func anAtomicBatchIsItsRowsOneByOne(seed: UInt64) async throws {
    let all = GeneratedBatch(seed: seed, count: 400)
    let codes = all.plain().codes
    let good = all.keeping { ["created", "exists"].contains(codes[$0]) }
    let directory = try TemporaryDirectory("property")
    let outcome = directory.file("outcome.csv")
    let expected = good.plain().codes
    try #require(expected.allSatisfy { ["created", "exists"].contains($0) })
    let file = try directory.write(good.csv, to: "good.csv")
    let spoiled = try directory.write(all.csv, to: "all.csv")
    try await withDatabase(template: .migrated) { database in
      try await good.found(database)
      let aborted = try await blocking {
        try Self.run(spoiled, on: database, outcome: outcome) { $0.isAtomic = true }
      }
      #expect(aborted.isAborted)
      let spoiled = try CSVFile(outcome).column("code")
      let innocent = codes.map { ["created", "exists"].contains($0) ? "batch_aborted" : $0 }
      #expect(all.differences(spoiled, innocent) == [], "seed \(seed)")
      #expect(try await GeneratedBatch.holdings(database) == [])
      let done = try await blocking {
        try Self.run(file, on: database, outcome: outcome) { $0.isAtomic = true }
      }
      let told = try CSVFile(outcome).column("code")
      #expect(!done.isAborted && good.differences(told, expected) == [], "seed \(seed)")
    }
  }
}
