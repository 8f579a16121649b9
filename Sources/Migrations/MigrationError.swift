public import Postgres
public import Primitives

/// Why migrations could not be read, applied or reverted.
public enum MigrationError: Failure {
  /// The directory cannot be read, or a file in it.
  case unreadable(path: String, reason: String)
  /// The file's name is not `NNNN_name.sql`.
  case malformedName(file: String)
  /// The name for a new migration cannot be used.
  case unusableName(String)
  /// Two files have the same number.
  case duplicateVersion(first: String, second: String)
  /// The file's text is not a migration.
  case malformed(file: String, line: Int, String)
  /// The file is not what was applied (or begun) any more.
  case changed(file: String, applied: String, now: String)
  /// A migration is recorded and its file is gone.
  case missingFile(version: Int64, name: String)
  /// A file that was not applied has a lower number than one that was.
  case outOfOrder(file: String, applied: String)
  /// A migration without transaction was left half done, and the opposite was asked for now.
  case unfinished(file: String, revert: Bool)
  /// The file has no down section.
  case irreversible(file: String)
  /// No file has the number.
  case unknownVersion(Int64)
  /// Fewer migrations are applied than shall be reverted.
  case tooFewApplied(applied: Int, steps: Int)
  /// Another process is migrating this database.
  case locked(holder: String?)
  /// The session goes through a pooler that cannot hold a lock for a session.
  case pooled
  /// A statement failed.
  case failed(file: String, line: Int, column: Int, PostgresError)

  public var code: String {
    switch self {
    case .unreadable: "migrations_unreadable"
    case .malformedName, .malformed: "migration_malformed"
    case .unusableName: "migration_name_invalid"
    case .duplicateVersion: "migration_duplicate"
    case .changed: "migration_changed"
    case .missingFile: "migration_file_missing"
    case .outOfOrder: "migration_out_of_order"
    case .unfinished: "migration_unfinished"
    case .irreversible: "migration_irreversible"
    case .unknownVersion, .tooFewApplied: "migration_not_found"
    case .locked: "migration_lock_busy"
    case .pooled: "migration_needs_direct_connection"
    case .failed: "migration_failed"
    }
  }

  public var message: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): \(reason)"
    case .malformedName(let file): "\(file) is not named like a migration: NNNN_name.sql"
    case .unusableName(let name):
      "“\(name)” cannot name a migration; use up to 80 letters a to z, digits and underscores"
    case .duplicateVersion(let first, let second): "\(first) and \(second) have the same number"
    case .malformed(let file, let line, let reason): "\(file):\(line): \(reason)"
    case .changed(let file, let applied, let now):
      "\(file) was changed after it was applied: its checksum was \(applied) and is \(now)"
    case .missingFile(let version, let name):
      "migration \(version) (\(name)) is applied, and its file is not there"
    case .outOfOrder(let file, let applied):
      "\(file) is not applied, although \(applied), which comes after it, is"
    case .unfinished(let file, let revert):
      "\(file) was left half \(revert ? "reverted" : "applied") by an interruption"
    case .irreversible(let file): "\(file) cannot be reverted: it has no section -- migrate: down"
    case .unknownVersion(let version): "there is no migration \(version)"
    case .tooFewApplied(let applied, let steps):
      "\(steps) migrations cannot be reverted where \(applied) are applied"
    case .locked(let holder):
      "another process is migrating this database" + (holder.map { ": \($0)" } ?? "")
    case .pooled:
      "migrations need a connection of their own, and this one goes through a pooler in transaction mode"
    case .failed(let file, let line, let column, let error):
      "\(file):\(line):\(column): \(error.message)"
    }
  }

  public var hint: String? {
    switch self {
    case .unreadable: "check that the path is right, and that this user may read it"
    case .malformedName: "rename it, or move it out of the directory"
    case .unusableName: "such as: add_wallet_labels"
    case .duplicateVersion: "give one of them the next free number"
    case .malformed: nil
    case .changed: "restore the file, and put what is new into a new migration: ironforge migrate new NAME"
    case .missingFile: "use the directory that the database was migrated with, or restore the file"
    case .outOfOrder: "rename it to the next free number"
    case .unfinished(_, let revert):
      "finish it first: ironforge migrate \(revert ? "down" : "up")"
    case .irreversible: "write a new migration that undoes it"
    case .unknownVersion: "list them: ironforge migrate status"
    case .tooFewApplied: "list them: ironforge migrate status"
    case .locked:
      "wait for it with --lock-wait SECONDS; a run that was killed holds the lock until its statement ends"
    case .pooled: "give the server's own address and port in the database URL for this command"
    case .failed(_, _, _, let error):
      error.code == "lock_timeout"
        ? "a transaction held the lock all the time; find it in pg_stat_activity and run the command again"
        : error.detailAndHint
    }
  }

  public var isRetryable: Bool {
    switch self {
    case .locked: true
    case .failed(_, _, _, let error): error.isRetryable
    default: false
    }
  }

  public var kind: FailureKind {
    switch self {
    case .unreadable, .changed, .missingFile, .outOfOrder, .pooled: .configuration
    case .malformedName, .duplicateVersion, .malformed: .malformedInput
    case .unusableName, .unknownVersion: .usage
    case .unfinished, .irreversible, .tooFewApplied: .refused
    case .locked: .busy
    case .failed(_, _, _, let error):
      switch error.kind {
      case .privilege, .busy, .unreachable: error.kind
      // A statement that names what is not there, or cannot be parsed, is a fault of the file.
      default: error.sqlState?.hasPrefix("42") == true ? .malformedInput : .unexpected
      }
    }
  }
}

extension PostgresError {
  /// What the server says beyond its message.
  fileprivate var detailAndHint: String? {
    guard case .server(let error) = self else { return hint }
    let parts = [error.detail, error.context, error.hint].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}
