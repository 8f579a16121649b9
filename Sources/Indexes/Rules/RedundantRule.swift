internal import Primitives

/// Indexes that another one of the same table makes superfluous.
struct RedundantRule {
  let context: RuleContext

  /// What the rule found, for the rules after it too.
  struct Result {
    var findings: [Finding] = []
    /// Each index that can go, and the one that stays for it.
    var survivors: [UInt32: UInt32] = [:]
  }

  private var catalog: Catalog { context.catalog }

  func apply() -> Result {
    var result = Result()
    // A partitioned table before its partitions: whether an attached index stays is decided at its root.
    for table in catalog.sortedTables.sorted(by: { depth($0) < depth($1) }) { judge(table, &result) }
    return result
  }

  private func depth(_ table: Table) -> Int {
    var (depth, table) = (0, table)
    while let parent = table.parent.flatMap({ catalog.tables[$0] }) {
      depth += 1
      table = parent
    }
    return depth
  }

  /// Goes from the strongest index to the weakest. Each one goes only for one that was decided to stay, so that a
  /// survivor is never on the list itself, and of two equal ones exactly one is, in chains and circles too.
  private func judge(_ table: Table, _ result: inout Result) {
    var kept: [Index] = []
    for index in ranked(catalog.indexes(of: table.oid)) {
      guard index.isWhole else { continue }
      if result.survivors[catalog.root(of: index).oid] != nil { continue }
      let relations = kept.map { (other: $0, relation: context.coverage.relation(of: index, to: $0)) }
      // The closest of those that stay: the list begins with the widest.
      let covering = relations.last { $0.relation == .covered }?.other
      let reworded = relations.last { $0.relation == .reworded }?.other
      let wider = relations.last { $0.relation == .filters }?.other
      if let other = covering ?? reworded {
        let finding = covering == nil ? rewording(index, other) : finding(index, other)
        // Nor does one stay for others that a person may decide to drop.
        if finding.verdict == .review {
          result.findings.append(finding)
          continue
        }
        if finding.verdict == .drop { result.survivors[index.oid] = other.oid }
        result.findings.append(finding)
      } else if let wider {
        result.findings.append(filtering(index, wider))
      } else if let finding = brokenSurvivor(of: index) {
        result.findings.append(finding)
      }
      if result.survivors[index.oid] == nil { kept.append(index) }
    }
  }

  /// The strongest first: what covers others, then what must stay, then what is used most, then the oldest.
  private func ranked(_ indexes: [Index]) -> [Index] {
    func rank(_ index: Index) -> [Int64] {
      [
        Int64(index.keys.count),
        Int64(Set(index.included).subtracting(index.keyColumns).count),
        -Int64(context.coverage.conjunctCount(index)), -Int64(context.coverage.inclusiveCount(index)),
        index.constraint != nil ? 3 : index.isUnique ? 2 : catalog.protections(of: index).isEmpty ? 0 : 1,
        catalog.usage(ofTree: index).scans, -Int64(index.oid),
      ]
    }
    return indexes.map { (index: $0, rank: rank($0)) }
      .sorted { $1.rank.lexicographicallyPrecedes($0.rank) }.map(\.index)
  }

  private func finding(_ index: Index, _ covering: Index) -> Finding {
    let isEqual = context.coverage.relation(of: covering, to: index) == .covered
    let kind: Finding.Kind = isEqual ? .duplicate : .redundant
    let reason =
      isEqual
      ? Reason("duplicate_of", "\(covering.name.quoted) has the same keys and does all that it does")
      : Reason("covered_by", "\(covering.name.quoted) begins with the same keys and does all that it does")
    let protections = catalog.protections(of: index)
    if protections.isEmpty {
      guard catalog.feedsPlanner(index, beside: [covering]) else {
        return finding(kind, index, .drop, [reason], covering)
      }
      let statistics = Reason(
        "expression_statistics",
        "the planner estimates by its statistics of an expression, and \(covering.name.quoted) has coarser ones"
      )
      return finding(kind, index, .review, [reason, statistics], covering)
    }
    if isEqual, isEnforcedTwice(index, covering), protections.map(\.code) == ["enforces_uniqueness"] {
      let twice = Reason(
        "uniqueness_enforced_twice",
        "both keep the same values unique; ON CONFLICT and the application may name either")
      return finding(kind, index, .review, [reason, twice], covering)
    }
    return finding(kind, index, .keep, [reason] + protections, covering)
  }

  /// Whether the other index keeps unique, at once, what this one does.
  private func isEnforcedTwice(_ index: Index, _ covering: Index) -> Bool {
    covering.isUnique && covering.isImmediate && covering.keys.count == index.keys.count
      && covering.hasNullsNotDistinct == index.hasNullsNotDistinct
  }

  /// Nobody but a person knows in which words statements ask.
  private func rewording(_ index: Index, _ other: Index) -> Finding {
    let reason = Reason(
      "same_rows",
      "\(other.name.quoted) begins with the same keys and has the same rows, which its WHERE clause tells in words that"
        + " serve more statements; one in the words of this index would have to look at the table's rows, too"
    )
    let protections = catalog.protections(of: index)
    return finding(
      .redundant, index, protections.isEmpty ? .review : .keep, [reason] + protections, other)
  }

  private func filtering(_ index: Index, _ wider: Index) -> Finding {
    let reason = Reason(
      "partial_filters",
      "it is partial: it finds its few rows without reading the others of \(wider.name.quoted), and is smaller"
    )
    return finding(.redundant, index, .keep, [reason] + catalog.protections(of: index), wider)
  }

  /// It would go, were the index that covers it whole.
  private func brokenSurvivor(of index: Index) -> Finding? {
    let broken = catalog.indexes(of: index.table).first {
      !$0.isWhole && context.coverage.relation(of: index, to: $0) == .covered
    }
    guard let broken else { return nil }
    let reason = Reason(
      "survivor_invalid", "\(broken.name.quoted) would do all that it does, but is not valid")
    return finding(.redundant, index, .keep, [reason], broken)
  }

  private func finding(
    _ kind: Finding.Kind, _ index: Index, _ verdict: Finding.Verdict, _ reasons: [Reason], _ other: Index
  ) -> Finding {
    context.finding(
      kind, index, verdict, reasons,
      context.evidence(index) + [
        ("definition", .string(index.definition)), ("survivor", .string(other.name.name)),
        ("survivor_definition", .string(other.definition)),
        ("survivor_idx_scan", .integer(catalog.usage(ofTree: other).scans)),
        ("survivor_size_bytes", .integer(catalog.sizeBytes(ofTree: other))),
      ])
  }
}
