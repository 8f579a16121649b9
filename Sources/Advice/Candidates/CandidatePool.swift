internal import Indexes
internal import Primitives

/// The candidates that can be chosen: those that the planner picks for some statement when it may have all that the statement's
/// conditions suggest, and what is made from them.
///
/// One plan with fifty hypothetical indexes says which of them matter, where fifty plans with one each would not say
/// which matter together.
struct CandidatePool {
  private let analysis: WorkloadAnalysis
  private let whatIf: WhatIf
  private let catalog: Catalog
  private let deadline: Deadline
  private let shouldStop: () throws -> Void

  private(set) var candidates: [Candidate] = []
  /// Whether time ran out before every statement had been asked for its candidates.
  private(set) var isCutShort = false
  private var numbers: [Candidate: Int] = [:]
  /// Candidates that a statement's conditions suggest, by statement, the more usual ones first.
  private var suggested: [[Candidate]] = []
  private var bundles: [IndexSet] = []
  /// Statements whose ideal plan uses a candidate.
  private var pickedBy: [Int: Set<Int>] = [:]
  private var counterparts: [Int: Int] = [:]

  init(
    _ analysis: WorkloadAnalysis, _ whatIf: WhatIf, _ catalog: Catalog, _ deadline: Deadline,
    _ shouldStop: @escaping () throws -> Void
  ) {
    self.analysis = analysis
    self.whatIf = whatIf
    self.catalog = catalog
    self.deadline = deadline
    self.shouldStop = shouldStop
  }

  mutating func build() throws {
    let all = analysis.queries.map { query in
      query.uses.flatMap { use in
        analysis.schema.relations[use.table].map { CandidateGenerator(use, in: $0).candidates() } ?? []
      }.filter(query.sees)
    }
    let needed = notServed(all.reduce(into: Set<Candidate>()) { $0.formUnion($1) })
    suggested = all.map { list in
      var seen: Set<Candidate> = []
      return list.filter { needed.contains($0) && seen.insert($0).inserted }
    }
    // The statements that count most come first: the pool has a bound.
    let order = analysis.queries.indices.sorted { importance($0) > importance($1) }
    for query in order where !suggested[query].isEmpty {
      try shouldStop()
      try addIdeal(of: query)
      if deadline.hasPassed {
        isCutShort = query != order.last
        break
      }
    }
    addCounterparts()
    addMerged()
  }

  /// What is to be preferred when it is about as good.
  private mutating func addCounterparts() {
    for (item, candidate) in candidates.enumerated() where candidate.included.isEmpty {
      guard let preferred = whole(candidate) ?? ordered(candidate, item) ?? found(candidate, item),
        let number = number(of: preferred)
      else {
        continue
      }
      counterparts[item] = number
      pickedBy[number, default: []].formUnion(pickedBy[item] ?? [])
    }
  }

  /// For a partial index the whole one, with the column that the predicate is about in front.
  private func whole(_ partial: Candidate) -> Candidate? {
    guard let predicate = partial.predicate else { return nil }
    let key = CandidateKey(.column(predicate.column))
    var whole = partial
    whole.predicate = nil
    whole.keys = Array(
      ([key] + partial.keys.filter { $0.term != key.term }).prefix(CandidateGenerator.keyLimit))
    return whole
  }

  /// The one that goes on with the order that a statement wants: it reads no more rows than LIMIT lets through,
  /// however many the planner thinks that there are.
  private func ordered(_ candidate: Candidate, _ item: Int) -> Candidate? {
    let queries = (pickedBy[item] ?? []).sorted()
    let longer = queries.flatMap { query in
      let terms = Set(
        analysis.queries[query].uses.filter { $0.table == candidate.table }.flatMap(\.orders).flatMap { $0 }
          .map(\.term))
      return suggested[query].filter { other in
        other.table == candidate.table && other.included.isEmpty && other.predicate == nil
          && candidate.predicate == nil && other.keys.count > candidate.keys.count
          && Array(other.keys.prefix(candidate.keys.count)) == candidate.keys
          && other.keys.last.map { terms.contains($0.term) } ?? false
      }
    }
    return longer.max { $0.keys.count < $1.keys.count }
  }

  /// For an index that only has a statement's order the one that begins with what the statement looks for. With a
  /// common value both end at LIMIT; with a rare one the order alone reads the whole table.
  private func found(_ candidate: Candidate, _ item: Int) -> Candidate? {
    let longer = (pickedBy[item] ?? []).sorted().flatMap { query in
      let equal = Set(
        analysis.queries[query].uses.filter { $0.table == candidate.table }.flatMap(\.conditions)
          .filter { $0.usage == .equality }.map(\.term))
      return suggested[query].filter { other in
        let added = other.keys.count - candidate.keys.count
        return other.table == candidate.table && other.included.isEmpty && other.predicate == nil
          && candidate.predicate == nil && added > 0
          && Array(other.keys.suffix(candidate.keys.count)) == candidate.keys
          && other.keys.prefix(added).allSatisfy { equal.contains($0.term) }
      }
    }
    return longer.max { $0.keys.count < $1.keys.count }
  }

  private func importance(_ query: Int) -> Double {
    let query = analysis.queries[query]
    return query.statement.milliseconds ?? query.before.cost * Double(query.statement.calls)
  }

  /// Those that no existing index serves.
  private func notServed(_ candidates: Set<Candidate>) -> Set<Candidate> {
    let list = Array(candidates)
    let indexes = list.enumerated().compactMap { number, candidate in
      candidate.index(oid: UInt32.max - UInt32(clamping: number), in: analysis.schema)
    }
    let served = catalog.served(indexes)
    return Set(
      list.enumerated().filter { served[UInt32.max - UInt32(clamping: $0.offset)] == nil }.map(\.element))
  }

  // MARK: What the planner picks

  private mutating func addIdeal(of query: Int) throws {
    let all = suggested[query]
    let plain = all.filter { $0.included.isEmpty && $0.predicate == nil }
    // All; without what copies columns or serves one constant; and the smallest.
    let single = plain.filter { $0.keys.count == 1 }
    for set in [all, plain, single] where !set.isEmpty {
      let picked = try self.picked(by: query, among: set)
      let numbers = picked.compactMap { number(of: $0) }
      for number in numbers { pickedBy[number, default: []].insert(query) }
      let bundle = IndexSet(numbers)
      if bundle.count > 1, bundle.count <= 4 { bundles.append(bundle) }
    }
  }

  private func picked(by query: Int, among list: [Candidate]) throws -> [Candidate] {
    // Of two as good the planner takes the one that was made last.
    let list = Array(list.reversed())
    try whatIf.arrange([]) { _ in "" }
    let refused = try whatIf.arrange(Set(list.indices)) { list[$0].ddl(analysis.schema, concurrently: false) }
    let used = try whatIf.used(by: analysis.queries[query].samples)
    try whatIf.arrange([]) { _ in "" }
    return used.subtracting(refused).sorted().map { list[$0] }
  }

  /// Its number in the pool, where there is room.
  private mutating func number(of candidate: Candidate) -> Int? {
    if let known = numbers[candidate] { return known }
    guard candidates.count < IndexSet.capacity else { return nil }
    numbers[candidate] = candidates.count
    candidates.append(candidate)
    return candidates.count - 1
  }

  // MARK: What is made from them

  /// Two that begin alike can be one: the longer keys with the INCLUDE columns of both. Where they differ in
  /// directions the planner says whose serve the statements of both.
  private mutating func addMerged() {
    let found = candidates
    for a in found {
      for b in found where a != b && a.table == b.table && a.predicate == b.predicate {
        guard b.begins(a) else { continue }
        var merged = a
        let included = Set(a.included).union(b.included).union(b.keyColumns).subtracting(a.keyColumns)
        merged.included = included.sorted()
        guard merged.included.count <= CandidateGenerator.includeLimit, merged != a, merged != b else {
          continue
        }
        guard let number = number(of: merged) else { return }
        let users = [a, b].compactMap { numbers[$0] }.map { pickedBy[$0] ?? [] }
        for queries in users { pickedBy[number, default: []].formUnion(queries) }
      }
    }
  }

  // MARK: The problem

  /// In units of the planner's cost: a leaf page to be found and changed, most of the time in memory.
  private static let writeCost = 0.5
  /// Milliseconds that one index adds to one row's write: what PostgreSQL takes for a descent in memory and its WAL.
  private static let writeMilliseconds = 0.01

  func problem(limits: ChoiceLimits) -> ChoiceProblem {
    let isTimed = analysis.queries.contains { $0.statement.milliseconds != nil }
    let total = analysis.queries.reduce(0) { $0 + ($1.statement.milliseconds ?? 0) }
    let rowsWritten = rowsWritten
    let items = candidates.enumerated().map { number, candidate -> ChoiceProblem.Item in
      guard let table = analysis.schema.relations[candidate.table] else { return .init(sizeBytes: .max) }
      let share = IndexSize.share(candidate.predicate, table)
      // Measured times give writes a scale. A file of statements has none.
      let writes = min(table.writes, rowsWritten[candidate.table] ?? 0)
      let upkeep = isTimed && total > 0 ? writes * share * Self.writeMilliseconds / total : 0
      return .init(
        sizeBytes: IndexSize.bytes(candidate, in: table), upkeep: upkeep, pickedBy: pickedBy[number] ?? [])
    }
    let queries = analysis.queries.indices.map { number in
      let query = analysis.queries[number]
      var fact = ChoiceProblem.Query(
        weight: isTimed ? query.statement.milliseconds ?? 0 : Double(query.statement.calls),
        before: query.before, relevant: relevant(to: number))
      let written = Set(query.uses.filter(\.isWritten).map(\.table))
      for (item, candidate) in candidates.enumerated() where written.contains(candidate.table) && !isTimed {
        fact.upkeep[item] = query.rowsWritten * Self.writeCost
      }
      return fact
    }
    var problem = ChoiceProblem(
      queries: queries, items: items, bundles: bundles, limits: limits, objective: isTimed ? .time : .ratio)
    problem.preferred = counterparts
    return problem
  }

  /// A statement that wrote more than this share of a table in a call has loaded it.
  private static let loadShare = 0.1

  /// Rows that the measured statements wrote, by table: in the same time as their times were measured, while the
  /// table's own counters go back to when it was loaded. Those know what was HOT.
  private var rowsWritten: [UInt32: Double] {
    var written: [UInt32: Double] = [:]
    for query in analysis.queries {
      let (rows, calls) = (Double(query.statement.rows ?? 0), Double(max(1, query.statement.calls)))
      for table in Set(query.uses.filter(\.isWritten).map(\.table)) {
        guard rows / calls <= Self.loadShare * (analysis.schema.relations[table]?.rows ?? 0) else { continue }
        written[table, default: 0] += rows
      }
    }
    return written
  }

  /// Those that begin with a key that the statement's conditions suggest to begin with, as far as its plans can tell.
  private func relevant(to query: Int) -> IndexSet {
    let beginnings = Set(
      suggested[query].compactMap { candidate in
        candidate.keys.first.map { Beginning(candidate.table, $0.term) }
      })
    return IndexSet(
      candidates.indices.filter { item in
        let candidate = candidates[item]
        guard analysis.queries[query].sees(candidate) else { return false }
        return candidate.keys.first.map { beginnings.contains(Beginning(candidate.table, $0.term)) } ?? false
      })
  }

  private struct Beginning: Hashable {
    let table: UInt32
    let term: KeyTerm
    init(_ table: UInt32, _ term: KeyTerm) {
      self.table = table
      self.term = term
    }
  }
}

extension Candidate {
  /// As the rules of an audit see an index; nil where it stands on an expression, whose text only the server can print.
  func index(oid: UInt32, in schema: Schema) -> Index? {
    guard let table = schema.relations[table] else { return nil }
    var indexKeys: [IndexKey] = []
    for key in keys {
      guard case .column(let number) = key.term, let column = table.column(number),
        let operatorClass = key.isPattern ? column.patternClassOID : column.operatorClass
      else { return nil }
      var indexKey = IndexKey(column: number)
      indexKey.operatorClass = operatorClass
      indexKey.collation = column.collation
      indexKey.isDescending = key.isDescending
      indexKey.hasNullsFirst = key.nullsFirst ?? key.isDescending
      indexKeys.append(indexKey)
    }
    var index = Index(oid: oid, table: table.oid, name: table.name, keys: indexKeys)
    index.included = included
    index.predicate = predicate?.sql
    return index
  }
}
