public import Primitives

/// An error reply of the server: `-WRONGTYPE Operation against a key holding the wrong kind of value`.
public struct ServerError: Sendable, Hashable {
  /// The first word where it is in capitals (`NOAUTH`, `OOM`, `READONLY`, `MOVED`); otherwise `ERR`.
  public var code: String
  /// The rest of the line.
  public var message: String

  /// An error reply by its parts.
  public init(code: String, message: String) {
    self.code = code
    self.message = message
  }

  /// States of a server that pass by themselves, and in which it did not execute the command.
  var isPassing: Bool { Self.passingCodes.contains(code) }

  private static let passingCodes: Set<String> = ["LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN"]

  /// Splits the text of an error reply, without its leading `-`.
  init(reply: String) {
    let parts = reply.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    let word = parts.first ?? ""
    let isCode = !word.isEmpty && word.utf8.allSatisfy(Self.isCodeByte)
    self.init(
      code: isCode ? String(word) : "ERR", message: isCode ? String(parts.dropFirst().first ?? "") : reply)
  }

  private static func isCodeByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
    default: false
    }
  }
}

/// What can go wrong between a program and Redis.
public enum RedisError: Failure, Equatable {
  /// The URL or a part of it makes no sense.
  case invalidEndpoint(String)
  /// No connection could be made. `endpoint` is the address without login.
  case unreachable(endpoint: String, reason: String)
  /// The server refused the user or the password.
  case loginRefused(endpoint: String, ServerError)
  /// The connection broke. `mayHaveRun` says whether the server may have executed what was not answered.
  case connectionLost(endpoint: String, reason: String, mayHaveRun: Bool)
  /// No answer within the command time-out or the deadline. The connection is given up, because a late reply
  /// would be taken for the reply to the next command.
  case timedOut(endpoint: String, mayHaveRun: Bool)
  /// The server answered with an error.
  case server(ServerError)
  /// The bytes received are no reply, or more came than was asked for.
  case protocolViolation(String)
  /// The reply has another type than the caller expects.
  case unexpectedReply(expected: String, got: String)
  /// A cluster is configured, and the server does not say which slots its nodes serve.
  case notCluster(endpoint: String, ServerError)
  /// In a cluster a command without a key goes to a node that the caller names.
  case needsNode(command: String)
  /// `close()` was called before.
  case closed

  /// `redis_` and the case, or the code that the server sent: `redis_oom`.
  public var code: String {
    switch self {
    case .invalidEndpoint: "redis_url"
    case .unreachable: "redis_unreachable"
    case .loginRefused: "redis_login"
    case .connectionLost: "redis_connection_lost"
    case .timedOut: "redis_timeout"
    case .server(let error): "redis_\(error.code.lowercased())"
    case .protocolViolation: "redis_protocol"
    case .unexpectedReply: "redis_unexpected_reply"
    case .notCluster: "redis_not_cluster"
    case .needsNode: "redis_needs_node"
    case .closed: "redis_closed"
    }
  }

  /// What failed; names the endpoint without its login.
  public var message: String {
    switch self {
    case .invalidEndpoint(let complaint): "the Redis URL is wrong: \(complaint)"
    case .unreachable(let endpoint, let reason): "cannot connect to \(endpoint): \(reason)"
    case .loginRefused(let endpoint, let error):
      "\(endpoint) refused the login: \(error.code) \(error.message)"
    case .connectionLost(let endpoint, let reason, let mayHaveRun):
      "the connection to \(endpoint) broke: \(reason)" + Self.outcome(mayHaveRun)
    case .timedOut(let endpoint, let mayHaveRun):
      "\(endpoint) did not answer in time" + Self.outcome(mayHaveRun)
    case .server(let error): "Redis answered \(error.code): \(error.message)"
    case .protocolViolation(let reason): "Redis sent something that is not its protocol: \(reason)"
    case .unexpectedReply(let expected, let got): "Redis should answer with \(expected), but sent \(got)"
    case .notCluster(let endpoint, let error):
      "\(endpoint) does not know the slots of a cluster: \(error.code) \(error.message)"
    case .needsNode(let command): "\(command) has no key, so a cluster cannot tell which node it is for"
    case .closed: "the Redis connection was closed before"
    }
  }

  private static func outcome(_ mayHaveRun: Bool) -> String {
    mayHaveRun ? "; the command may have been executed" : ""
  }

  /// What to do about it, for the failures that operators meet.
  public var hint: String? {
    switch self {
    case .invalidEndpoint: "use redis://[:password@]host:port/db or unix:///path?db=0"
    case .unreachable, .timedOut: "check that the server runs and that the URL names it"
    case .loginRefused: "check the user and the password of the Redis URL"
    case .server(let error):
      switch error.code {
      case "NOAUTH": "put the password into the Redis URL"
      case "OOM": "raise maxmemory, or set a maxmemory-policy that evicts"
      case "READONLY": "connect to the primary; this server is a replica"
      case "MOVED", "ASK", "CROSSSLOT": "this server is part of a Redis Cluster: set redis.cluster = true"
      case "CLUSTERDOWN": "see CLUSTER INFO and CLUSTER NODES for what the cluster lacks"
      case "MISCONF": "the server cannot write its snapshot; see its log"
      default: nil
      }
    case .notCluster: "set redis.cluster = false, or let the URL name a node of the cluster"
    case .connectionLost, .protocolViolation, .unexpectedReply, .needsNode, .closed: nil
    }
  }

  /// True where the command was certainly not executed and the trouble may pass.
  public var isRetryable: Bool {
    switch self {
    case .unreachable: true
    case .connectionLost(_, _, let mayHaveRun), .timedOut(_, let mayHaveRun): !mayHaveRun
    case .server(let error): error.isPassing
    case .invalidEndpoint, .loginRefused, .protocolViolation, .unexpectedReply, .notCluster, .needsNode,
      .closed:
      false
    }
  }

  /// Whether the connection broke or went silent under a command.
  var isLoss: Bool {
    switch self {
    case .connectionLost, .timedOut: true
    default: false
    }
  }

  /// The exit code: 69 for the connection and for states that pass, 78 for login and URL, 77 for ACL.
  public var kind: FailureKind {
    switch self {
    case .invalidEndpoint, .loginRefused, .notCluster: .configuration
    case .unreachable, .connectionLost, .timedOut: .unreachable
    case .server(let error):
      switch error.code {
      case "NOAUTH", "WRONGPASS", "READONLY", "MOVED", "ASK", "CROSSSLOT": .configuration
      case "NOPERM": .privilege
      // Alive, and not to be had: as good as away. What holds a lock is something else.
      case _ where error.isPassing: .unreachable
      default: .unexpected
      }
    case .protocolViolation, .unexpectedReply, .needsNode, .closed: .unexpected
    }
  }
}
