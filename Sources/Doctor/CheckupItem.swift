public import Primitives

/// One line of the checklist, with what was found.
public struct CheckupItem: Sendable, Equatable {
  /// What came of it.
  public enum Verdict: Sendable, Equatable {
    case good
    case fault(Fix)
    /// Nothing is known that would decide it. Counts as no fault: a check that cannot see must not wake anybody.
    case notJudged
  }

  public let check: Check
  public let verdict: Verdict
  /// A sentence with the numbers that decided.
  public let evidence: String
  /// The same numbers for programs: bytes, seconds, counts and shares, as the names say.
  public let figures: [Figure]

  /// A number of the evidence.
  public struct Figure: Sendable, Equatable {
    public let name: String
    public let value: JSON

    init(_ name: String, _ value: JSON) {
      self.name = name
      self.value = value
    }

    init(_ name: String, _ value: Int64) { self.init(name, .integer(value)) }
    init(_ name: String, _ value: Int) { self.init(name, .integer(Int64(value))) }
    init(_ name: String, seconds value: Double) { self.init(name, .number((value * 1000).rounded() / 1000)) }
    init(_ name: String, share value: Double) { self.init(name, .number((value * 1e4).rounded() / 1e4)) }
  }

  /// Whether nothing has to be done, as far as is known.
  public var isOK: Bool {
    if case .fault = verdict { return false }
    return true
  }

  public var isJudged: Bool { verdict != .notJudged }

  /// What mends it; nil where nothing is wrong.
  public var fix: Fix? {
    if case .fault(let fix) = verdict { return fix }
    return nil
  }
}

/// What mends a fault.
public struct Fix: Sendable, Equatable {
  /// Where its text belongs.
  public enum Kind: String, Sendable {
    /// To psql, on the database that was looked at.
    case sql
    /// To a shell, with the settings that this command had.
    case shell
  }

  public let kind: Kind
  public let text: String

  static func sql(_ text: String) -> Fix { Fix(kind: .sql, text: text) }
  static func shell(_ text: String) -> Fix { Fix(kind: .shell, text: text) }

  /// A setting of ours. The environment comes before the file, so that it holds wherever it is set.
  static func setting(_ section: String, _ key: String, _ value: Int64) -> Fix {
    .shell(
      "export IRONFORGE_\(section)_\(key)=\(value)".uppercased().replacing("EXPORT", with: "export")
        + " # or \(key) in [\(section)] of ironforge.toml")
  }

  /// A server setting that a reload brings in, or that takes a restart.
  static func server(_ setting: String, restart: Bool = false) -> Fix {
    .sql(
      "alter system set \(setting);"
        + (restart ? " -- then restart PostgreSQL" : " select pg_reload_conf();"))
  }
}
