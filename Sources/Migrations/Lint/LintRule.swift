/// What a migration should not do to a database that is in use. The raw value names the rule in output and in comments.
///
/// Locks and what they conflict with: PostgreSQL manual, "Explicit Locking"; what each form of ALTER TABLE takes, its own
/// page. What squawk and strong_migrations warn of without a lock or a loss behind it is left out.
public enum LintRule: String, Sendable, CaseIterable {
  case indexNotConcurrent = "index_not_concurrent"
  case indexDropNotConcurrent = "index_drop_not_concurrent"
  case reindexNotConcurrent = "reindex_not_concurrent"
  case refreshNotConcurrent = "refresh_not_concurrent"
  case concurrentlyInTransaction = "concurrently_in_transaction"
  case addColumnRewrites = "add_column_rewrites"
  case addColumnNotNull = "add_column_not_null"
  case setNotNull = "set_not_null"
  case foreignKeyValidates = "foreign_key_validates"
  case checkValidates = "check_validates"
  case constraintBuildsIndex = "constraint_builds_index"
  case validateInSameTransaction = "validate_in_same_transaction"
  case columnTypeChange = "column_type_change"
  case tableRewrite = "table_rewrite"
  case attachPartitionScans = "attach_partition_scans"
  case detachPartition = "detach_partition"
  case lockTable = "lock_table"
  case severalExclusiveLocks = "several_exclusive_locks"
  case wholeTableWrite = "whole_table_write"
  case disableTrigger = "disable_trigger"
  case truncateCascade = "truncate_cascade"
  case dropTable = "drop_table"
  case dropColumn = "drop_column"
  case rename = "rename"
  case integerKey = "integer_key"
  case timestampWithoutTimeZone = "timestamp_without_time_zone"
  case charColumn = "char_column"
  case jsonColumn = "json_column"
  /// A comment allows what the statement does not do.
  case unusedAllowance = "unused_allowance"

  /// Whether it holds in a down section too: data that a revert loses was agreed to, and columns that it makes are what
  /// they were. Tables that it drops, one after the other, are of no use any more.
  var holdsForReverts: Bool {
    switch self {
    case .dropTable, .dropColumn, .rename, .truncateCascade, .integerKey, .timestampWithoutTimeZone,
      .charColumn,
      .jsonColumn, .wholeTableWrite, .severalExclusiveLocks:
      false
    default: true
    }
  }

  /// The lock on the table, in the manual's words; nil where it is not the lock that hurts.
  public var lock: String? {
    switch self {
    case .indexNotConcurrent: "SHARE"
    case .indexDropNotConcurrent, .reindexNotConcurrent, .refreshNotConcurrent, .addColumnRewrites,
      .setNotNull,
      .checkValidates, .constraintBuildsIndex, .columnTypeChange, .tableRewrite, .severalExclusiveLocks,
      .detachPartition, .attachPartitionScans, .truncateCascade, .validateInSameTransaction, .lockTable,
      .rename,
      .dropTable, .dropColumn:
      "ACCESS EXCLUSIVE"
    case .foreignKeyValidates, .disableTrigger: "SHARE ROW EXCLUSIVE"
    case .wholeTableWrite: "ROW EXCLUSIVE"
    case .concurrentlyInTransaction, .addColumnNotNull, .integerKey, .timestampWithoutTimeZone, .charColumn,
      .jsonColumn, .unusedAllowance:
      nil
    }
  }

  /// What waits meanwhile: `reads and writes`, `writes`, `writes of the same rows`; nil where nothing does.
  public var blocks: String? {
    switch lock {
    case "ACCESS EXCLUSIVE": "reads and writes"
    case "SHARE", "SHARE ROW EXCLUSIVE": "writes"
    case "ROW EXCLUSIVE": "writes of the same rows"
    default: nil
    }
  }

  /// How to do it instead.
  public var fix: String {
    switch self {
    case .indexNotConcurrent:
      "create index concurrently, in a section that begins with -- migrate: no-transaction"
    case .indexDropNotConcurrent:
      "drop index concurrently, in a section that begins with -- migrate: no-transaction"
    case .reindexNotConcurrent: "reindex … concurrently, outside a transaction"
    case .refreshNotConcurrent: "refresh materialized view concurrently; it wants a unique index on the view"
    case .concurrentlyInTransaction: "take it out of the transaction"
    case .addColumnRewrites:
      "add the column without it, set the default for new rows, fill the old ones in batches (ironforge job run sql)"
    case .addColumnNotNull:
      "give it a constant default, or add it nullable, fill it, and set it NOT NULL later"
    case .setNotNull:
      "add constraint … check (column is not null) not valid; validate it in a later migration; then set not null finds"
        + " it proven and scans nothing"
    case .foreignKeyValidates, .checkValidates:
      "add the constraint NOT VALID, and VALIDATE CONSTRAINT in a migration of its own, which lets reads and writes go on"
    case .constraintBuildsIndex:
      "create unique index concurrently first, then add constraint … using index, which takes a moment"
    case .validateInSameTransaction:
      "validate in a later migration: the lock of the first statement is held until COMMIT"
    case .columnTypeChange:
      "add a column of the new type, keep both in step by a trigger, fill it in batches, switch over"
    case .tableRewrite:
      "pg_repack or pg_squeeze do it online; VACUUM without FULL suffices for reuse of space"
    case .attachPartitionScans:
      "add a CHECK constraint that says the bounds, NOT VALID, validate it, attach, and drop it: then nothing is scanned"
    case .detachPartition: "detach partition … concurrently, outside a transaction"
    case .lockTable: "lock rows, or take an advisory lock"
    case .severalExclusiveLocks: "a migration for each table: then no lock waits while another is held"
    case .wholeTableWrite: "in batches: ironforge job run sql"
    case .disableTrigger:
      "do without: foreign keys are triggers too, and rows written meanwhile are never checked"
    case .truncateCascade: "name the tables that are to be emptied"
    case .dropTable: "first release programs that do without it, and keep a copy"
    case .dropColumn: "first release programs that do without it: those that run now name it"
    case .rename: "add the new one, keep both for a release (a view, or a trigger), then drop the old one"
    case .integerKey: "bigint, or a uuid: a key of 32 bits runs out, and is dear to widen"
    case .timestampWithoutTimeZone: "timestamptz: without a zone a moment means another one in each session"
    case .charColumn:
      "text, with a CHECK for the length: char(n) pads with blanks, and loses them in comparisons"
    case .jsonColumn: "jsonb: json has no equality, so DISTINCT, UNION and GROUP BY fail, and no index"
    case .unusedAllowance: "take the comment away"
    }
  }
}

/// One thing that a linter has found.
public struct LintFinding: Sendable, Equatable {
  /// The file as it was named.
  public let file: String
  /// Counted from 1.
  public let line: Int
  public let rule: LintRule
  /// The table, index or view that it is about, as `schema.name`; nil where it is about none.
  public let object: String?
  /// What the statement does, and why it hurts.
  public let message: String
}
