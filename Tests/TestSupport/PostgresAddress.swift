/// A PostgreSQL server of the tests: where its socket is, and the programs of its version.
public struct PostgresAddress: Sendable {
  /// The directory of the socket, libpq's `host`.
  public let host: String
  /// libpq's `port`, which names the socket in the directory.
  public let port: Int
  /// The directory of `psql`, `pgbench` and the others, not the distribution's wrappers.
  public let programs: String

  /// A server that a test has started by itself.
  public init(host: String, port: Int, programs: String) {
    self.host = host
    self.port = port
    self.programs = programs
  }

  /// libpq URI of a database of the server; the role is the superuser `ironforge`.
  public func url(database: String) -> String {
    "postgresql:///\(database)?host=\(host)&port=\(port)&user=ironforge"
  }

  /// Sends statements through psql, each in its own transaction, and returns the rows of the last result as text.
  /// NULL reads as an empty string.
  @discardableResult
  public func sql(
    _ text: String, database: String, timeout: Duration = .seconds(60)
  ) async throws -> [[String]] {
    // A unit separator between fields and a record separator between rows: text may hold anything else.
    let program = Program(
      "\(programs)/psql",
      [
        "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator=\u{1F}",
        "--record-separator=\u{1E}", "--set=ON_ERROR_STOP=1", "--file=-", url(database: database),
      ], environment: ["PGOPTIONS": nil, "PGCLIENTENCODING": "UTF8"], stdin: text)
    let result = try await program.run(timeout: timeout)
    guard result.exitCode == 0 else {
      throw TestFailure("psql failed (\(result.exitCode)): \(result.stderr)")
    }
    // psql ends its output with a newline whatever the record separator is.
    let rows = result.stdout.hasSuffix("\n") ? result.stdout.dropLast() : result.stdout[...]
    return rows.split(separator: "\u{1E}").map { row in
      row.split(separator: "\u{1F}", omittingEmptySubsequences: false).map(String.init)
    }
  }
}
