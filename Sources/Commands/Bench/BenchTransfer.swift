import ArgumentParser
import Bench
import Configuration
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
      the ledger verifies afterwards as before. At most database.max_connections connections are opened. Without --rate each connection sends its next transfer when it has \
      the answer to the last (a closed loop). With --rate transfers are sent on a schedule, and latency counts \
      from when a transfer should have been sent. The targets stand under [targets] in the configuration.

      EXAMPLES:
        ironforge bench transfer --connections 8 --duration 10s
        ironforge bench transfer --connections 20 --rate 1000 --duration 1m --json
      """)

  @Option(help: ArgumentHelp("Connections at work at the same time, 1 to 1000.", valueName: "n"))
  var connections = 8

  @Option(help: ArgumentHelp("How long to measure.", valueName: "time"))
  var duration = HumanDuration(seconds: 10)

  @Option(help: ArgumentHelp("How long to run before measuring.", valueName: "time"))
  var warmup = HumanDuration(seconds: 1)

  @Option(
    help: ArgumentHelp("Transfers a second over all connections; a closed loop if absent.", valueName: "n"))
  var rate: Double?

  @Option(help: ArgumentHelp("Among how many wallets money moves, 2 to 100000.", valueName: "n"))
  var wallets = 1000

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    guard (1...1000).contains(connections) else {
      throw ValidationError("--connections must be from 1 to 1000.")
    }
    guard (2...100_000).contains(wallets) else {
      throw ValidationError("--wallets must be from 2 to 100000.")
    }
    guard duration.duration > .zero else { throw ValidationError("--duration must be longer than nothing.") }
    if let rate, !(rate > 0 && rate <= 1e6) {
      throw ValidationError("--rate must be above 0, up to 1000000.")
    }
  }

  func runConcurrently(in context: CommandContext) async throws {
    let targets = LoadTargets(try context.configuration().values.targets)
    // Registering anything makes the first signal end the run in order, with a report.
    let registration = try context.signals.onStop {}
    defer { withExtendedLifetime(registration) {} }
    let pool = try context.pool(connections: connections)
    let plan = LoadPlan(
      connections: connections, duration: duration.duration, warmup: warmup.duration, rate: rate)
    let load = TransferLoad(walletCount: wallets, pool: pool, fences: try context.commitFences())
    let report = try await load.run(plan, targets: targets) {
      [signals = context.signals] in signals.received != nil
    }
    try await pool.drain(deadline: .after(.seconds(10)))
    if let warning = report.generatorWarning { context.messages.warning(warning) }
    try context.output.render(LoadReportView(report: report))
    try context.signals.check()
    if !report.isOK { throw ExitCode(.targetMissed) }
  }
}

extension LoadTargets {
  init(_ targets: Configuration.Targets) {
    self.init(
      p50Milliseconds: targets.p50Milliseconds, p95Milliseconds: targets.p95Milliseconds,
      p99Milliseconds: targets.p99Milliseconds, requestsPerSecond: targets.requestsPerSecond,
      errorRate: targets.errorRate, availability: targets.availability)
  }
}
