internal import Indexes
public import Postgres
internal import Primitives
internal import SQLSyntax
internal import Workload

/// Finds the indexes that serve a workload best: reads what its statements ask of tables, makes candidates of that, lets the
/// planner judge them hypothetically, and chooses within a budget.
public struct Advisor {
  /// What somebody asks for.
  public struct Request: Sendable {
    public var limits = ChoiceLimits()
    /// How long the search may take at most. What it has then is what it gives.
    public var searchTime = Duration.seconds(7)

    public init(limits: ChoiceLimits = ChoiceLimits(), searchTime: Duration = .seconds(7)) {
      self.limits = limits
      self.searchTime = searchTime
    }
  }

  private let session: Session
  private let request: Request
  private let shouldStop: () throws -> Void

  /// - Parameter shouldStop: called between plans; what it throws ends the work.
  public init(_ session: Session, _ request: Request, shouldStop: @escaping () throws -> Void = {}) {
    self.session = session
    self.request = request
    self.shouldStop = shouldStop
  }

  /// Nothing is written, and nothing is left behind.
  ///
  /// - Throws: `hypopg_missing`; `PostgresError`; what `shouldStop` throws.
  public func advise(_ statements: [WorkloadStatement]) throws -> Advice {
    let whatIf = try WhatIf(session)
    // The hypothetical indexes die with the session; a caller that goes on with it is not to plan with them.
    defer { if session.isOpen { _ = Result { try whatIf.reset() } } }
    // Half for what could be chosen at the most, the rest for choosing, and a little for looking again at the outcome.
    let poolDeadline = Deadline.after(request.searchTime / 2)
    let deadline = Deadline.after(request.searchTime)
    let lastDeadline = Deadline.after(request.searchTime * 6 / 5)
    let catalog = try CatalogReader(session).read()
    let analysis = try WorkloadAnalysis(statements, session, catalog, whatIf, shouldStop)
    var pool = CandidatePool(analysis, whatIf, catalog, poolDeadline, shouldStop)
    try pool.build()
    let problem = pool.problem(limits: request.limits.forEstimates)
    let source = PlannedCosts(analysis, pool.candidates, whatIf, deadline, lastDeadline, shouldStop)
    let chosen = try Chooser(problem, source).choose()
    return AdviceReport(analysis, pool, problem, chosen, catalog).advice(isPoolCut: pool.isCutShort)
  }
}

/// A statement that can be advised on.
struct AnalysedQuery {
  let statement: WorkloadStatement
  let uses: [TableUse]
  /// The table of which the planner sees hypothetical indexes with expressions and WHERE; see `FirstTable`.
  let first: UInt32?
  /// The statement with the constants that it comes with, each with its share of the calls.
  let samples: [(plannable: PlannableStatement, share: Double)]
  /// One call without new indexes.
  let before: PlannedCost
  let rowsWritten: Double

  /// Whether its plans may be asked about an index.
  func sees(_ candidate: Candidate) -> Bool { candidate.isPlain || candidate.table == first }
}

/// The workload as far as it is understood.
struct WorkloadAnalysis {
  let schema: Schema
  let scans: RepeatedScans
  var queries: [AnalysedQuery] = []
  var unexplained: [UnexplainedStatement] = []
  /// The schema as statements see it, by their `search_path`.
  private var seen: [String: Schema] = [:]

  /// Parses the statements, reads the tables that they name, and plans each.
  init(
    _ statements: [WorkloadStatement], _ session: Session, _ catalog: Catalog, _ whatIf: WhatIf,
    _ shouldStop: () throws -> Void
  ) throws {
    var parsed: [(statement: WorkloadStatement, tree: JSON)] = []
    for statement in statements {
      do throws(SQLSyntaxError) {
        let trees = try SQLSyntax.parse(statement.text)
        if let first = trees.first, trees.count == 1 { parsed.append((statement, first.tree)) }
      } catch {
        unexplained.append(Self.unexplained(statement, error.message))
      }
    }
    let names = parsed.reduce(into: Set<String>()) { $0.formUnion(NamedRelations.names(in: $1.tree)) }
    schema = try SchemaReader(session).read(names: names)
    scans = try RepeatedScans(session, schema, catalog)
    for (statement, tree) in parsed {
      try shouldStop()
      guard let query = Self.query(of: tree) else {
        // The server counts BEGIN and CREATE TABLE too; nobody asked for advice on them.
        if statement.milliseconds == nil {
          unexplained.append(Self.unexplained(statement, "it is no query: there is no plan for it"))
        }
        continue
      }
      do {
        try add(statement, query, session, whatIf)
      } catch let error as any Failure {
        try Self.requireFaultOfStatement(error, session)
        unexplained.append(Self.unexplained(statement, Self.reason(error, statement)))
      }
    }
    let places = Dictionary(statements.enumerated().map { ($0.element.id, $0.offset) }) { first, _ in first }
    unexplained.sort { places[$0.id] ?? 0 < places[$1.id] ?? 0 }
  }

  /// The statement itself, or the query that a cursor, a new table, a COPY or a prepared statement is made of, as the
  /// planner of statements takes it (`NormalizedText`); nil for what has no plan.
  private static func query(of tree: JSON) -> JSON? {
    guard let (kind, body) = tree.members.first else { return nil }
    switch kind {
    case "SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt": return tree
    case "DeclareCursorStmt", "CreateTableAsStmt", "CopyStmt", "PrepareStmt":
      // CREATE TABLE AS EXECUTE has a query of another kind, and COPY of a table none.
      return body["query"].members.isEmpty ? nil : query(of: body["query"])
    default: return nil
    }
  }

  /// A stop, or a connection that is gone, is no fault of the statement.
  private static func requireFaultOfStatement(_ error: any Error, _ session: Session) throws {
    guard session.isOpen else { throw error }
    if case .cancelled? = error as? PostgresError { throw error }
  }

  private mutating func add(
    _ statement: WorkloadStatement, _ tree: JSON, _ session: Session, _ whatIf: WhatIf
  ) throws {
    var uses = ReferenceReader.uses(in: tree, schema: try schema(for: statement, session))
    // Without any table there is nothing to advise; where names were not found, the server says so now.
    if uses.isEmpty, statement.milliseconds != nil, NamedRelations.names(in: tree).isEmpty { return }
    // What was measured is what others have sent to the server.
    let author: StatementAuthor = statement.milliseconds == nil ? .caller : .others
    let plannable = try StatementPlanner(session, author: author)
      .prepare(statement.text, searchPath: statement.searchPath)
    if uses.isEmpty, statement.milliseconds != nil { return }
    let first = first(tree, uses, statement.searchPath.flatMap { seen[$0] } ?? schema)
    // Behind the others, whose joins name each other by their places.
    for use in uses where use.meansHeirs {
      guard let table = schema.relations[use.table] else { continue }
      uses += table.heirs.compactMap { schema.relations[$0].map { use.inherited(by: $0, from: table) } }
    }
    let samples = try Self.samples(plannable, statement, session) { text in
      try StatementPlanner(session, author: author).prepare(text, searchPath: statement.searchPath)
    }
    let plan = try whatIf.plan(samples, scans)
    queries.append(
      AnalysedQuery(
        statement: statement, uses: uses, first: first, samples: samples, before: plan.planned,
        rowsWritten: plan.rowsWritten))
  }

  /// Not where the table stands in a second place too, which has another number, as tables that inherit from it have.
  private func first(_ tree: JSON, _ uses: [TableUse], _ schema: Schema) -> UInt32? {
    guard let name = FirstTable(tree), let table = schema.relation(schema: name.schema, name: name.name),
      table.viewDefinition == nil, !table.isPartitioned, table.heirs.isEmpty,
      uses.count(where: { $0.table == table.oid }) == 1
    else { return nil }
    return table.oid
  }

  /// A variant that the server does not take, such as a number that is none, counts with the first.
  private static func samples(
    _ first: PlannableStatement, _ statement: WorkloadStatement, _ session: Session,
    _ prepare: (String) throws -> PlannableStatement
  ) throws -> [(plannable: PlannableStatement, share: Double)] {
    var samples = [(plannable: first, share: 1.0)]
    for variant in statement.variants {
      do {
        samples.append((try prepare(variant.text), variant.share))
        samples[0].share -= variant.share
      } catch {
        try requireFaultOfStatement(error, session)
      }
    }
    return samples
  }

  private mutating func schema(for statement: WorkloadStatement, _ session: Session) throws -> Schema {
    guard let path = statement.searchPath else { return schema }
    if let known = seen[path] { return known }
    let found = schema.seen(from: try SchemaReader(session).schemas(of: path))
    seen[path] = found
    return found
  }

  /// A name that is not found is nearly always one of another `search_path`.
  private static func reason(_ error: any Failure, _ statement: WorkloadStatement) -> String {
    guard let path = statement.searchPath, let server = error as? PostgresError,
      ["42P01", "3F000"].contains(server.sqlState)
    else { return error.message }
    return "\(error.message), under the search_path of its role: \(path.isEmpty ? "empty" : path)"
  }

  private static func unexplained(_ statement: WorkloadStatement, _ reason: String) -> UnexplainedStatement {
    UnexplainedStatement(id: statement.id, query: statement.text, reason: reason)
  }
}

/// The planner's answers to a `Chooser`.
final class PlannedCosts: CostSource {
  private let analysis: WorkloadAnalysis
  private let candidates: [Candidate]
  private let whatIf: WhatIf
  private let deadline: Deadline
  private let lastDeadline: Deadline
  private let shouldStop: () throws -> Void
  private let ddl: [String]
  private let keys: [RepeatedScans.Keys]

  init(
    _ analysis: WorkloadAnalysis, _ candidates: [Candidate], _ whatIf: WhatIf, _ deadline: Deadline,
    _ lastDeadline: Deadline, _ shouldStop: @escaping () throws -> Void
  ) {
    self.analysis = analysis
    self.candidates = candidates
    self.whatIf = whatIf
    self.deadline = deadline
    self.lastDeadline = lastDeadline
    self.shouldStop = shouldStop
    ddl = candidates.map { $0.ddl(analysis.schema, concurrently: false) }
    keys = candidates.map { RepeatedScans.Keys($0, in: analysis.schema) }
  }

  var mayGoOn: Bool { !deadline.hasPassed }
  var mustEnd: Bool { lastDeadline.hasPassed }

  func cost(query: Int, indexes: IndexSet) throws -> PlannedCost {
    try shouldStop()
    try whatIf.arrange(Set(indexes.members)) { self.ddl[$0] }
    return try whatIf.plan(analysis.queries[query].samples, analysis.scans) { self.keys[$0] }.planned
  }
}
