import Glibc

/// The URLs of a running sandbox; nil for a server that does not run.
public typealias SandboxURLs = (database: String?, redis: String?)

/// Where to look for configuration.
public struct ConfigurationRequest: Sendable {
  /// `--database-url`.
  public var databaseURL: String?
  /// `--redis-url`.
  public var redisURL: String?
  /// `--config`.
  public var file: String?
  public var environment: Environment
  /// Where `ironforge.toml` and the sandbox are looked for.
  public var directory: String
  /// The URLs of the sandbox that runs in a directory, nil when none does. Asked only when nothing else names a
  /// server.
  public var sandbox: @Sendable (_ directory: String) throws -> SandboxURLs?
  /// The last file to be looked for.
  public var systemFile = "/etc/ironforge/config.toml"

  public init(
    databaseURL: String? = nil, redisURL: String? = nil, file: String? = nil,
    environment: Environment = .process(), directory: String = ".",
    sandbox: @escaping @Sendable (_ directory: String) throws -> SandboxURLs? = { _ in nil }
  ) {
    self.databaseURL = databaseURL
    self.redisURL = redisURL
    self.file = file
    self.environment = environment
    self.directory = directory
    self.sandbox = sandbox
  }

  /// The configuration file to be read, the first of those that exist.
  ///
  /// - Throws: ``ConfigurationFailure/notFound(path:)`` when `--config` names a file that does not exist,
  ///   ``ConfigurationFailure/unreadable(path:reason:)``.
  func readFile() throws(ConfigurationFailure) -> (path: String, bytes: [UInt8])? {
    if let file {
      guard let bytes = try readConfigurationFile(file) else { throw .notFound(path: file) }
      return (file, bytes)
    }
    for path in searchPath {
      if let bytes = try readConfigurationFile(path) { return (path, bytes) }
    }
    return nil
  }

  private var searchPath: [String] {
    var paths = [directory == "." ? "ironforge.toml" : directory + "/ironforge.toml"]
    // The XDG Base Directory Specification says to ignore a relative path.
    if let base = environment["XDG_CONFIG_HOME"], base.hasPrefix("/") {
      paths.append(base + "/ironforge/config.toml")
    } else if let home = environment["HOME"] {
      paths.append(home + "/.config/ironforge/config.toml")
    }
    return paths + [systemFile]
  }
}

/// The content of the file at `path`, nil when there is none. Reads one byte more than is allowed, so that the
/// caller can tell.
private func readConfigurationFile(_ path: String) throws(ConfigurationFailure) -> [UInt8]? {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else {
    let code = errno
    if code == ENOENT || code == ENOTDIR { return nil }
    throw .unreadable(path: path, reason: String(cString: strerror(code)))
  }
  defer { close(descriptor) }
  var bytes: [UInt8] = []
  let limit = ConfigurationFile.maxBytes + 1
  while bytes.count < limit {
    var status: Int32 = 0
    let chunk = [UInt8](unsafeUninitializedCapacity: min(16_384, limit - bytes.count)) { buffer, count in
      let received = read(descriptor, buffer.baseAddress, buffer.count)
      status = received < 0 ? errno : 0
      count = max(0, received)
    }
    if status == EINTR { continue }
    guard status == 0 else { throw .unreadable(path: path, reason: String(cString: strerror(status))) }
    if chunk.isEmpty { break }
    bytes += chunk
  }
  guard bytes.count < limit else {
    throw .unreadable(path: path, reason: "it is larger than \(ConfigurationFile.maxBytes / 1024) KiB")
  }
  return bytes
}
