/// What an audit holds against a key.
public struct AuditFinding: Sendable, Hashable {
  /// What is wrong with the key.
  public enum Kind: String, Sendable, CaseIterable {
    /// The value is not what the row says.
    case stale
    /// A row without a value.
    case missing
    /// A value without a row.
    case orphaned
  }

  /// How it came to that, as far as can be told.
  public enum Cause: String, Sendable {
    /// The write could not fence its keys in Redis; they wait in the outbox.
    case outboxPending = "outbox_pending"
    /// No write of IronForge fenced the key: another program wrote the row, or the value.
    case unfencedWrite = "unfenced_write"
    /// The cache remembers that there is no row, and there is one.
    case rowCreated = "row_created"
    /// The row was deleted by a program that does not fence.
    case rowDeleted = "row_deleted"
    /// The key holds something else than a value.
    case foreignType = "foreign_type"
    /// A write has taken the value away, and nobody has read it since.
    case invalidated
    /// It was never filled, or its life was over.
    case notFilled = "not_filled"
  }

  /// The key as it stands in Redis.
  public let key: String
  /// What is wrong.
  public let kind: Kind
  /// How it came to that.
  public let cause: Cause
  /// How long ago the value was filled, in milliseconds; nil where that is not known.
  public let ageMilliseconds: Int64?
  /// What the value has left; nil without a value or for one without an end.
  public let timeLeft: Duration?
}

/// What an audit came to.
public struct AuditTally: Sendable {
  /// The most findings that are kept; the rest is counted.
  public static let findingsMax = 100

  /// Comparisons of a key with a row that counted: once for each row, or value without one. While Redis resizes its table
  /// SCAN may hand out a value twice; one that is fresh then counts twice here, one that is not once.
  public internal(set) var checked = 0
  /// Values that are what the rows say.
  public internal(set) var fresh = 0
  /// Findings by kind.
  public internal(set) var counts: [AuditFinding.Kind: Int] = [:]
  /// The first of them, those that are stale before those that are missing.
  public internal(set) var findings: [AuditFinding] = []

  /// Keys of Redis that something is held against, so that one that SCAN repeats counts once. Bounded, at some 10 MB: beyond it
  /// repetitions count.
  private var found: Set<String> = []
  private static let foundMax = 100_000

  /// How many findings are not listed.
  public var unlisted: Int { counts.values.reduce(0, +) - findings.count }

  /// - Parameter isRepeatable: whether the key came out of a scan of Redis; a walk over rows gives each once.
  mutating func add(_ finding: AuditFinding, isRepeatable: Bool) {
    if isRepeatable, found.count < Self.foundMax {
      guard found.insert(finding.key).inserted else { return }
    } else if found.contains(finding.key) {
      return
    }
    checked += 1
    counts[finding.kind, default: 0] += 1
    if findings.count < Self.findingsMax {
      findings.append(finding)
    } else if finding.kind != .missing, let place = findings.lastIndex(where: { $0.kind == .missing }) {
      // A thousand keys that nobody has read must not hide one that is wrong.
      findings.remove(at: place)
      findings.append(finding)
    }
  }
}
