import Glibc
import Primitives

/// Runs PgBouncer in transaction mode before `database`, and lends the URL that goes through it.
public func withPooler<R: Sendable>(
  _ database: TestDatabase, settings: String = "", isolation: isolated (any Actor)? = #isolation,
  _ body: (String) async throws -> R
) async throws -> R {
  let directory = try TemporaryDirectory("pooler")
  let free = try SocketAddress.tcp(port: 0).listen()
  let port = try SocketAddress.port(of: free)
  close(free)
  let configuration = try directory.write(
    """
    [databases]
    \(database.name) = host=\(database.address.host) port=\(database.address.port) user=ironforge
    [pgbouncer]
    listen_addr = 127.0.0.1
    listen_port = \(port)
    unix_socket_dir =
    auth_type = any
    pool_mode = transaction
    default_pool_size = 2
    \(settings)
    """, to: "pgbouncer.ini")
  // Like PostgreSQL it refuses to run as root.
  let arguments = geteuid() == 0 ? ["-u", "postgres", configuration] : [configuration]
  let pooler = try await Program("/usr/sbin/pgbouncer", arguments, directory: directory.path).start()
  let url = "postgresql://ironforge@127.0.0.1:\(port)/\(database.name)"
  let result: R
  do {
    try await waitUntilReady(url, database.address.programs)
    result = try await body(url)
  } catch {
    pooler.kill()
    throw error
  }
  pooler.kill()
  _ = try await pooler.finish()
  return result
}

private func waitUntilReady(_ url: String, _ programs: String) async throws {
  let deadline = Deadline.after(.seconds(40))
  while try await Program("\(programs)/psql", ["-Xqc", "select 1", url]).run().exitCode != 0 {
    guard !deadline.hasPassed else { throw TestFailure("PgBouncer does not answer at \(url)") }
    try await Task.sleep(for: .milliseconds(50))
  }
}
