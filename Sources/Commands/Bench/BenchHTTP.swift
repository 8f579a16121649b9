import ArgumentParser
import Bench
import Glibc
import Primitives

/// `ironforge bench http`.
struct BenchHTTP: ConcurrentCommand {
  static let configuration = CommandConfiguration(
    commandName: "http",
    abstract: "Measure an HTTP server: latency, throughput, errors; exit 99 when a target is missed.",
    discussion: """
      Sends the same GET or HEAD again and again over connections that are kept alive, HTTP/1.1 or HTTP/2, in clear text or \
      with TLS. Answers are read to their end and not kept; redirections are not followed. The load comes from \
      ironforge-serve, a program of its own that stands beside this one or on PATH: no other command pays for an event loop.

      \(BenchOptions.help)

      With --rate connections are opened as they are needed, up to --connections, and at most 10 are kept idle. A request \
      that no connection is free for waits, and its latency counts from when it was due.

      ERRORS by code: http_4xx and http_5xx by their number (http_503), timeout, connect_refused, connect_timeout, \
      connection_reset, connection_closed (before the answer was complete), response_malformed, tls_failed, http2_error, \
      stream_reset, stream_refused, not_sent.

      EXAMPLES:
        ironforge bench http http://127.0.0.1:8088/api/health
        ironforge bench http http://127.0.0.1:8088/api/v1/wallets --http2 --streams 10 --connections 4 --duration 30s
        ironforge bench http https://wallets.example.com/api/v1/wallets --header "Authorization: Bearer $TOKEN" --rate 500
      """)

  @Argument(help: ArgumentHelp("http:// or https://, with path and query.", valueName: "url"))
  var url: String

  @OptionGroup(title: "Load") var bench: BenchOptions
  @OptionGroup(title: "HTTP") var http: HTTPOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    // What is wrong with the options and the configuration is told without the second program.
    _ = try http.request(to: url)
    _ = try context.configuration()
    // Still on the main thread, as `become` asks for.
    if HTTPGeneration.current == nil { try ServeProgram.become(CommandLine.arguments.dropFirst()) }
    try runToItsEnd(in: context)
  }

  func runConcurrently(in context: CommandContext) async throws {
    guard let generating = HTTPGeneration.current else { return }
    let request = try http.request(to: url)
    let run = try BenchRun("bench http", bench, in: context)
    let generator = try await generating(request, bench.connections)
    context.messages.info(
      "loading \(request.target.place) over \(generator.version)",
      fields: [("protocol", .string(generator.version)), ("threads", .integer(Int64(generator.threads)))])
    try await run.measure(loops: generator.threads) { run in
      try await generator.run(run)
    } close: {
      try await generator.close()
    }
  }
}
