public import Primitives

/// Everything that can go wrong between this program and PostgreSQL.
public enum PostgresError: Failure {
  /// The connection string is malformed. The text never repeats any part of it: it may hold a password.
  case malformedConnectionString(String)
  /// No server that was named accepted the connection.
  case connectFailed(String)
  /// The connection broke; what was in flight may or may not have happened.
  case connectionLost(String)
  /// The client's own deadline passed. The connection is closed, because its state is unknown.
  case deadlineExceeded(String)
  /// The caller asked to stop, and the server confirmed that the statement was cancelled.
  case cancelled
  /// COMMIT is done on this server, but somebody ended its wait for a synchronous standby (manual,
  /// "synchronous_commit"): a failover may lose it. The notice of the server says who.
  case notReplicated(ServerError)
  /// The server refused the statement.
  case server(ServerError)
  /// A result does not have the shape that the code expects: the schema is not the one it was written for.
  case decoding(String)
  /// This library was used wrongly.
  case misuse(String)

  public var sqlState: String? {
    if case .server(let error) = self { error.sqlState } else { nil }
  }

  /// Whether the session is gone with it: a broken connection, or a server that ends it
  /// (class 08, and 57P01–57P03: shutdown, crash, not yet ready).
  public var endsSession: Bool {
    switch self {
    case .connectFailed, .connectionLost, .deadlineExceeded: true
    case .server(let error):
      error.sqlState.hasPrefix("08") || error.sqlState.hasPrefix("57P") || error.severity == "FATAL"
        || error.severity == "PANIC"
    case .malformedConnectionString, .cancelled, .notReplicated, .decoding, .misuse: false
    }
  }

  /// Whether the server rolled the transaction back for a reason that may be gone at the next attempt:
  /// serialization failure, deadlock, or a prepared statement that a pooler gave to somebody else.
  public var isTransient: Bool {
    switch sqlState {
    case "40001", "40P01", "26000", "42P05": true
    default: false
    }
  }

  public var code: String {
    switch self {
    case .malformedConnectionString: "database_url_malformed"
    case .connectFailed: "database_unreachable"
    case .connectionLost: "connection_lost"
    case .deadlineExceeded: "database_timeout"
    case .cancelled: "cancelled"
    case .notReplicated: "commit_not_replicated"
    case .decoding: "unexpected_schema"
    case .misuse: "internal_error"
    case .server(let error):
      switch error.sqlState {
      case "42501": "insufficient_privilege"
      case "42P01", "42703", "3F000", "42883": "schema_missing"
      case "55P03": "lock_timeout"
      case "57014": "statement_timeout"
      case "25006": "read_only_server"
      case "53100": "disk_full"
      case "53300": "too_many_connections"
      default: endsSession ? "connection_lost" : "database_error"
      }
    }
  }

  public var message: String {
    switch self {
    case .malformedConnectionString(let reason): "the database URL cannot be used: \(reason)"
    case .connectFailed(let reason): "PostgreSQL cannot be reached: \(reason)"
    case .connectionLost(let reason): "the connection to PostgreSQL was lost: \(reason)"
    case .deadlineExceeded(let what): "PostgreSQL gave no answer in time: \(what)"
    case .cancelled: "the statement was cancelled"
    case .notReplicated(let notice):
      "the server has committed it, but no synchronous standby has confirmed that: \(notice.message)"
    case .decoding(let reason): "the database answered with something unexpected: \(reason)"
    case .misuse(let reason): "IronForge used its database connection wrongly: \(reason)"
    case .server(let error): "PostgreSQL: \(error)"
    }
  }

  public var hint: String? {
    switch self {
    case .malformedConnectionString:
      "write postgresql://user@host:5432/database, with special characters of a password percent-encoded"
    case .connectFailed: "check that the server runs and that the URL names it: ironforge config show"
    case .connectionLost, .deadlineExceeded: "check the server, then run the same command again"
    case .cancelled: nil
    case .notReplicated: "see to the standby (pg_stat_replication), then run the same command again"
    case .decoding: "compare the schema: ironforge migrate status"
    case .misuse: "this is a bug: please report it with the command that you ran"
    case .server(let error): Self.hint(for: error, code: code)
    }
  }

  private static func hint(for error: ServerError, code: String) -> String? {
    switch code {
    case "schema_missing": "apply the migrations first: ironforge migrate up"
    case "insufficient_privilege": "ask the database's owner to grant it to this role"
    case "lock_timeout": "another transaction holds the lock; try again, or raise database.lock_timeout_secs"
    case "statement_timeout":
      "raise database.statement_timeout_secs if the statement is expected to take long"
    case "read_only_server": "this server is a standby; add target_session_attrs=read-write to the URL"
    case "disk_full": "free space on the database server; nothing was changed"
    case "too_many_connections": "lower database.max_connections, or raise max_connections on the server"
    default: error.hint
    }
  }

  public var isRetryable: Bool {
    switch self {
    case .connectFailed, .connectionLost, .deadlineExceeded, .notReplicated: true
    case .malformedConnectionString, .cancelled, .decoding, .misuse: false
    case .server(let error): isTransient || endsSession || ["55P03", "53300"].contains(error.sqlState)
    }
  }

  public var kind: FailureKind {
    switch self {
    case .malformedConnectionString: .configuration
    case .connectFailed, .connectionLost, .deadlineExceeded: .unreachable
    case .cancelled, .misuse: .unexpected
    case .notReplicated: .outcomeUnknown
    case .decoding: .configuration
    case .server(let error):
      switch code {
      case "insufficient_privilege": .privilege
      case "schema_missing", "read_only_server": .configuration
      case "lock_timeout": .busy
      case "too_many_connections": .unreachable
      default: endsSession ? .unreachable : (error.sqlState.hasPrefix("22") ? .malformedInput : .unexpected)
      }
    }
  }
}
