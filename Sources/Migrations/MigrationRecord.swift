internal import Postgres
public import Primitives

/// One row of `ironforge.schema_migrations`.
struct MigrationRecord {
  enum State: String {
    /// A migration without transaction was begun and did not end.
    case running
    case applied
    /// Reverting a migration without transaction was begun and did not end.
    case reverting
  }

  let version: Int64
  let name: String
  let checksum: String
  let state: State
  /// How many statements of the unfinished direction are done.
  let progress: Int
  let progressDigest: String
  let appliedAt: Timestamp?
  let durationMilliseconds: Int64?

  init(_ row: Row) throws(PostgresError) {
    version = try row.decode(0)
    name = try row.decode(1)
    checksum = try row.decode(2)
    let text: String = try row.decode(3)
    guard let state = State(rawValue: text) else { throw .decoding("a migration's state is “\(text)”") }
    self.state = state
    progress = Int(try row.decode(4, as: Int32.self))
    progressDigest = try row.decode(5)
    appliedAt = try row.decodeIfPresent(7)
    durationMilliseconds = try row.decodeIfPresent(8)
  }
}

/// Where one migration stands.
public struct MigrationStatus: Sendable, Equatable {
  /// What can be said of a migration. The raw value is what JSON shows.
  public enum State: String, Sendable {
    /// A file that was not applied yet.
    case pending
    case applied
    /// Applied, and the file's up section is another one now.
    case changed
    /// Applied, and there is no file.
    case missingFile = "missing_file"
    /// Applying was interrupted; `up` carries on.
    case running
    /// Reverting was interrupted; `down` carries on.
    case reverting
  }

  public let version: Int64
  public let name: String
  /// Nil where the file is gone.
  public let fileName: String?
  public let state: State
  public let appliedAt: Timestamp?
  /// How long applying took.
  public let durationMilliseconds: Int64?
  /// The checksum that was recorded; nil while pending.
  public let appliedChecksum: String?
  /// The file's checksum; nil where the file is gone.
  public let fileChecksum: String?
}

/// Files and records, matched by version.
struct MigrationLedger {
  struct Entry {
    let version: Int64
    let file: MigrationFile?
    let record: MigrationRecord?
  }

  /// Ordered by version.
  let entries: [Entry]

  init(files: [MigrationFile], records: [MigrationRecord]) {
    var files = files[...]
    var records = records[...]
    var entries: [Entry] = []
    while let next = [files.first?.version, records.first?.version].compactMap({ $0 }).min() {
      let file = files.first?.version == next ? files.popFirst() : nil
      let record = records.first?.version == next ? records.popFirst() : nil
      entries.append(Entry(version: next, file: file, record: record))
    }
    self.entries = entries
  }

  /// The last migration that is recorded.
  var last: MigrationRecord? { entries.last { $0.record != nil }?.record }

  var statuses: [MigrationStatus] {
    entries.map { entry in
      MigrationStatus(
        version: entry.version, name: entry.file?.name ?? entry.record?.name ?? "",
        fileName: entry.file?.fileName, state: entry.state, appliedAt: entry.record?.appliedAt,
        durationMilliseconds: entry.record?.durationMilliseconds, appliedChecksum: entry.record?.checksum,
        fileChecksum: entry.file?.checksum)
    }
  }

  /// What `up` would apply, in order.
  ///
  /// - Throws: `MigrationError` where applying anything would build on something unknown.
  func plan(to target: Int64?) throws(MigrationError) -> [Entry] {
    if let target, !entries.contains(where: { $0.version == target }) { throw .unknownVersion(target) }
    var plan: [Entry] = []
    for entry in entries {
      guard let file = entry.file else {
        throw .missingFile(version: entry.version, name: entry.record?.name ?? "")
      }
      guard let record = entry.record else {
        if let last, last.version > entry.version {
          throw .outOfOrder(file: file.fileName, applied: "\(last.version) (\(last.name))")
        }
        if entry.version <= target ?? .max { plan.append(entry) }
        continue
      }
      switch record.state {
      case .applied:
        guard record.checksum == file.checksum else {
          throw .changed(file: file.fileName, applied: record.checksum, now: file.checksum)
        }
      case .running: plan.append(entry)
      case .reverting: throw .unfinished(file: file.fileName, revert: true)
      }
    }
    return plan
  }

  /// What `down` would revert, last first.
  func planDown(steps: Int) throws(MigrationError) -> [Entry] {
    let recorded = entries.filter { $0.record != nil }
    guard steps >= 0, steps <= recorded.count else {
      throw .tooFewApplied(applied: recorded.count, steps: steps)
    }
    let plan = Array(recorded.suffix(steps).reversed())
    for entry in plan {
      guard let file = entry.file, let record = entry.record else {
        throw .missingFile(version: entry.version, name: entry.record?.name ?? "")
      }
      guard file.down != nil else { throw .irreversible(file: file.fileName) }
      if record.state == .applied, record.checksum != file.checksum {
        throw .changed(file: file.fileName, applied: record.checksum, now: file.checksum)
      }
    }
    return plan
  }
}

extension MigrationLedger.Entry {
  var state: MigrationStatus.State {
    guard let record else { return .pending }
    guard let file else { return .missingFile }
    return switch record.state {
    case .running: .running
    case .reverting: .reverting
    case .applied: record.checksum == file.checksum ? .applied : .changed
    }
  }
}
