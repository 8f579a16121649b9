public import Primitives

/// One thing that is wrong with the configuration.
public struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
  /// The file, or the environment variable or flag.
  public let source: String
  /// Line and column in the file, from 1, where they are known.
  public let position: TextPosition?
  /// What is wrong; never the value of a setting that may hold a password.
  public let message: String
  /// What the author may have meant.
  public let suggestion: String?

  init(_ source: String, at position: TextPosition? = nil, _ message: String, suggestion: String? = nil) {
    self.source = source
    self.position = position
    self.message = message
    self.suggestion = suggestion
  }

  /// `ironforge.toml:3:1: unknown key "max_conections" in [database] (did you mean "max_connections"?)`.
  public var description: String {
    source + (position.map { ":\($0.line):\($0.column)" } ?? "") + ": " + message
      + (suggestion.map { " (did you mean \"\($0)\"?)" } ?? "")
  }
}

/// Why there is no configuration to work with. Always ends with exit code 78.
public enum ConfigurationFailure: Failure, Equatable {
  /// The values are wrong; all problems that were found, at least one.
  case invalid([ConfigurationProblem])
  /// The file that `--config` names is not there.
  case notFound(path: String)
  /// There is a file, but it cannot be read.
  case unreadable(path: String, reason: String)
  /// A command needs PostgreSQL and nothing says where it is.
  case databaseNotConfigured
  /// A command is to read from a replica and none is named.
  case replicasNotConfigured
  /// A command needs Redis and nothing says where it is.
  case redisNotConfigured

  public var code: String {
    switch self {
    case .invalid: "config_invalid"
    case .notFound: "config_not_found"
    case .unreadable: "config_unreadable"
    case .databaseNotConfigured: "database_not_configured"
    case .replicasNotConfigured: "replicas_not_configured"
    case .redisNotConfigured: "redis_not_configured"
    }
  }

  public var message: String {
    switch self {
    case .invalid(let problems):
      if let only = problems.first, problems.count == 1 { return only.description }
      return "the configuration has \(problems.count) problems:"
        + problems.map { "\n  " + $0.description }.joined()
    case .notFound(let path): return "the configuration file \(path) does not exist"
    case .unreadable(let path, let reason): return "the configuration file \(path) cannot be read: \(reason)"
    case .databaseNotConfigured: return "no PostgreSQL server is configured"
    case .replicasNotConfigured: return "no replica of the PostgreSQL server is configured"
    case .redisNotConfigured: return "no Redis server is configured"
    }
  }

  public var hint: String? {
    switch self {
    case .invalid: "ironforge config check shows every problem"
    case .notFound: "check --config, or leave it out to use ./ironforge.toml or the defaults"
    case .unreadable: "check the file's type and permissions"
    case .databaseNotConfigured:
      "start a private server with `ironforge sandbox up`, or name yours with --database-url,"
        + " IRONFORGE_DATABASE_URL or database.url in ironforge.toml"
    case .replicasNotConfigured:
      "name its standbys with IRONFORGE_DATABASE_REPLICAS or database.replicas in ironforge.toml, or leave out --from-replica"
    case .redisNotConfigured:
      "start a private server with `ironforge sandbox up`, or name yours with --redis-url,"
        + " IRONFORGE_REDIS_URL or redis.url in ironforge.toml"
    }
  }

  public var kind: FailureKind { .configuration }
}
