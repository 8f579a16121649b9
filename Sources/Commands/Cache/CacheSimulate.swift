import ArgumentParser
import Cache
import Primitives

/// `ironforge cache simulate`.
struct CacheSimulate: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Say what share of a trace the in-process cache would answer.",
    discussion: """
      A trace is text, one key a line, in the order of the requests. Printed beside it: the share that LRU would answer, and \
      the most that any cache of this capacity could, knowing the future. Times to live play no part.

      EXAMPLES:
        ironforge cache simulate keys.txt --capacity 10000
        zcat keys.txt.gz | ironforge cache simulate - --capacity 500 --json
      """)

  @Argument(help: "The file of keys; - is standard input.")
  var trace: String

  @Option(help: ArgumentHelp("Entries that the cache has room for.", valueName: "n"))
  var capacity: Int

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let file = try InputFile(trace)
    let simulation = try CacheSimulation(RequestTrace(reading: file), capacity: capacity)
    try context.output.render(SimulationReport(trace: file.name, simulation: simulation))
  }
}

/// What the replay of a trace found (SPEC section 9).
struct SimulationReport: TableRow {
  static let tableHeader: [TableColumn] = [
    "trace", .number("requests"), .number("distinct"), .number("capacity"), .number("hit_ratio"),
    .number("lru_hit_ratio"), .number("optimal_hit_ratio"), .number("ns_per_access"),
  ]
  let trace: String
  let simulation: CacheSimulation

  var tableRow: [String] { csvRow }

  var json: JSON {
    [
      "trace": .string(trace), "requests": .integer(Int64(simulation.requests)),
      "distinct": .integer(Int64(simulation.distinct)), "capacity": .integer(Int64(simulation.capacity)),
      "hit_ratio": .number(rounded(simulation.hitRatio, 1e6)),
      "lru_hit_ratio": .number(rounded(simulation.leastRecentlyUsedHitRatio, 1e6)),
      "optimal_hit_ratio": .number(rounded(simulation.optimalHitRatio, 1e6)),
      "ns_per_access": .number(rounded(simulation.nanosecondsPerAccess, 10)),
    ]
  }

  private func rounded(_ value: Double, _ parts: Double) -> Double { (value * parts).rounded() / parts }
}
