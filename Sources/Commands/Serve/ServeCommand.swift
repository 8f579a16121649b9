import ArgumentParser

/// `ironforge serve`.
struct ServeCommand: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve wallets over HTTP, read only.",
    discussion: """
      Becomes ironforge-serve, a program of its own that stands beside this one or on PATH, with the same options: no \
      other command pays for a web server. HTTP/1.1 and HTTP/2, with TLS where a certificate is named; see \
      docs/operations.md, "Serving".

        GET /api/health              the process lives
        GET /api/ready               whether PostgreSQL and Redis answer; 503 while PostgreSQL does not, or it is stopping
        GET /api/v1/wallets          limit, cursor, user, status, as `ironforge wallet list`
        GET /api/v1/wallets/ID       by id or 0x address, through both tiers of the cache
        GET /metrics                 for Prometheus

      EXIT CODES: 0 stopped by SIGTERM, with nothing left in flight; 69 the address cannot be listened on; 75 requests were \
      still in flight when --drain-timeout had passed; 78 ironforge-serve is not installed, or the configuration is wrong.

      EXAMPLES:
        ironforge serve
        ironforge serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem --token-file /etc/ironforge/token
      """)

  @OptionGroup var options: ServeOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    // A wrong configuration is told in this program's own words.
    _ = try context.configuration()
    // The words after `serve`, as they were typed: nothing can stand before it.
    try ServeProgram.become(
      CommandLine.arguments.dropFirst().drop { $0 != Self._commandName }.dropFirst())
  }
}
