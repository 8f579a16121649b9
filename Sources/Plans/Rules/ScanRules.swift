/// Scans that read much for little, and joins that do.
extension PlanReview {
  static let scans: Set<String> = [
    "Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Foreign Scan", "CTE Scan",
    "Sample Scan",
    "Tid Range Scan",
  ]

  func scans() -> [PlanFinding] {
    tableScans().compactMap { scan in discards(scan) ?? longSeqScan(scan) }
      + analysis.entries.indices.compactMap { heapFetches($0) }
      + analysis.entries.indices.compactMap { lossy($0) }
  }

  private func discards(_ scan: TableScan) -> PlanFinding? {
    let entry = analysis.entries[scan.first]
    let node = entry.node
    guard let actual = node.actual, let rows = sum(scan, \.rows) else { return nil }
    let removed =
      sum(scan) { $0.node.real("Rows Removed by Filter") * ($0.node.actual?.loops ?? 0) } ?? 0
    guard removed >= limits.discardRows, removed >= limits.discardRatio * rows else { return nil }
    let time = time(scan)
    guard share(time) >= limits.nodeShare || analysis.totalTime == nil else { return nil }
    // A probe that finds one row reads no less with another index: that it runs so often is the loop's doing.
    let read = node.real("Rows Removed by Filter") + actual.rows
    if actual.loops > 1, read <= 1, node.type.hasPrefix("Index") { return nil }
    let filter = node.text("Filter") ?? "its filter"
    let wish = wish(for: scan, conditions: [node.text("Filter")] + joinConditions(of: scan))
    // Rows are averages of all loops, and rounded up to PostgreSQL 17.
    let kept = rows == 0 && actual.loops > 1 ? "fewer than 1 a loop" : PlanNumbers.count(rows)
    return PlanFinding(
      .scanDiscards, entry: scan.first, node: label(scan),
      message: "It reads \(PlanNumbers.count(removed + rows)) rows to keep \(kept)"
        + "\(timeText(time)): \(filter) throws the others away.",
      nextStep: wish == nil
        ? "Filter before: what it reads has no index." : "Make an index on the columns of \(filter).",
      weight: weight(scan), wish: wish)
  }

  private func longSeqScan(_ scan: TableScan) -> PlanFinding? {
    let node = analysis.entries[scan.first].node
    guard node.type == "Seq Scan", let time = time(scan), let rows = sum(scan, \.rows) else {
      return nil
    }
    let isLong = time >= limits.seqScanTime && share(time) >= limits.seqScanShare
    if let (reason, step, wish) = need(of: scan), rows >= limits.discardRows {
      // What is made of the rows that nobody needs counts too: a hash table, or a sort.
      let spent = max(time, analysis.entries[consumer(of: scan.first)].time ?? 0)
      if share(spent) >= limits.seqScanShare {
        var finding = PlanFinding(
          .seqScan, entry: scan.first, node: label(scan),
          message: "\(reading(scan))\(timeText(time)) and keeps \(PlanNumbers.count(rows)) rows, \(reason).",
          nextStep: step, weight: spent, wish: wish)
        finding.needsIndex = !isLong
        return finding
      }
    }
    guard isLong else { return nil }
    return PlanFinding(
      .seqScan, entry: scan.first, node: label(scan),
      message: "\(reading(scan))\(timeText(time)) and keeps \(PlanNumbers.count(rows)) rows:"
        + " no index would read less.",
      nextStep:
        "Ask for fewer rows or columns, keep the result (a summary table, a materialized view), or partition the"
        + " table so that parts of it are left out.", weight: time)
  }

  /// Why few of the rows that a scan gives are needed, though its own filter does not say so: what joins them, a LIMIT behind a sort,
  /// or the least or greatest value of all.
  private func need(of scan: TableScan) -> (reason: String, step: String, wish: IndexWish)? {
    let filter = analysis.entries[scan.first].node.text("Filter")
    let joins = joinConditions(of: scan)
    if let join = joins.first, let wish = wish(for: scan, conditions: [filter] + joins) {
      return (
        "although few rows are joined with it: \(join)",
        "Make an index on its columns of \(join), so that it is searched once for each of them.", wish
      )
    }
    if let limit = limit(behindSortOf: scan), let wish = wish(for: scan, conditions: [filter]) {
      return (
        "although only the first \(PlanNumbers.count(limit)) in the order of \(wish.order) are wanted",
        "Make an index in the order of \(wish.order): reading ends with the last row that is wanted.", wish
      )
    }
    if let value = extreme(of: scan), let wish = wish(for: scan, conditions: [filter]) {
      return (
        "although only the least or the greatest \(value) is wanted",
        "Make an index in the order of \(value): one end of it has the answer.", wish
      )
    }
    return nil
  }

  /// Without ANALYZE: sequential scans with a filter, joined with few rows, or sorted for the first few, that are most of the cost.
  func expectedScans() -> [PlanFinding] {
    let total = analysis.entries[0].node.totalCost
    guard total > 0 else { return [] }
    return tableScans().compactMap { scan in
      let node = analysis.entries[scan.first].node
      let cost = weight(scan)
      guard node.type == "Seq Scan", cost >= limits.seqScanShare * total, cost >= 100 else { return nil }
      let rows = sum(scan) { $0.node.rowsEstimated } ?? 0
      let reading =
        "\(reading(scan)), \(PlanNumbers.share(cost / total)) of the cost, for \(PlanNumbers.count(rows)) rows"
      let need = need(of: scan)
      var finding: PlanFinding
      if let filter = node.text("Filter"),
        let wish = wish(for: scan, conditions: [filter] + joinConditions(of: scan))
      {
        finding = PlanFinding(
          .seqScan, entry: scan.first, node: label(scan),
          message: "\(reading) that are expected to fulfil \(filter).",
          nextStep: "Make an index on the columns of \(filter), if few rows fulfil it.", weight: cost,
          wish: wish)
      } else if let need {
        finding = PlanFinding(
          .seqScan, entry: scan.first, node: label(scan), message: "\(reading), \(need.reason).",
          nextStep: need.step, weight: cost, wish: need.wish)
      } else {
        return nil
      }
      finding.needsIndex = true
      return finding
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
    wish(for: TableScan(entries: [index]), conditions: conditions)
  }

  private func wish(for scan: TableScan, conditions: [String?]) -> IndexWish? {
    let nodes = scan.entries.map { analysis.entries[$0].node }
    let node = nodes[0]
    guard let relation = node.relation,
      ["Seq Scan", "Index Scan", "Bitmap Heap Scan", "Index Only Scan"].contains(node.type)
    else { return nil }
    var wish = IndexWish(
      schema: node.schema, relation: relation, alias: node.alias, conditions: conditions.compactMap { $0 },
      indexed: ["Index Cond", "Recheck Cond"].compactMap { node.text($0) }, order: order(above: scan))
    wish.others = nodes.dropFirst().compactMap { node in
      node.relation.map { IndexWish.Table(schema: node.schema, name: $0) }
    }
    return wish
  }

  private func share(_ time: Double?) -> Double {
    guard let time, let total = analysis.totalTime, total > 0 else { return 0 }
    return min(1, time / total)
  }

  private func weight(_ scan: TableScan) -> Double { scan.entries.reduce(0) { $0 + ownTime($1) } }
}
