/// The configuration of this run: every value with its origin, and what was wrong.
public struct LoadedConfiguration: Sendable {
  /// The values. Where a setting was wrong it holds the default; ``validated()`` refuses those.
  public private(set) var values = Configuration()
  /// The file that was read.
  public private(set) var file: String?
  /// Everything that is wrong, in the order of the file.
  public private(set) var problems: [ConfigurationProblem] = []
  /// What looks like a slip but harms nothing.
  public private(set) var warnings: [String] = []

  private var origins: [String: Origin] = [:]
  private var minimumPosition: TextPosition?
  private let request: ConfigurationRequest

  /// Reads flags, environment and file.
  ///
  /// - Throws: ``ConfigurationFailure`` when there is a file that cannot be read. Wrong values do not throw here, so
  ///   that they can all be shown.
  public static func load(_ request: ConfigurationRequest) throws(ConfigurationFailure) -> LoadedConfiguration
  {
    var loaded = LoadedConfiguration(request: request)
    if let (path, bytes) = try request.readFile() {
      loaded.apply(ConfigurationFile(path: path, bytes: bytes))
    }
    loaded.applyFallbackURLs()
    loaded.applyEnvironment()
    loaded.applyFlag(request.databaseURL, "database", "--database-url")
    loaded.applyFlag(request.redisURL, "redis", "--redis-url")
    loaded.checkTogether()
    return loaded
  }

  private init(request: ConfigurationRequest) {
    self.request = request
  }

  /// Itself, when nothing is wrong.
  ///
  /// - Throws: ``ConfigurationFailure/invalid(_:)`` with all problems.
  public func validated() throws(ConfigurationFailure) -> LoadedConfiguration {
    guard problems.isEmpty else { throw .invalid(problems) }
    return self
  }

  /// Where the value of `setting` came from.
  public func origin(of setting: Setting) -> Origin { origins[setting.name] ?? .default }

  // MARK: Servers

  /// How to reach PostgreSQL. An empty string from `libpq` means that libpq finds its own `PG*` variables.
  ///
  /// - Throws: ``ConfigurationFailure/databaseNotConfigured``, or what the look for a sandbox throws.
  public func database() throws -> Sourced<String> {
    guard let found = try findDatabase() else { throw ConfigurationFailure.databaseNotConfigured }
    return found
  }

  /// How to reach Redis; nil when nothing names one, which is fine for commands that need none.
  public func findRedis() throws -> Sourced<String>? {
    if !values.redis.url.isEmpty { return Sourced(values.redis.url, from: origins["redis.url"] ?? .default) }
    guard let url = try request.sandbox(request.directory)?.redis else { return nil }
    return Sourced(url, from: .sandbox)
  }

  /// How to reach Redis, for commands that need it.
  ///
  /// - Throws: ``ConfigurationFailure/redisNotConfigured``.
  public func redis() throws -> Sourced<String> {
    guard let found = try findRedis() else { throw ConfigurationFailure.redisNotConfigured }
    return found
  }

  /// As ``database()``, nil when nothing names a server.
  public func findDatabase() throws -> Sourced<String>? {
    if !values.database.url.isEmpty {
      return Sourced(values.database.url, from: origins["database.url"] ?? .default)
    }
    if Self.libpqVariables.contains(where: { request.environment[$0] != nil }) {
      return Sourced("", from: .libpq)
    }
    guard let url = try request.sandbox(request.directory)?.database else { return nil }
    return Sourced(url, from: .sandbox)
  }

  // The variables that say which server is meant; PGPASSWORD or PGSSLMODE alone do not.
  private static let libpqVariables = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"]

  // MARK: Sources, from the weakest to the strongest

  private mutating func apply(_ file: ConfigurationFile) {
    self.file = file.path
    problems += file.problems
    for value in file.values {
      if let fault = value.setting.store(value.value, in: &values) {
        problems.append(file.problem(with: value, fault))
      } else if value.value != .text("") {
        origins[value.setting.name] = .file(path: file.path, line: value.position?.line)
        if value.setting.name == "database.min_connections" { minimumPosition = value.position }
      }
    }
    problems.sort { ($0.position ?? .start) < ($1.position ?? .start) }
  }

  /// `DATABASE_URL` and `REDIS_URL` come after the file: they are often set for another program.
  private mutating func applyFallbackURLs() {
    for setting in Setting.all where setting.key == "url" && setting.value(in: values) == .text("") {
      applyVariable(setting.section.uppercased() + "_URL", to: setting)
    }
  }

  private mutating func applyEnvironment() {
    let names = request.environment.names.filter { $0.hasPrefix("IRONFORGE_") }
    if names.isEmpty { return }
    for setting in Setting.all { applyVariable(setting.environmentName, to: setting) }
    let known = Setting.all.map(\.environmentName)
    let prefixes = Setting.sections.map { "IRONFORGE_\($0.uppercased())_" }
    // A warning, not a problem: container platforms invent such names for their own links.
    for name in names.sorted() where !known.contains(name) && prefixes.contains(where: name.hasPrefix) {
      let suggestion = nearest(to: name, among: known).map { " (did you mean \($0)?)" } ?? ""
      warnings.append("the environment variable \(name) names no setting\(suggestion)")
    }
  }

  private mutating func applyVariable(_ name: String, to setting: Setting) {
    guard let text = request.environment[name] else { return }
    guard let value = setting.value(fromText: text) else {
      problems.append(ConfigurationProblem(name, "must be \(setting.typeName)"))
      return
    }
    if let fault = setting.store(value, in: &values) {
      problems.append(ConfigurationProblem(name, fault))
    } else {
      origins[setting.name] = .environment(name)
    }
  }

  private mutating func applyFlag(_ text: String?, _ section: String, _ flag: String) {
    guard let text, let setting = Setting.all.first(where: { $0.section == section && $0.key == "url" })
    else {
      return
    }
    if let fault = text.isEmpty ? "must not be empty" : setting.store(.text(text), in: &values) {
      problems.append(ConfigurationProblem(flag, fault))
    } else {
      origins[setting.name] = .flag
    }
  }

  /// The rules that concern two settings.
  private mutating func checkTogether() {
    let (minimum, maximum) = (values.database.minConnections, values.database.maxConnections)
    guard minimum > maximum else { return }
    let message = "database.min_connections (\(minimum)) must not exceed max_connections (\(maximum))"
    switch origins["database.min_connections"] {
    case .environment(let name): problems.append(ConfigurationProblem(name, message))
    case .file(let path, _): problems.append(ConfigurationProblem(path, at: minimumPosition, message))
    // Somebody who asks for a small pool need not ask for a small minimum as well.
    default: values.database.minConnections = maximum
    }
  }
}

extension TextPosition {
  fileprivate static let start = TextPosition(line: 0, column: 0)
}
