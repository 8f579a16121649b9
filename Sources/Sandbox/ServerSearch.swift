import Glibc

/// The programs of one installed PostgreSQL: `postgres`, `initdb`, `pg_ctl` and `psql`.
struct PostgresPrograms: Sendable, Equatable {
  let directory: String
  /// Major version, as in `PG_VERSION` of a data directory.
  let version: String

  func path(of program: String) -> String { directory + "/" + program }

  /// Whether `pg_stat_statements` can be preloaded: a server without contrib would not start with it.
  var hasStatStatements: Bool {
    ["/../lib/", "/../lib/postgresql/", "/../lib64/"].contains {
      Files.exists(directory + $0 + "pg_stat_statements.so")
    }
  }
}

/// Where the servers are looked for: `IRONFORGE_PG_BIN` (PostgreSQL only), `PATH`, then the packages' own places.
struct ServerSearch: Sendable {
  /// The value of `IRONFORGE_PG_BIN`, which excludes every other place.
  var chosen: String?
  /// The directories of `PATH`.
  var path: [String]
  /// Debian's and Ubuntu's directory, with one directory a version, newest taken first.
  var packagedPostgres = "/usr/lib/postgresql"
  /// Where `redis-server` may be although `PATH` does not say so, as in cron.
  var packagedRedis = ["/usr/bin", "/usr/local/bin", "/usr/sbin"]

  /// The search that the environment of this process asks for.
  static func current() -> ServerSearch {
    ServerSearch(
      chosen: variable("IRONFORGE_PG_BIN"),
      path: (variable("PATH") ?? "").split(separator: ":").map(String.init).filter { $0.hasPrefix("/") })
  }

  /// The newest PostgreSQL, or the one that made the data, `data` being its major version.
  func postgres(forData data: String?) throws(SandboxFailure) -> PostgresPrograms {
    if let chosen {
      guard let found = programs(at: chosen) else {
        throw missingPostgres(searched: "IRONFORGE_PG_BIN (\(chosen))")
      }
      guard data == nil || data == found.version else {
        throw .versionMissing(data: data ?? "", installed: [found.version])
      }
      return found
    }
    let installed = (path + packagedDirectories()).compactMap(programs(at:))
    guard let newest = installed.first else {
      throw missingPostgres(searched: "PATH and \(packagedPostgres)/*/bin")
    }
    guard let data else { return newest }
    guard let match = installed.first(where: { $0.version == data }) else {
      throw .versionMissing(data: data, installed: installed.map(\.version))
    }
    return match
  }

  /// The path of `redis-server`.
  func redis() throws(SandboxFailure) -> String {
    for directory in path + packagedRedis {
      let path = directory + "/redis-server"
      if Files.isExecutable(path) { return path }
    }
    throw .serverMissing(program: "redis-server", package: "redis-server", searched: "PATH")
  }

  private func missingPostgres(searched: String) -> SandboxFailure {
    .serverMissing(program: "a PostgreSQL server", package: "postgresql", searched: searched)
  }

  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  private func packagedDirectories() -> [String] {
    guard let directory = opendir(packagedPostgres) else { return [] }
    defer { closedir(directory) }
    var versions: [Int] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let version = Int(name) { versions.append(version) }
    }
    return versions.sorted(by: >).map { "\(packagedPostgres)/\($0)/bin" }
  }

  private func programs(at place: String) -> PostgresPrograms? {
    // A place without the program is not the one. Links in PATH are followed: beside the real program lie the others of the same version, and its libraries.
    guard let program = try? Files.realPath(place + "/postgres"),
      let slash = program.lastIndex(of: "/")
    else { return nil }
    let directory = String(program[..<slash])
    guard ["postgres", "initdb", "pg_ctl", "psql"].allSatisfy({ Files.isExecutable("\(directory)/\($0)") }),
      let version = version(of: directory)
    else { return nil }
    return PostgresPrograms(directory: directory, version: version)
  }

  // Debian's directory names the version; elsewhere the program is asked.
  private func version(of directory: String) -> String? {
    let parts = directory.split(separator: "/")
    if parts.count >= 2, parts[parts.count - 1] == "bin", let major = Int(parts[parts.count - 2]) {
      return String(major)
    }
    return askVersion(directory)
  }

  // `pg_ctl --version` prints "pg_ctl (PostgreSQL) 15.8 (Debian …)".
  private func askVersion(_ directory: String) -> String? {
    let quoted = directory.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
    guard let pipe = popen("'\(quoted)/pg_ctl' --version", "re") else { return nil }
    defer { pclose(pipe) }
    var buffer = [CChar](repeating: 0, count: 256)
    guard fgets(&buffer, Int32(buffer.count), pipe) != nil else { return nil }
    let line = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    let words = line.split(separator: " ")
    guard words.count >= 3 else { return nil }
    let major = words[2].prefix { $0.isNumber }
    return major.isEmpty ? nil : String(major)
  }
}
