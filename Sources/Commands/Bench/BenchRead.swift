public import ArgumentParser
public import Bench
import ConnectionPool
import Postgres
import Primitives

/// `ironforge bench read`.
struct BenchRead: ConcurrentCommand {
  static let configuration = CommandConfiguration(
    commandName: "read",
    abstract: "Measure reads of wallets from PostgreSQL; exit 99 when a target is missed.",
    discussion: """
      Each request reads a wallet by its id, with what it holds, as the service does for what no cache has. The wallets are \
      those of the database. A replica is measured by its own address: --database-url.

      \(BenchOptions.help)

      EXAMPLES:
        ironforge bench read --connections 8 --duration 10s
        ironforge bench read --rate 2000 --duration 1m --html reads.html
        ironforge bench read --stages 30s:100,1m:200 --hdr reads.hlog
      """)

  @OptionGroup(title: "Load") var bench: BenchOptions
  @OptionGroup(title: "Keys") var keys: BenchKeyOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func runConcurrently(in context: CommandContext) async throws {
    let run = try BenchRun("bench read", bench, in: context)
    let pool = try context.pool(connections: bench.connections)
    let load = ReadLoad(try await BenchKeys(from: pool, limit: keys.wallets, skew: keys.skew), pool: pool)
    let servers = try await context.serverWatch(readsRedis: false)
    try await run.measure(servers: servers) { run in
      try await load.run(run)
    } close: {
      try await pool.drain(deadline: .after(.seconds(10)))
    }
  }
}

/// Which wallets are read.
struct BenchKeyOptions: ParsableArguments, Sendable {
  @Option(
    help: ArgumentHelp(
      "How many wallets to read, the first by id; all, where there are fewer. 1 to 1000000.", valueName: "n"))
  var wallets = 10_000

  @Option(
    help: ArgumentHelp(
      "How often each is read: uniform, or zipf, the n-th 1/n as often as the first.", valueName: "skew"))
  var skew = KeySkew.uniform

  func validate() throws {
    guard (1...1_000_000).contains(wallets) else {
      throw ValidationError("--wallets must be from 1 to 1000000.")
    }
  }
}

extension KeySkew: ExpressibleByArgument {}
