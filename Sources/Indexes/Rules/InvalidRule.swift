internal import Primitives

/// Indexes that no query may use although writes may have to maintain them.
struct InvalidRule {
  let context: RuleContext

  private var catalog: Catalog { context.catalog }

  func apply() -> [Finding] {
    catalog.sortedIndexes.filter { !$0.isWhole }.map(judge)
  }

  private func judge(_ index: Index) -> Finding {
    if index.isInWork {
      return finding(
        index, .keep, Reason("in_work", "somebody builds, rebuilds or drops it at this moment"))
    }
    if index.isPartitioned { return incomplete(index) }
    if !context.catalog.facts.seesAllStatistics {
      return finding(
        index, .review,
        Reason("build_unknown", "whether somebody builds it now cannot be seen without pg_read_all_stats"))
    }
    // REINDEX CONCURRENTLY calls what it builds _ccnew, and what it has replaced _ccold, with a number if need be.
    if index.name.name.contains(#/_cc(?:new|old)[0-9]*$/#), index.constraint == nil {
      return finding(
        index, .drop, Reason("reindex_leftover", "REINDEX CONCURRENTLY was interrupted and left it behind"))
    }
    if let parent = index.parent, catalog.indexes[parent] != nil {
      return finding(
        index, .rebuild,
        Reason(
          "partition_child", "it is attached to a partitioned index, which stays invalid as long as it is"))
    }
    return unattached(index)
  }

  /// `CREATE INDEX … ON ONLY` makes a partitioned index that becomes valid when each partition has attached its own.
  private func incomplete(_ index: Index) -> Finding {
    let attached = Set(catalog.tree(of: index).filter { $0.parent == index.oid }.map(\.table))
    let missing =
      catalog.tables[index.table].map { table in
        catalog.partitions(of: table).filter { $0.parent == table.oid && !attached.contains($0.oid) }
      } ?? []
    let names = missing.prefix(5).map(\.name.description).joined(separator: ", ")
    let more = missing.count > 5 ? " and \(missing.count - 5) more" : ""
    return finding(
      index, .keep,
      Reason(
        "on_only_parent",
        missing.isEmpty
          ? "it was made ON ONLY the partitioned table, and an index attached to it is not valid"
          : "it was made ON ONLY the partitioned table and becomes valid when all partitions have attached theirs;"
            + " still to come: \(names)\(more)"))
  }

  private func unattached(_ index: Index) -> Finding {
    let twin = catalog.indexes(of: index.table).first { other in
      other.isWhole && context.coverage.relation(of: index, to: other) == .covered
        && (!index.isUnique || other.isUnique)
    }
    if !index.isLive {
      return finding(
        index, .drop,
        Reason("half_dropped", "DROP INDEX CONCURRENTLY was interrupted; running it again finishes it"))
    }
    if let twin, catalog.protections(of: index).allSatisfy({ $0.code == "enforces_uniqueness" }) {
      return finding(
        index, .drop, Reason("covered_by", "\(twin.name.quoted) is valid and does all that it would do"))
    }
    if !index.isReady {
      return finding(
        index, .rebuild,
        Reason(
          "build_failed",
          "CREATE INDEX CONCURRENTLY failed before writes began to maintain it"
            + (index.isUnique ? "; a unique one will again, as long as there are duplicates" : "")))
    }
    return finding(
      index, .review,
      Reason(
        "build_or_drop_interrupted",
        "writes maintain it and no query uses it: a CREATE INDEX CONCURRENTLY that failed, which"
          + " \(context.ddl.reindex(index)) completes, or a DROP that was cancelled, which can be run again"))
  }

  private func finding(_ index: Index, _ verdict: Finding.Verdict, _ reason: Reason) -> Finding {
    var finding = context.finding(
      .invalid, index, verdict, [reason],
      [
        ("valid", .bool(index.isValid)), ("ready", .bool(index.isReady)), ("live", .bool(index.isLive)),
        ("definition", .string(index.definition)),
      ])
    if verdict == .rebuild { finding.ddl = context.ddl.reindex(index) }
    return finding
  }
}
