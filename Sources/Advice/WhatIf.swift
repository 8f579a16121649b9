internal import Postgres
internal import Plans
internal import Primitives
internal import Workload

/// Indexes that only this session's planner sees (HypoPG). They are in the memory of the session's backend: nothing
/// is written, and nobody else sees them.
final class WhatIf {
  private let session: Session
  private let create: Statement
  private let drop: Statement
  private let resetAll: Statement
  /// Those that are there, by the numbers that callers give.
  private var active: [Int: Hypothetical] = [:]
  private var numbers: [String: Int] = [:]
  private var createdSinceReset = 0
  /// HypoPG hands out some 2500 OIDs (`hypopg.use_real_oids` off); a reset gives them back.
  private static let createdMax = 1500

  private struct Hypothetical {
    let oid: UInt32
    let name: String
  }

  /// - Throws: `needs_direct_connection` and `hypopg_missing`, of kind `configuration`; `PostgresError`.
  init(_ session: Session) throws {
    self.session = session
    // The next statement would be planned by another backend, and ours would keep the indexes for others.
    if try session.isShared() {
      throw SimpleFailure(
        .configuration, code: "needs_direct_connection",
        message:
          "indexes are tried in the memory of one server process, and this connection goes through a pooler",
        hint: "give the server's own address and port in the database URL for this command")
    }
    guard let row = try session.query(AdviceStatements.hypoPG()).first else {
      throw try Self.missing(session)
    }
    let schema: String = try row.decode(0)
    let functions = Self.functions(in: schema)
    create = Statement.inspecting(functions.create, parameters: [.text], columns: [.oid, .text])
    drop = Statement.inspecting(functions.drop, parameters: [.int8], columns: [.bool])
    resetAll = Statement.inspecting(functions.reset, columns: [.void])
    try reset()
  }

  /// HypoPG's, whose schema is known at run time only.
  private static func functions(in schema: String) -> (create: String, drop: String, reset: String) {
    (
      "select indexrelid, indexname from \(schema).hypopg_create_index($1)",
      "select \(schema).hypopg_drop_index($1::oid)", "select \(schema).hypopg_reset()"
    )
  }

  private static func missing(_ session: Session) throws -> SimpleFailure {
    let isAvailable: Bool = try session.query(AdviceStatements.hypoPGAvailable()).first?.decode(0) ?? false
    return SimpleFailure(
      .configuration, code: "hypopg_missing",
      message: "this database has no HypoPG, which lets the planner judge indexes before they are built",
      hint: isAvailable
        ? "run once in this database: CREATE EXTENSION hypopg"
        : "install it on the server (Debian: postgresql-\(session.serverVersion / 10_000)-hypopg), then run"
          + " CREATE EXTENSION hypopg")
  }

  /// Takes all back.
  func reset() throws {
    try session.query(resetAll())
    active = [:]
    numbers = [:]
    createdSinceReset = 0
  }

  /// Makes those of `wanted` and no others be there.
  ///
  /// - Parameter ddl: the statement that makes an index.
  /// - Returns: the numbers of those that the server refuses, such as on an expression that is not immutable.
  @discardableResult
  func arrange(_ wanted: Set<Int>, ddl: (Int) -> String) throws -> Set<Int> {
    if createdSinceReset > Self.createdMax { try reset() }
    for number in active.keys.filter({ !wanted.contains($0) }).sorted() {
      guard let gone = active.removeValue(forKey: number) else { continue }
      numbers[gone.name] = nil
      try session.query(drop(Int64(gone.oid)))
    }
    var refused: Set<Int> = []
    for number in wanted.sorted() where active[number] == nil {
      do throws(PostgresError) {
        guard let row = try session.query(create(ddl(number))).first else { continue }
        let made = Hypothetical(oid: try row.decode(0), name: try row.decode(1))
        active[number] = made
        numbers[made.name] = number
        createdSinceReset += 1
      } catch {
        guard case .server = error, !error.endsSession else { throw error }
        refused.insert(number)
      }
    }
    return refused
  }

  /// What a statement costs with those that are there: the mean of its samples by their shares.
  ///
  /// - Parameter keys: of a hypothetical index, by its number.
  /// - Throws: `PostgresError`, `PlanError`.
  func plan(
    _ samples: [(plannable: PlannableStatement, share: Double)], _ scans: RepeatedScans,
    keys: (Int) -> RepeatedScans.Keys? = { _ in nil }
  ) throws -> (planned: PlannedCost, rowsWritten: Double) {
    var planned = PlannedCost(cost: 0)
    var rowsWritten = 0.0
    for (plannable, share) in samples {
      let root = try plannable.plan().root
      planned.used = planned.used.union(IndexSet(used(by: root)))
      planned.cost += share * max(root.totalCost, 0.01)
      planned.surcharge += share * scans.surcharge(of: root) { numbers[$0].flatMap(keys) }
      rowsWritten += share * Self.rowsWritten(root)
    }
    return (planned, rowsWritten)
  }

  /// The numbers of those that the plans of a statement use.
  func used(by samples: [(plannable: PlannableStatement, share: Double)]) throws -> Set<Int> {
    try samples.reduce(into: []) { $0.formUnion(used(by: try $1.plannable.plan().root)) }
  }

  private func used(by root: PlanNode) -> [Int] { root.all.compactMap { $0.index.flatMap { numbers[$0] } } }

  private static func rowsWritten(_ root: PlanNode) -> Double {
    root.all.filter { $0.type == "ModifyTable" }.flatMap(\.children).reduce(0) { $0 + $1.rowsEstimated }
  }
}
