internal import Postgres
internal import Primitives

/// Applies or reverts one migration, with retries where a lock is not to be had.
struct MigrationRun {
  private let migrator: Migrator
  private let file: MigrationFile
  private let section: MigrationFile.Section
  private let record: MigrationRecord?
  private let revert: Bool

  private var session: Session { migrator.session }

  init(_ migrator: Migrator, _ entry: MigrationLedger.Entry, revert: Bool) throws(MigrationError) {
    guard let file = entry.file else { throw .missingFile(version: entry.version, name: "") }
    guard let section = revert ? file.down : file.up else { throw .irreversible(file: file.fileName) }
    self.migrator = migrator
    self.file = file
    self.section = section
    self.revert = revert
    record = entry.record
  }

  func run() throws {
    migrator.onEvent(.started(file: file.fileName, revert: revert))
    let start = monotonicNanoseconds()
    var done = try resumePoint()
    // What was interrupted may have happened without being recorded.
    var wasInterrupted = record.map { $0.state == (revert ? .reverting : .running) } ?? false
    var attempt = 1
    while true {
      do {
        try attemptOnce(&done, &wasInterrupted, start)
        break
      } catch let error as MigrationError {
        guard case .failed(_, _, _, let cause) = error, isWorthRetrying(cause), session.isOpen,
          attempt < migrator.options.attemptsMax
        else { throw error }
        let delay = Duration.milliseconds(min(200 << min(attempt - 1, 5), 5000) + Int.random(in: 0..<100))
        migrator.onEvent(.retrying(file: file.fileName, reason: cause.message, delay: delay))
        try migrator.sleep(for: delay)
        attempt += 1
        wasInterrupted = true
      }
    }
    migrator.onEvent(
      .finished(file: file.fileName, revert: revert, milliseconds: milliseconds(since: start)))
  }

  /// A lock time-out, a deadlock or a serialization failure: gone, perhaps, at the next attempt.
  private func isWorthRetrying(_ error: PostgresError) -> Bool {
    ["55P03", "40P01", "40001"].contains(error.sqlState)
  }

  /// How many statements an earlier run has done.
  private func resumePoint() throws(MigrationError) -> Int {
    guard let record, record.state == (revert ? .reverting : .running) else { return 0 }
    let now = section.digest(ofFirst: record.progress)
    guard
      record.progress == 0 || (record.progress <= section.statements.count && now == record.progressDigest)
    else { throw .changed(file: file.fileName, applied: record.progressDigest, now: now) }
    return record.progress
  }

  private func attemptOnce(_ done: inout Int, _ wasInterrupted: inout Bool, _ start: Int64) throws {
    try session.withStatementTimeout(migrator.options.statementTimeout) {
      do {
        // A role that is called as a schema, such as ironforge, would put its tables there: the default
        // search_path begins with "$user".
        try session.simple("set search_path = public")
        if section.isTransactional {
          try runInTransaction(from: done, start)
        } else {
          try runOneByOne(&done, &wasInterrupted, start)
        }
      } catch {
        session.rollback()
        if session.isOpen { try resetSettings() }
        throw error
      }
      try resetSettings()
    }
  }

  private func runInTransaction(from done: Int, _ start: Int64) throws {
    try session.transaction {
      try setLockTimeout(local: true, migrator.options.lockTimeout)
      let statements = section.statements.dropFirst(done)
      for statement in statements { try execute(statement) }
      // What is deferred would fail at the COMMIT, where no place in the file could be named.
      if let last = statements.last { try execute("set constraints all immediate", for: last) }
      // The record belongs to who connected, whatever role the statements took on.
      try session.simple("reset session authorization; reset role")
      try recordEnd(start)
    }
  }

  private func runOneByOne(_ done: inout Int, _ wasInterrupted: inout Bool, _ start: Int64) throws {
    if revert {
      if record?.state != .reverting, done == 0 {
        try session.query(MigrationStatements.reverting(file.version))
      }
    } else {
      try session.query(MigrationStatements.begun(file.version, file.name, file.checksum))
    }
    while done < section.statements.count {
      let statement = section.statements[done]
      try executeAlone(statement, wasInterrupted: wasInterrupted)
      wasInterrupted = false
      done += 1
      try session.query(
        MigrationStatements.progressed(
          file.version, Int32(clamping: done), section.digest(ofFirst: done)))
    }
    try recordEnd(start)
  }

  private func recordEnd(_ start: Int64) throws {
    if revert {
      try session.query(MigrationStatements.reverted(file.version))
    } else {
      try session.query(
        MigrationStatements.applied(file.version, file.name, file.checksum, milliseconds(since: start)))
    }
  }

  /// One statement outside a transaction. When it builds an index, what an interrupted build left behind is
  /// dropped first.
  private func executeAlone(_ statement: SQLStatement, wasInterrupted: Bool) throws {
    let kind = statement.kind
    // Who builds concurrently waits for old transactions, and nobody who reads or writes waits for it.
    let waitsFreely = kind != .other
    try setLockTimeout(local: false, waitsFreely ? .zero : migrator.options.lockTimeout)
    if case .createIndexConcurrently(let index?, let table) = kind { try dropInvalid(index, of: table) }
    do {
      try execute(statement)
    } catch let error as MigrationError {
      guard wasInterrupted, case .failed(_, _, _, let cause) = error else { throw error }
      switch (kind, cause.sqlState) {
      // duplicate_table, undefined_object: the interrupted attempt got through after all.
      case (.createIndexConcurrently, "42P07"), (.dropIndexConcurrently, "42704"): return
      default: throw error
      }
    }
  }

  private func dropInvalid(_ index: String, of table: [String]) throws {
    var parts: [String] = []
    for part in table { parts.append(try session.quoted(identifier: part)) }
    let rows = try session.query(
      MigrationStatements.invalidIndexNamed(parts.joined(separator: "."), index))
    for row in rows {
      let name: String = try row.decode(0)
      try session.simple("drop index concurrently if exists \(name)")
      migrator.onEvent(.droppedInvalidIndex(name))
    }
  }

  private func execute(_ statement: SQLStatement) throws {
    try execute(statement.text, for: statement)
  }

  /// Failures are placed in the file, apart from a cancellation: that is no fault of it.
  private func execute(_ sql: String, for statement: SQLStatement) throws {
    try migrator.checkStop()
    do throws(PostgresError) {
      try session.simple(sql)
    } catch {
      if case .cancelled = error { throw error }
      var position: Int?
      if case .server(let error) = error { position = error.position }
      let place = statement.location(ofPosition: position)
      throw MigrationError.failed(file: file.fileName, line: place.line, column: place.column, error)
    }
  }

  private func setLockTimeout(local: Bool, _ timeout: Duration) throws {
    try session.simple("set \(local ? "local " : "")lock_timeout = \(timeout.settingMilliseconds)")
  }

  /// What a migration set must not reach the next one.
  private func resetSettings() throws {
    try session.simple("reset session authorization; reset role; reset all")
    let timeout = migrator.options.statementTimeout.settingMilliseconds
    try session.simple("set statement_timeout = \(timeout)")
  }

  private func milliseconds(since start: Int64) -> Int64 {
    (monotonicNanoseconds() - start) / 1_000_000
  }
}
