package import ArgumentParser

/// The options of the HTTP surface: those of `ironforge serve`, which hands them on, and of `ironforge-serve`.
package struct ServeOptions: ParsableArguments, Sendable {
  @Option(
    help: ArgumentHelp(
      "Where to listen; http.listen by default. [IPv6]:PORT, or port 0 for a free one.",
      valueName: "host:port"))
  package var listen: String?

  @Option(
    name: .customLong("tls-cert"),
    help: ArgumentHelp("The certificate and its chain, as PEM.", valueName: "file"),
    completion: .file())
  package var certificate: String?

  @Option(
    name: .customLong("tls-key"),
    help: ArgumentHelp("The certificate's private key, as PEM.", valueName: "file"),
    completion: .file())
  package var privateKey: String?

  @Option(
    help: ArgumentHelp(
      "A file with the bearer token; IRONFORGE_SERVE_TOKEN holds one too. Required off loopback.",
      valueName: "file"), completion: .file())
  package var tokenFile: String?

  @Option(help: ArgumentHelp("stderr, none, or a file to append to.", valueName: "where"))
  package var accessLog = "stderr"

  @Option(help: ArgumentHelp("The most connections; further ones wait to be accepted.", valueName: "n"))
  package var maxConnections = 1000

  @Option(
    help: ArgumentHelp("How long requests in flight may take after SIGTERM.", valueName: "seconds"))
  package var drainTimeout = 30

  @Option(
    help: ArgumentHelp(
      "How long to go on serving after SIGTERM while /api/ready says 503, for a load balancer to see it.",
      valueName: "seconds"))
  package var drainDelay = 0

  package init() {}

  package func validate() throws {
    if (certificate == nil) != (privateKey == nil) {
      throw ValidationError("--tls-cert and --tls-key go together.")
    }
    guard (1...100_000).contains(maxConnections) else {
      throw ValidationError("--max-connections must be from 1 to 100000.")
    }
    guard (1...3600).contains(drainTimeout) else {
      throw ValidationError("--drain-timeout must be from 1 to 3600.")
    }
    guard (0...3600).contains(drainDelay) else {
      throw ValidationError("--drain-delay must be from 0 to 3600.")
    }
  }
}
