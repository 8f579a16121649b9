public import Postgres
internal import Primitives

/// Brings a database to the state that the migration files describe.
///
/// Work is recorded in `ironforge.schema_migrations`, which is made when the first migration is applied. One
/// process at a time migrates a database, by an advisory lock that is polled and never waited for inside the
/// server: a waiting transaction would be one that `CREATE INDEX CONCURRENTLY` waits for in turn.
///
/// ```swift
/// let files = try MigrationDirectory(path: "migrations").files()
/// let migrator = Migrator(session: session, files: files)
/// for file in try migrator.up() { print(file.fileName) }
/// ```
public struct Migrator {
  let session: Session
  let files: [MigrationFile]
  let options: MigrationOptions
  let shouldStop: () -> Bool
  let onEvent: (MigrationEvent) -> Void

  /// - Parameters:
  ///   - session: a session outside a transaction; for `up` and `down` one that no pooler shares.
  ///   - files: as `MigrationDirectory.files()` gives them.
  ///   - shouldStop: asked between statements and while waiting; true ends the work with `CancellationError`, in
  ///     a state from which it can be carried on.
  ///   - onEvent: called while work is done.
  public init(
    session: Session, files: [MigrationFile], options: MigrationOptions = MigrationOptions(),
    shouldStop: @escaping () -> Bool = { false }, onEvent: @escaping (MigrationEvent) -> Void = { _ in }
  ) {
    self.session = session
    self.files = files
    self.options = options
    self.shouldStop = shouldStop
    self.onEvent = onEvent
  }

  /// - Throws: `CancellationError` when the work shall stop.
  func checkStop() throws {
    if shouldStop() { throw CancellationError() }
  }

  /// Where each migration stands. Reads only.
  public func status() throws -> [MigrationStatus] {
    try ledger().statuses
  }

  /// What `up` would apply, in order. Reads only, and fails where `up` would refuse.
  public func plan(to target: Int64? = nil) throws -> [MigrationFile] {
    try ledger().plan(to: target).compactMap(\.file)
  }

  /// What `down` would revert, last first. Reads only, and fails where `down` would refuse.
  public func planDown(steps: Int) throws -> [MigrationFile] {
    try ledger().planDown(steps: steps).compactMap(\.file)
  }

  /// Applies what is pending, up to and including version `target`.
  ///
  /// - Returns: the files that were applied.
  /// - Throws: `MigrationError`, `PostgresError`. What was applied before the failure stays applied.
  @discardableResult
  public func up(to target: Int64? = nil) throws -> [MigrationFile] {
    try locked {
      // Nothing is written for a plan that is refused or empty.
      var plan = try ledger().plan(to: target)
      if plan.isEmpty { return [] }
      try createRecordsIfMissing()
      plan = try ledger().plan(to: target)
      for entry in plan { try MigrationRun(self, entry, revert: false).run() }
      return plan.compactMap(\.file)
    }
  }

  /// Reverts the last `steps` migrations.
  ///
  /// - Returns: the files that were reverted, last first.
  /// - Throws: as `up` does.
  @discardableResult
  public func down(steps: Int) throws -> [MigrationFile] {
    try locked {
      let plan = try ledger().planDown(steps: steps)
      for entry in plan { try MigrationRun(self, entry, revert: true).run() }
      return plan.compactMap(\.file)
    }
  }

  /// Everything that is not as the files and the records say. Reads only.
  public func verify() throws -> [MigrationFinding] {
    let ledger = try ledger()
    var findings = ledger.entries.compactMap { finding($0, last: ledger.last) }
    for row in try session.query(MigrationStatements.invalidIndexes()) {
      let index: String = try row.decode(0)
      findings.append(
        MigrationFinding(
          kind: .invalidIndex, version: nil, subject: index,
          message: "\(index) is invalid: queries cannot use it, and writes pay for it"))
    }
    return findings
  }

  private func finding(_ entry: MigrationLedger.Entry, last: MigrationRecord?) -> MigrationFinding? {
    let subject = entry.file?.fileName ?? entry.record?.name ?? ""
    func found(_ kind: MigrationFinding.Kind, _ message: String) -> MigrationFinding {
      MigrationFinding(kind: kind, version: entry.version, subject: subject, message: message)
    }
    switch entry.state {
    case .applied: return nil
    case .pending:
      guard let last, last.version > entry.version else {
        return found(.pending, "\(subject) is not applied")
      }
      return found(
        .outOfOrder,
        MigrationError.outOfOrder(file: subject, applied: "\(last.version) (\(last.name))").message)
    case .changed:
      let error = MigrationError.changed(
        file: subject, applied: entry.record?.checksum ?? "", now: entry.file?.checksum ?? "")
      return found(.changed, error.message)
    case .missingFile:
      return found(.missingFile, MigrationError.missingFile(version: entry.version, name: subject).message)
    case .running, .reverting:
      let error = MigrationError.unfinished(file: subject, revert: entry.state == .reverting)
      return found(.unfinished, error.message)
    }
  }

  /// Files and records in one snapshot that can write nothing.
  private func ledger() throws -> MigrationLedger {
    let records = try session.transaction(.snapshot) {
      let exists = try session.query(MigrationStatements.recordsExist())
      guard try exists[0].decode(0, as: Bool.self) else { return [MigrationRecord]() }
      return try session.query(MigrationStatements.records()).map { row in try MigrationRecord(row) }
    }
    return MigrationLedger(files: files, records: records)
  }

  private func createRecordsIfMissing() throws {
    try session.transaction {
      if try session.query(MigrationStatements.recordsExist())[0].decode(0) { return }
      let hasSchema: Bool = try session.query(MigrationStatements.schemaExists())[0].decode(0)
      if !hasSchema { try session.query(MigrationStatements.createSchema()) }
      try session.query(MigrationStatements.createRecords())
    }
  }
}
