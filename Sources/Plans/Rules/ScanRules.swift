/// Scans that read much for little, and joins that do.
extension PlanReview {
  static let scans: Set<String> = [
    "Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Foreign Scan", "CTE Scan",
    "Sample Scan",
    "Tid Range Scan",
  ]

  func scans() -> [PlanFinding] {
    analysis.entries.indices.compactMap { index in
      discards(index) ?? longSeqScan(index)
    } + analysis.entries.indices.compactMap { heapFetches($0) }
      + analysis.entries.indices.compactMap { lossy($0) }
  }

  private func discards(_ index: Int) -> PlanFinding? {
    let entry = analysis.entries[index]
    let node = entry.node
    guard Self.scans.contains(node.type), let actual = node.actual, let rows = entry.rows else { return nil }
    let removed = node.real("Rows Removed by Filter") * actual.loops
    guard removed >= limits.discardRows, removed >= limits.discardRatio * rows else { return nil }
    guard analysis.totalTime == nil || analysis.ownTimeShare(index) >= limits.nodeShare else { return nil }
    // A probe that finds one row reads no less with another index: that it runs so often is the loop's doing.
    let read = node.real("Rows Removed by Filter") + actual.rows
    if actual.loops > 1, read <= 1, node.type.hasPrefix("Index") { return nil }
    let filter = node.text("Filter") ?? "its filter"
    let wish = wish(for: index, conditions: [node.text("Filter")] + joinConditions(of: index))
    // Rows are averages of all loops, and rounded up to PostgreSQL 17.
    let kept = rows == 0 && actual.loops > 1 ? "fewer than 1 a loop" : PlanNumbers.count(rows)
    return PlanFinding(
      .scanDiscards, entry: index, node: node.label,
      message: "It reads \(PlanNumbers.count(removed + rows)) rows to keep \(kept)"
        + "\(timeText(entry.ownTime)): \(filter) throws the others away.",
      nextStep: wish == nil
        ? "Filter before: what it reads has no index." : "Make an index on the columns of \(filter).",
      weight: ownTime(index), wish: wish)
  }

  private func longSeqScan(_ index: Int) -> PlanFinding? {
    let entry = analysis.entries[index]
    guard entry.node.type == "Seq Scan", let time = entry.ownTime, time >= limits.seqScanTime,
      analysis.ownTimeShare(index) >= limits.seqScanShare
    else { return nil }
    let reading =
      "It reads the whole table\(timeText(time)) and keeps \(PlanNumbers.count(entry.rows ?? 0)) rows"
    let joins = joinConditions(of: index)
    if let join = joins.first, let wish = wish(for: index, conditions: [entry.node.text("Filter")] + joins) {
      return PlanFinding(
        .seqScan, entry: index, node: entry.node.label,
        message: "\(reading), although few rows are joined with it: \(join).",
        nextStep: "Make an index on its columns of \(join), so that it is searched once for each of them.",
        weight: time, wish: wish)
    }
    return PlanFinding(
      .seqScan, entry: index, node: entry.node.label, message: "\(reading): no index would read less.",
      nextStep:
        "Ask for fewer rows or columns, keep the result (a summary table, a materialized view), or partition the"
        + " table so that parts of it are left out.", weight: time)
  }

  /// Without ANALYZE: sequential scans with a filter, or joined with few rows, that are most of the cost.
  func expectedScans() -> [PlanFinding] {
    let total = analysis.entries[0].node.totalCost
    guard total > 0 else { return [] }
    return analysis.entries.indices.compactMap { index in
      let entry = analysis.entries[index]
      let filter = entry.node.text("Filter")
      let joins = joinConditions(of: index)
      guard entry.node.type == "Seq Scan", let condition = filter ?? joins.first,
        entry.ownCost >= limits.seqScanShare * total, entry.ownCost >= 100,
        let wish = wish(for: index, conditions: [filter] + joins)
      else { return nil }
      return PlanFinding(
        .seqScan, entry: index, node: entry.node.label,
        message: "It reads the whole table, \(PlanNumbers.share(entry.ownCost / total)) of the cost, for"
          + " \(PlanNumbers.count(entry.node.rowsEstimated)) rows"
          + (filter == nil
            ? ", although few rows are joined with it: \(condition)."
            : " that are expected to fulfil \(condition)."),
        nextStep: "Make an index on the columns of \(condition), if few rows fulfil it.",
        weight: entry.ownCost,
        wish: wish)
    }
  }

  private func heapFetches(_ index: Int) -> PlanFinding? {
    let entry = analysis.entries[index]
    guard entry.node.type == "Index Only Scan", let rows = entry.rows, let relation = entry.node.relation
    else {
      return nil
    }
    let fetches = entry.node.real("Heap Fetches")
    guard fetches >= limits.heapFetches, fetches >= limits.heapFetchShare * rows, matters(index) else {
      return nil
    }
    return PlanFinding(
      .heapFetches, entry: index, node: entry.node.label,
      message:
        "An index-only scan that went to the table for \(PlanNumbers.count(fetches)) of \(PlanNumbers.count(rows)) rows"
        + "\(timeText(entry.ownTime)), because VACUUM has not marked their pages as visible to all.",
      nextStep: "VACUUM \(relation); let autovacuum come sooner (autovacuum_vacuum_scale_factor,"
        + " autovacuum_vacuum_insert_scale_factor of the table).", weight: ownTime(index))
  }

  private func lossy(_ index: Int) -> PlanFinding? {
    let entry = analysis.entries[index]
    let lossy = entry.node.real("Lossy Heap Blocks")
    guard lossy > 0, matters(index) else { return nil }
    let exact = entry.node.real("Exact Heap Blocks")
    let removed = entry.node.real("Rows Removed by Index Recheck") * (entry.node.actual?.loops ?? 1)
    return PlanFinding(
      .lossyBitmap, entry: index, node: entry.node.label,
      message:
        "The bitmap did not fit into work_mem: of \(PlanNumbers.count(lossy)) pages it knew no rows, and"
        + " \(PlanNumbers.count(removed)) rows were read and thrown away\(timeText(entry.ownTime)).",
      // tidbitmap.c: an entry of 48 bytes a page and two pointers, in a table that grows by doubling.
      nextStep: workMemory(kilobytes: (lossy + exact) * 128 / 1024), weight: ownTime(index))
  }

  // MARK: Joins

  func joins() -> [PlanFinding] {
    analysis.entries.indices.flatMap { index -> [PlanFinding] in
      let node = analysis.entries[index].node
      if node.relationship == "SubPlan" { return subplan(index) }
      guard node.type == "Nested Loop" else { return [] }
      return joinDiscards(index) + manyLoops(index)
    }
  }

  private func inner(of index: Int) -> Int? {
    analysis.entries[index].children.first { analysis.entries[$0].node.relationship == "Inner" }
  }

  private func joinDiscards(_ index: Int) -> [PlanFinding] {
    let entry = analysis.entries[index]
    guard let actual = entry.node.actual, let rows = entry.rows, let filter = entry.node.text("Join Filter")
    else {
      return []
    }
    let removed = entry.node.real("Rows Removed by Join Filter") * actual.loops
    guard removed >= limits.discardRows, removed >= limits.discardRatio * rows,
      analysis.totalTime == nil || analysis.timeShare(index) >= limits.nodeShare
    else { return [] }
    var scan = inner(of: index)
    while let place = scan, ["Materialize", "Memoize"].contains(analysis.entries[place].node.type) {
      scan = analysis.entries[place].children.first
    }
    return [
      PlanFinding(
        .joinDiscards, entry: index, node: entry.node.label,
        message:
          "It compares \(PlanNumbers.count(removed + rows)) pairs of rows to find \(PlanNumbers.count(rows))"
          + "\(timeText(entry.time)): \(filter).",
        nextStep:
          "Make an index on the inner table's columns of \(filter), or join by equality, so that a hash join is possible.",
        weight: entry.time ?? 0, wish: scan.flatMap { wish(for: $0, conditions: [filter]) })
    ]
  }

  private func manyLoops(_ index: Int) -> [PlanFinding] {
    guard let inner = inner(of: index), let loops = analysis.entries[inner].node.actual?.loops,
      loops >= limits.innerLoops, analysis.timeShare(inner) >= limits.innerShare
    else { return [] }
    let share = timeText(analysis.entries[inner].time)
    return [
      PlanFinding(
        .nestedLoop, entry: index, node: label(index),
        message: "Its inner side, \(label(inner)), is run \(PlanNumbers.count(loops)) times\(share).",
        nextStep:
          "If the outer rows are really that many, a hash join reads the inner side once: compare with SET LOCAL"
          + " enable_nestloop = off. Where that is faster, check work_mem, random_page_cost and effective_cache_size.",
        weight: analysis.entries[inner].time ?? 0)
    ]
  }

  private func subplan(_ index: Int) -> [PlanFinding] {
    guard let loops = analysis.entries[index].node.actual?.loops, loops >= limits.innerLoops,
      analysis.timeShare(index) >= limits.innerShare
    else { return [] }
    return [
      PlanFinding(
        .subplanPerRow, entry: index,
        node: "\(analysis.entries[index].node.subplanName ?? "SubPlan"): \(label(index))",
        message:
          "A subquery is run once a row, \(PlanNumbers.count(loops)) times\(timeText(analysis.entries[index].time)).",
        nextStep:
          "Write it as a join (a grouped subquery, or LATERAL), so that it is run once, or give it an index for one row.",
        weight: analysis.entries[index].time ?? 0)
    ]
  }

  // MARK: Indexes

  private func wish(for index: Int, conditions: [String?]) -> IndexWish? {
    let node = analysis.entries[index].node
    guard let relation = node.relation,
      ["Seq Scan", "Index Scan", "Bitmap Heap Scan", "Index Only Scan"].contains(node.type)
    else { return nil }
    return IndexWish(
      schema: node.schema, relation: relation, alias: node.alias, conditions: conditions.compactMap { $0 },
      indexed: ["Index Cond", "Recheck Cond"].compactMap { node.text($0) }, order: order(above: index))
  }

  /// The key of a sort right above, whose rows come from this table alone.
  private func order(above index: Int) -> String {
    var place = analysis.entries[index].parent
    while let above = place {
      let node = analysis.entries[above].node
      if node.type == "Sort" { return node.text("Sort Key") ?? "" }
      guard ["Gather", "Gather Merge"].contains(node.type) else { return "" }
      place = analysis.entries[above].parent
    }
    return ""
  }
}
