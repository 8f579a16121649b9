/// Whether one index does all that another does: the algebra of redundancy.
struct Coverage {
  private let catalog: Catalog
  private let predicates: [UInt32: Predicate]

  /// - Parameter others: indexes that are not in the catalog, and are to be compared with those that are.
  init(_ catalog: Catalog, and others: [Index] = []) {
    self.catalog = catalog
    var predicates = catalog.indexes.compactMapValues { index in
      index.predicate.map { Predicate(parsing: $0) }
    }
    for index in others { predicates[index.oid] = index.predicate.map { Predicate(parsing: $0) } }
    self.predicates = predicates
  }

  /// How an index stands to one that seems to cover it.
  enum Relation {
    case none
    /// Keys and columns are covered, but the index lets fewer rows in: it filters, and is smaller.
    case filters
    /// The rows are the same, but the WHERE clause of the other does not say so to the planner: what it cannot prove it
    /// looks up in the table.
    case reworded
    case covered
  }

  /// What `covering` can do of what `index` does. Whether either is valid is another question.
  func relation(of index: Index, to covering: Index) -> Relation {
    guard index.oid != covering.oid, index.table == covering.table, index.method == covering.method,
      keysCover(covering, index), columnsCover(covering, index)
    else { return .none }
    let (own, others) = (predicate(of: index), predicate(of: covering))
    guard own.implies(others) else { return .none }
    let nulls = nullsLeftOut(of: index)
    // `a >= 6`, where the other has `a > 5`. Not the other way round: of a statement with `a > 5` the planner cannot prove
    // that an index of `a >= 6` has its rows.
    let unproven = own.beyond(others).subtracting(nulls)
    if unproven.isEmpty { return .covered }
    guard own.beyond(others.tightened(integers(of: index))).isSubset(of: nulls) else { return .filters }
    let columns = names(
      covering.method == "btree" ? covering.keyColumns + covering.included : [], of: covering)
    return columns.isSuperset(of: unproven.map(\.subject)) ? .covered : .reworded
  }

  /// The whole indexes of its table that do all that an index does, or did before it was half dropped; by OID.
  func replacements(of index: Index) -> [Index] {
    catalog.indexes(of: index.table).filter { $0.isWhole && relation(of: index, to: $0) == .covered }
  }

  /// How many conjuncts its WHERE clause has.
  func conjunctCount(_ index: Index) -> Int { predicate(of: index).conjuncts.count }

  /// How many bounds of its WHERE clause could be told in words from which the planner proves more.
  func inclusiveCount(_ index: Index) -> Int {
    index.predicate == nil ? 0 : predicate(of: index).inclusiveCount(integers(of: index))
  }

  private func predicate(of index: Index) -> Predicate { predicates[index.oid] ?? .none }

  /// Columns of whole numbers, as WHERE clauses name them.
  private func integers(of index: Index) -> Set<ExactText> {
    let columns = catalog.tables[index.table]?.columns.values.filter(\.isInteger) ?? []
    return Set(columns.map { ExactText($0.quoted) })
  }

  private func names(_ columns: [Int16], of index: Index) -> Set<ExactText> {
    Set(columns.compactMap { catalog.tables[index.table]?.columns[$0] }.map { ExactText($0.quoted) })
  }

  private func keysCover(_ covering: Index, _ index: Index) -> Bool {
    switch index.method {
    case "btree":
      // A scan may begin with the first keys, and may go either way: then every direction turns.
      let prefix = covering.keys.prefix(index.keys.count)
      return prefix.elementsEqual(index.keys) || prefix.elementsEqual(index.keys.map(\.mirrored))
    case "gin":
      // "Search effectiveness is the same regardless of which index column(s) the query conditions use."
      return Self.counts(covering.keys) == Self.counts(index.keys)
    case "hash", "gist", "spgist": return covering.keys == index.keys
    // Pages a range of BRIN, lists and signatures of extensions' methods are not a matter of storage alone: they decide
    // what a scan can tell apart.
    default: return covering.keys == index.keys && Set(covering.storage) == Set(index.storage)
    }
  }

  private static func counts(_ keys: [IndexKey]) -> [IndexKey: Int] {
    Dictionary(keys.map { ($0, 1) }, uniquingKeysWith: +)
  }

  /// An index-only scan needs the INCLUDE columns; a btree can return its keys, other methods not always.
  private func columnsCover(_ covering: Index, _ index: Index) -> Bool {
    let needed = Set(index.included).subtracting(index.keyColumns)
    var given = Set(covering.included)
    if covering.method == "btree" { given.formUnion(covering.keyColumns) }
    return needed.isSubset(of: given)
  }

  /// `key IS NOT NULL` for the first key of a btree. A search for it finds no NULL anyway, and they stand together at one
  /// end. Those of a later key are spread over the whole index: leaving them out makes it smaller wherever one reads.
  private func nullsLeftOut(of index: Index) -> Set<Predicate.Conjunct> {
    guard index.method == "btree", let key = index.keys.first else { return [] }
    let column = names(index.keys.prefix(1).compactMap(\.column), of: index).first
    guard let subject = column ?? key.expression.map({ Predicate.subject(of: $0) }) else { return [] }
    return [Predicate.Conjunct(subject: subject, test: .isNotNull)]
  }
}
