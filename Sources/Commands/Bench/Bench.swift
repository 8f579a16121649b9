import ArgumentParser

/// `ironforge bench`.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Load the system and judge it by its service-level targets.",
    discussion: """
      EXAMPLES:
        ironforge bench transfer --connections 8 --duration 10s
        ironforge bench read --rate 2000 --duration 1m --html reads.html
        ironforge bench cache --skew zipf --stages 30s:1000,30s:2000
        ironforge bench http http://127.0.0.1:8088/api/health --connections 32
      """,
    subcommands: [BenchTransfer.self, BenchRead.self, BenchCache.self, BenchHTTP.self])
}
