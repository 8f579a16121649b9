import Primitives

/// Makes a streaming standby of `server` and lends its address.
///
/// - Parameter settings: lines of its configuration, such as `recovery_min_apply_delay = '50ms'`.
public func withStandby<R: Sendable>(
  of server: PrivatePostgres, settings: [String] = [], isolation: isolated (any Actor)? = #isolation,
  _ body: (PostgresAddress) async throws -> R
) async throws -> R {
  let directory = try TemporaryDirectory("standby")
  let data = directory.file("data")
  let programs = server.address.programs
  let options = settings.map { "echo \"\($0)\" >> '\(data)/postgresql.auto.conf'" }.joined(separator: "\n")
  // The servers run as another user than root.
  let asServer = """
    set -e
    as_server() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

    """
  @Sendable func run(_ script: String) async throws {
    let result = try await Program("/bin/bash", ["-c", asServer + script], directory: directory.path).run(
      timeout: .seconds(90))
    guard result.exitCode == 0 else { throw TestFailure("standby: \(result.stderr) \(result.stdout)") }
  }
  // What is written while the copy is made must still be there when it is streamed.
  try await server.sql("alter system set wal_keep_size = '512MB'")
  try await server.sql("select pg_reload_conf()")
  let stop = "as_server '\(programs)/pg_ctl' -D '\(data)' -m immediate stop"
  try await run(
    """
    [ "$(id -u)" != 0 ] || chown postgres '\(directory.path)'
    as_server '\(programs)/pg_basebackup' -D '\(data)' -R -X stream -c fast \\
      -d '\(server.address.url(database: "postgres"))'
    \(options)
    as_server '\(programs)/pg_ctl' -D '\(data)' -w -t 60 -l '\(data)/log' \\
      -o "-c listen_addresses='' -c unix_socket_directories='\(directory.path)' -p 5432" start
    """)
  let result: R
  do {
    result = try await body(PostgresAddress(host: directory.path, port: 5432, programs: programs))
  } catch {
    // The reason of the test's failure counts; the watchdog stops a server that is left.
    _ = await Result { try await run(stop) }
    throw error
  }
  try await run(stop)
  return result
}

extension PrivatePostgres {
  /// From now on a COMMIT waits until a standby has it on its disk; returns when one is there.
  public func requireSynchronousStandby() async throws {
    try await sql("alter system set synchronous_standby_names = '*'")
    try await sql("select pg_reload_conf()")
    let deadline = Deadline.after(.seconds(30))
    while try await sql("select count(*) from pg_stat_replication where sync_state = 'sync'") != [["1"]] {
      guard !deadline.hasPassed else { throw TestFailure("no standby became synchronous") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}

extension PostgresAddress {
  /// Makes a standby the primary; returns when it takes writes.
  public func promote() async throws {
    guard try await sql("select pg_promote()", database: "postgres") == [["t"]] else {
      throw TestFailure("the standby in \(host) was not promoted")
    }
  }

  /// One URL for several servers, in this order, of which only one that takes writes is meant.
  public static func failoverURL(_ servers: [PostgresAddress], database: String) -> String {
    let hosts = servers.map(\.host).joined(separator: ",")
    let ports = servers.map { String($0.port) }.joined(separator: ",")
    return
      "postgresql:///\(database)?host=\(hosts)&port=\(ports)&user=ironforge&target_session_attrs=read-write"
  }
}
