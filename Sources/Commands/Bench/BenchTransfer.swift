import ArgumentParser
import Bench
import ConnectionPool
import Postgres
import Primitives

/// `ironforge bench transfer`.
struct BenchTransfer: ConcurrentCommand {
  static let configuration = CommandConfiguration(
    commandName: "transfer",
    abstract: "Measure single transfers: latency, throughput, errors; exit 99 when a target is missed.",
    discussion: """
      Money of the currency BENCH moves among wallets of the user bench@ironforge.invalid, which are made for it; \
      the ledger verifies afterwards as before. At most database.max_connections connections are opened.

      \(BenchOptions.help)

      EXAMPLES:
        ironforge bench transfer --connections 8 --duration 10s
        ironforge bench transfer --connections 20 --rate 1000 --duration 1m --json
        ironforge bench transfer --connections 20 --stages 30s:100,1m:200
      """)

  @OptionGroup(title: "Load") var bench: BenchOptions

  @Option(help: ArgumentHelp("Among how many wallets money moves, 2 to 100000.", valueName: "n"))
  var wallets = 1000

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    guard (2...100_000).contains(wallets) else {
      throw ValidationError("--wallets must be from 2 to 100000.")
    }
  }

  func runConcurrently(in context: CommandContext) async throws {
    let run = try BenchRun("bench transfer", bench, in: context)
    let pool = try context.pool(connections: bench.connections)
    let load = TransferLoad(walletCount: wallets, pool: pool, fences: try context.commitFences())
    let ready = try await load.prepare()
    let servers = try await context.serverWatch(readsRedis: true)
    try await run.measure(servers: servers) { run in
      try await load.run(run, among: ready)
    } close: {
      try await pool.drain(deadline: .after(.seconds(10)))
    }
  }
}
