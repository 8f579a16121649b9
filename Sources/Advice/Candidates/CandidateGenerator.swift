/// Which indexes could serve one use of a table: from its conditions, joins and orderings, not from every column.
///
/// A key list is what an access path can start from: equalities, the most selective first; or the columns of a join, beside or
/// before them; then one range, or an order. Each also with the columns that it lacks to be read without the table.
public struct CandidateGenerator {
  private let table: SchemaTable
  private let use: TableUse
  /// The most keys of an index.
  static let keyLimit = 3
  /// INCLUDE of more columns than this copies the table.
  static let includeLimit = 8
  /// A partial index pays where the rest of the table is most of it.
  static let partialShare = 0.2
  /// A column with fewer values than this hardly finds rows by itself.
  static let fewValues = 100.0

  public init(_ use: TableUse, in table: SchemaTable) {
    self.use = use
    self.table = table
  }

  /// Nothing for a table so small that reading it whole is as good.
  static func isWorthwhile(_ table: SchemaTable) -> Bool { table.rows >= 500 && table.pages >= 8 }

  public func candidates() -> [Candidate] {
    guard Self.isWorthwhile(table) else { return [] }
    var lists = keyLists().filter { !$0.isEmpty && $0.allSatisfy(isIndexable) }
    var seen: Set<[CandidateKey]> = []
    lists = lists.filter { seen.insert($0).inserted }
    let plain = lists.map { Candidate(table: table.oid, keys: $0) }
    return plain + plain.compactMap(covering) + partial()
  }

  private func isIndexable(_ key: CandidateKey) -> Bool {
    guard case .column(let number) = key.term else { return true }
    return table.column(number)?.operatorClass != nil
  }

  // MARK: Keys

  private func keyLists() -> [[CandidateKey]] {
    let equal = equalities()
    let ranges = keys { $0 == .range || $0 == .prefix }
    let others = keys { $0 == .alternative }
    let joins = joinKeys()
    let orders = use.orders.map { $0.map(Self.key) } + use.groups.map { $0.map { CandidateKey($0) } }

    var prefixes: [[CandidateKey]] = [[]]
    let leading = leading(equal)
    if !equal.isEmpty { prefixes.append(Array(equal.prefix(Self.keyLimit))) }
    for key in leading {
      prefixes.append([key])
      for second in equal.prefix(4) where key != second { prefixes.append([key, second]) }
    }
    for join in joins {
      prefixes.append(join)
      for key in equal.prefix(4) {
        prefixes.append(join + [key])
        if leading.contains(key) || equal.count == 1 { prefixes.append([key] + join) }
      }
    }
    var lists: [[CandidateKey]] = others.map { [$0] }
    for prefix in prefixes {
      lists.append(prefix)
      for range in ranges { lists.append(prefix + [range]) }
      for order in orders { lists.append(prefix + order) }
      // A second range cannot be searched by, but it leaves rows out before the table is read.
      if prefix.count < 2 {
        for first in ranges.prefix(3) {
          for second in ranges.prefix(3) where first != second { lists.append(prefix + [first, second]) }
        }
      }
    }
    return lists.map(Self.shortened)
  }

  /// Without repeated terms, and no longer than allowed.
  private static func shortened(_ keys: [CandidateKey]) -> [CandidateKey] {
    var seen: Set<KeyTerm> = []
    return Array(keys.filter { seen.insert($0.term).inserted }.prefix(keyLimit))
  }

  private func equalities() -> [CandidateKey] {
    let keys = keys { $0 == .equality || $0 == .list }
    return keys.enumerated().sorted { a, b in
      (-distinct(a.element), a.offset) < (-distinct(b.element), b.offset)
    }.map(\.element)
  }

  /// Those that an index may begin with: not one of a few values, when another tells rows apart far better. The
  /// planner thinks well of a value that is rare, or was when statistics were made; the next one may be every second
  /// row.
  private func leading(_ equal: [CandidateKey]) -> [CandidateKey] {
    guard let best = equal.first.map(distinct) else { return [] }
    return equal.filter { distinct($0) >= Self.fewValues || distinct($0) * 10 >= best }
  }

  private func distinct(_ key: CandidateKey) -> Double {
    guard case .column(let number) = key.term else { return 1 }
    return table.column(number)?.distinct ?? 1
  }

  /// The columns of each join, alone and, where a join goes by several, together both ways.
  private func joinKeys() -> [[CandidateKey]] {
    var ofTable: [Int: [CandidateKey]] = [:]
    var order: [Int] = []
    for condition in use.conditions {
      guard case .join(let other) = condition.usage else { continue }
      if ofTable[other] == nil { order.append(other) }
      ofTable[other, default: []].append(CandidateKey(condition.term))
    }
    var lists: [[CandidateKey]] = []
    for keys in order.compactMap({ ofTable[$0] }) {
      lists += keys.map { [$0] }
      if keys.count > 1 { lists += [keys, keys.reversed()] }
    }
    // A join to one table whose rows are found by another: a star.
    let singles = Self.unique(lists.filter { $0.count == 1 }.map { $0[0] }).prefix(4)
    for first in singles { for second in singles where first != second { lists.append([first, second]) } }
    return lists
  }

  private func keys(where isWanted: (Usage) -> Bool) -> [CandidateKey] {
    Self.unique(use.conditions.filter { isWanted($0.usage) }.flatMap(keys))
  }

  /// Of an expression nobody but the server knows the type and the collation: it is asked with the class of text and
  /// without one.
  private func keys(of condition: Condition) -> [CandidateKey] {
    let plain = CandidateKey(condition.term)
    guard condition.usage == .prefix else { return [plain] }
    let pattern = CandidateKey(condition.term, isPattern: true)
    guard case .column(let number) = condition.term else { return [plain, pattern] }
    return [table.column(number)?.patternClass == nil ? plain : pattern]
  }

  private static func unique(_ keys: [CandidateKey]) -> [CandidateKey] {
    var seen: Set<CandidateKey> = []
    return keys.filter { seen.insert($0).inserted }
  }

  private static func key(_ term: OrderTerm) -> CandidateKey {
    CandidateKey(term.term, isDescending: term.isDescending, nullsFirst: term.nullsFirst)
  }

  // MARK: INCLUDE and WHERE

  /// With the columns that make a scan index-only.
  private func covering(_ candidate: Candidate) -> Candidate? {
    let missing = use.columns.subtracting(candidate.keyColumns)
    guard !missing.isEmpty, missing.count <= Self.includeLimit, missing.count < table.columns.count / 2 + 1,
      use.columns.count < table.columns.count,
      !use.isWritten
    else { return nil }
    var covering = candidate
    covering.included = missing.sorted()
    return covering
  }

  /// Where a constant is the only equality and leaves most of the table out. Beside another equality a whole index on both is
  /// about as good, and serves every other constant too.
  private func partial() -> [Candidate] {
    let equal = Set(equalities().map(\.term))
    return use.constants.flatMap { constant -> [Candidate] in
      let isFilter = constant.isNull == false
      guard isFilter || equal.subtracting([.column(constant.column)]).isEmpty,
        IndexSize.share(constant, table) <= Self.partialShare
      else { return [] }
      let ranges = keys { $0 == .range || $0 == .prefix }
      let orders = use.orders.map { $0.map(Self.key) }
      let lists = (ranges.map { [$0] } + orders + joinKeys() + (isFilter ? equalities().map { [$0] } : []))
      let rest = lists.map { Self.shortened($0.filter { $0.term != .column(constant.column) }) }
      return rest.filter { !$0.isEmpty && $0.allSatisfy(isIndexable) }.map { keys in
        var candidate = Candidate(table: table.oid, keys: keys)
        candidate.predicate = constant
        return candidate
      }
    }
  }
}
