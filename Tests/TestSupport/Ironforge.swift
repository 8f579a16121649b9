import Glibc

/// The built command, run as its users run it.
public enum Ironforge {
  /// The path of the binary that was built with these tests; `IRONFORGE_BINARY` names another.
  public static func path() throws -> String {
    if let chosen = getenv("IRONFORGE_BINARY") { return String(cString: chosen) }
    guard let resolved = realpath("/proc/self/exe", nil) else {
      throw TestFailure("/proc/self/exe cannot be read: errno \(errno).")
    }
    defer { free(resolved) }
    let directory = String(cString: resolved).split(separator: "/").dropLast().joined(separator: "/")
    let path = "/\(directory)/ironforge"
    guard access(path, X_OK) == 0 else { throw TestFailure("\(path) is not built.") }
    return path
  }

  /// The command with `arguments`. What the surroundings of the tests say of databases and configuration is
  /// removed, so that only `env` counts; the directory is one without configuration unless given.
  public static func program(
    _ arguments: [String], env: [String: String?] = [:], stdin: String = "", cwd: String? = nil
  ) throws -> Program {
    var environment: [String: String?] = [:]
    for name in inheritedSettings() { environment[name] = .some(nil) }
    environment["HOME"] = "/nonexistent"
    for (name, value) in env { environment[name] = .some(value) }
    return Program(
      try path(), arguments, environment: environment, stdin: stdin,
      directory: try cwd ?? Watchdog.shared.root())
  }

  /// Runs the command to its end.
  public static func run(
    _ arguments: [String], env: [String: String?] = [:], stdin: String = "", cwd: String? = nil,
    timeout: Duration = .seconds(60)
  ) async throws -> ProgramResult {
    try await program(arguments, env: env, stdin: stdin, cwd: cwd).run(timeout: timeout)
  }

  /// Starts the command in the background.
  public static func start(
    _ arguments: [String], env: [String: String?] = [:], stdin: String = "", cwd: String? = nil
  ) async throws -> RunningProgram {
    try await program(arguments, env: env, stdin: stdin, cwd: cwd).start()
  }

  private static func inheritedSettings() -> [String] {
    var names: [String] = []
    var next = environ
    while let entry = next.pointee {
      let name = String(String(cString: entry).prefix { $0 != "=" })
      if name.hasPrefix("PG") || name.hasPrefix("IRONFORGE_") || name.hasPrefix("XDG_")
        || ["DATABASE_URL", "REDIS_URL", "NO_COLOR", "TERM"].contains(name)
      {
        names.append(name)
      }
      next += 1
    }
    return names
  }
}
