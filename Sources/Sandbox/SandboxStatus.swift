/// How to reach the servers of a sandbox of which at least one runs. The other may have died: it is away then, and not
/// unknown, because a write that knew of no Redis would fence nothing.
public struct SandboxAddresses: Sendable, Equatable {
  /// libpq URI of the database `ironforge`, with its role, or nil when PostgreSQL was never started.
  public let databaseURL: String?
  /// `unix://` URL of Redis, or nil when Redis was never started.
  public let redisURL: String?

  /// The two variables that every command of IronForge reads, in the order in which they are printed.
  public var environment: [(name: String, value: String)] {
    [("IRONFORGE_DATABASE_URL", databaseURL), ("IRONFORGE_REDIS_URL", redisURL)]
      .compactMap { name, value in value.map { (name: name, value: $0) } }
  }

  /// One `export` a line, quoted for `eval "$(ironforge sandbox env)"` in any POSIX shell.
  public var shellExports: String {
    environment.map { "export \($0.name)=\(Self.quoted($0.value))\n" }.joined()
  }

  init(layout: Layout, postgres: Bool, redis: Bool) {
    // The role is explicit because libpq would otherwise take the caller's login name.
    databaseURL =
      postgres
      ? "postgresql:///ironforge?host=\(Self.percentEncoded(layout.sockets))&user=ironforge" : nil
    redisURL = redis ? "unix://\(Self.percentEncoded(layout.redisSocket))?db=0" : nil
  }

  // POSIX.1-2017, Shell Command Language, 2.2.2: nothing is special between single quotes but the quote.
  private static func quoted(_ value: String) -> String {
    "'" + value.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }

  // RFC 3986: the unreserved characters and the slash stand for themselves.
  private static func percentEncoded(_ path: String) -> String {
    var out = ""
    for byte in path.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "~"):
        out.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        out += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
      }
    }
    return out
  }
}

/// What a sandbox is doing.
public struct SandboxStatus: Sendable {
  /// One server of the sandbox.
  public struct Server: Sendable, Equatable {
    /// Which server it is.
    public let server: SandboxServer
    /// The process that listens, or nil when none does.
    public let processID: Int32?
    /// The path of its socket.
    public let socket: String
    /// The path of its log.
    public let log: String
    /// The directory of its data.
    public let data: String

    /// Whether a process listens on the socket.
    public var isRunning: Bool { processID != nil }
  }

  /// The directory whose sandbox it is.
  public let directory: String
  /// Both servers, PostgreSQL first; empty when the directory has never had a sandbox.
  public let servers: [Server]
  /// How to reach what runs.
  public let addresses: SandboxAddresses?
  /// The servers that this call started; empty when they ran already.
  public var started: [SandboxServer] = []
  /// The servers that this call stopped.
  public var stopped: [SandboxServer] = []

  /// Whether anything runs.
  public var isRunning: Bool { servers.contains(where: \.isRunning) }
}
