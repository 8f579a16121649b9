/// Where a value came from.
public enum Origin: Sendable, Equatable, CustomStringConvertible {
  /// A flag of the command line.
  case flag
  /// The environment variable of this name.
  case environment(String)
  /// The configuration file, and the line in it where it is known.
  case file(path: String, line: Int?)
  /// Nothing named a value.
  case `default`
  /// The sandbox that runs in this directory.
  case sandbox
  /// libpq's own `PG*` variables or service file.
  case libpq

  /// As `config show` prints it: `file ironforge.toml:3`.
  public var description: String {
    switch self {
    case .flag: "flag"
    case .environment(let name): "environment \(name)"
    case .file(let path, let line): "file \(path)" + (line.map { ":\($0)" } ?? "")
    case .default: "default"
    case .sandbox: "sandbox"
    case .libpq: "libpq"
    }
  }
}

/// A value and where it came from.
public struct Sourced<Value: Sendable & Equatable>: Sendable, Equatable {
  /// The value.
  public let value: Value
  /// Where it came from.
  public let origin: Origin

  /// `value`, which came from `origin`.
  public init(_ value: Value, from origin: Origin) {
    self.value = value
    self.origin = origin
  }
}
