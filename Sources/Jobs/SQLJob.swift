public import Postgres
public import Primitives

/// Ad-hoc SQL over the rows of a table: a statement that gets the keys of a chunk, as arrays.
///
/// With a key of one column `$1` is the array of its values. With several columns `$1`, `$2`, … are arrays of
/// the same length, one a column, in the order in which the key was given: `update stock s set … from
/// unnest($1, $2) as k (shop, item) where (s.shop, s.item) = (k.shop, k.item)`.
public struct SQLJob: Job {
  private let table: String
  private let key: String
  private let statement: SQLText
  private let predicate: String?
  private let retries: Identifier?

  /// - Parameters:
  ///   - table: a name by SQL's rules: folded to lower case unless quoted, looked up in the search path
  ///     unless qualified.
  ///   - key: the columns of a unique key, separated by commas, by SQL's rules.
  ///   - predicate: SQL that is true for the rows to visit; nil for all.
  ///   - retries: a run of the same table whose failed rows are visited, instead of the table's.
  public init(
    table: String, key: String, statement: SQLText, predicate: String? = nil, retries: Identifier? = nil
  ) {
    self.table = table
    self.key = key
    self.statement = statement
    self.predicate = predicate
    self.retries = retries
  }

  /// Makes the job again out of the options of a run; nil where they are none of this job.
  public init?(options: [String: String]) {
    guard let table = options["table"], let key = options["key"], let statement = options["statement"] else {
      return nil
    }
    var retries: Identifier?
    if let text = options["retry_failed"] {
      guard let id = Identifier(text) else { return nil }
      retries = id
    }
    self.init(
      table: table, key: key, statement: SQLText(statement), predicate: options["where"], retries: retries)
  }

  /// A job that tries the rows of `run` again that failed in it.
  ///
  /// - Throws: a usage failure where the run is none of this job.
  public init(retryingFailuresOf run: JobRun) throws {
    var options = run.options
    options["retry_failed"] = run.id.description
    // The rows were chosen when they failed.
    options["where"] = nil
    guard run.job == Self.name, let job = SQLJob(options: options) else {
      throw SimpleFailure(
        .usage, code: "job_not_retryable", message: "run \(run.id) is no run of the job sql",
        hint: "run \(run.job) again: it finds by itself what is left to do")
    }
    self = job
  }

  public static let name = "sql"
  public var name: String { Self.name }

  public var options: [String: String] {
    var options = ["table": table, "key": key, "statement": statement.text]
    if let predicate { options["where"] = predicate }
    if let retries { options["retry_failed"] = retries.description }
    return options
  }

  // What it does to a row, it would do again.
  public var isRepeatable: Bool { false }

  // A row that is tried again is struck off the other run's list in its own transaction.
  public var limits: JobLimits { retries == nil ? JobLimits() : JobLimits(chunkSize: 1) }

  public func prepare(_ session: Session) throws -> any PreparedJob {
    let table = try SQLTable(named: table, session)
    let columns = try table.key(key, session)
    try statement.check(keyColumns: columns.count)
    if let predicate { try SQLText.check(predicate: predicate) }
    let types = columns.map(\.arrayType)
    let description = try statement.described(session, types: types)
    let parameters = Array(types.prefix(description.parameters.count))
    let bound = Statement(
      statement.text, parameters: parameters,
      columns: description.columns.map { DataType(oid: $0, name: "column") })
    let ordered = try table.indexOrder(of: columns, session)
    let keys = KeySource(
      relation: retries.map { Self.failures(of: $0, ordered) } ?? table.quoted, columns: ordered,
      predicate: predicate)
    let places = columns.compactMap { column in ordered.firstIndex { $0.name == column.name } }
    let prepared = PreparedSQLJob(keys: keys, statement: bound, places: places, text: statement)
    // The server checks privileges where it plans.
    _ = try prepared.plan(arrays: ordered.map { _ in "{}" }, session)
    return prepared
  }

  /// The failed rows of a run as a relation. The columns' names and types come quoted out of the catalog.
  private static func failures(of run: Identifier, _ columns: [KeySource.Column]) -> String {
    let list = columns.enumerated().map {
      "(f.key)[\($0.offset + 1)]::\($0.element.type) as \($0.element.quoted)"
    }
    return """
      (select distinct \(list.joined(separator: ", ")) from ironforge.job_failures f
       where f.run_id = '\(run)' and f.retried_by is null)
      """
  }
}

/// A statement that the server has accepted.
struct PreparedSQLJob: PreparedJob {
  let keys: KeySource
  let statement: Statement
  /// For each parameter its column's place in the key.
  let places: [Int]
  let text: SQLText

  func work(_ chunk: Chunk, _ session: Session) throws -> ChunkWork {
    let (count, arrays) = try arrays(chunk, session)
    if count == 0 { return ChunkWork(visited: 0, affected: 0) }
    let result = try session.query(bound(arrays))
    return ChunkWork(visited: count, affected: Int64(result.affected))
  }

  func explain(_ chunk: Chunk, _ session: Session) throws -> [String] {
    try plan(arrays: arrays(chunk, session).arrays, session)
  }

  /// The server's plan; nothing is executed.
  ///
  /// - Throws: also where the role may not do what the statement does.
  func plan(arrays: [String], _ session: Session) throws -> [String] {
    guard text.canBeExplained else { return [] }
    let sql = "explain \(statement.sql)"
    let explained = BoundStatement(
      statement: Statement(sql, parameters: statement.parameters, columns: [.text]),
      values: bound(arrays).values)
    return try session.query(explained).map { row throws(PostgresError) in try row.decode(0) }
  }

  private func arrays(_ chunk: Chunk, _ session: Session) throws -> (count: Int64, arrays: [String]) {
    let row = try session.query(keys.arrays(of: chunk))[0]
    let count: Int64 = try row.decode(0)
    return (count, try keys.columns.indices.map { try row.decodeIfPresent($0 + 1) ?? "{}" })
  }

  /// `arrays` in the key's order; the statement has its own.
  private func bound(_ arrays: [String]) -> BoundStatement {
    BoundStatement(
      statement: statement,
      values: zip(places, statement.parameters).map { TextValue(arrays[$0], of: $1) })
  }
}
