@preconcurrency import Glibc

/// The environment variables of a process, as a value, so that tests need not change their own.
public struct Environment: Sendable {
  private let values: [String: String]

  /// Exactly `values`.
  public init(_ values: [String: String]) {
    self.values = values
  }

  /// The variables of this process that configuration can come from. One pass: a process may have hundreds of
  /// others, and bytes that are no UTF-8 are nobody's setting.
  public static func process() -> Environment {
    var values: [String: String] = [:]
    var entry = environ
    while let variable = entry.pointee {
      defer { entry += 1 }
      guard isRelevant(variable), let separator = strchr(variable, Int32(UInt8(ascii: "="))) else { continue }
      let name = UnsafeBufferPointer(start: variable, count: separator - variable)
      guard let key = String(validating: name.lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self),
        let value = String(validatingCString: separator + 1)
      else { continue }
      values[key] = value
    }
    return Environment(values)
  }

  /// The value of `name`; nil when it is unset or empty, as an empty variable means nothing in a crontab either.
  public subscript(name: String) -> String? {
    guard let value = values[name], !value.isEmpty else { return nil }
    return value
  }

  /// Whether no variable concerns IronForge's own settings.
  var names: some Collection<String> { values.keys }

  private static func isRelevant(_ variable: UnsafePointer<CChar>) -> Bool {
    prefixes.contains { strncmp(variable, $0, $0.utf8.count) == 0 }
  }

  private static let prefixes = [
    "IRONFORGE_", "PG", "DATABASE_URL=", "REDIS_URL=", "HOME=", "XDG_CONFIG_HOME=",
  ]
}
