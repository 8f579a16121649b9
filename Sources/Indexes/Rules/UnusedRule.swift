internal import Primitives

/// Indexes that no query reads, or hardly any.
struct UnusedRule {
  private let context: RuleContext
  /// What goes because another index does its work.
  private let redundant: Set<UInt32>
  /// The others, which stay, unused or not, and those that do the work of one that is half dropped; of attached ones
  /// their roots.
  private let survivors: Set<UInt32>

  /// - Parameter survivors: each redundant index with the one that stays for it.
  init(context: RuleContext, survivors: [UInt32: UInt32]) {
    self.context = context
    redundant = Set(survivors.keys)
    let replaced = survivors.values.compactMap { context.catalog.indexes[$0] }
    // What was built and never finished has done no work.
    let broken = context.catalog.indexes.values.filter { !$0.isWhole && ($0.isReady || !$0.isLive) }
    let replacing = broken.flatMap { context.coverage.replacements(of: $0) }
    self.survivors = Set((replaced + replacing).map { context.catalog.root(of: $0).oid })
  }

  private var catalog: Catalog { context.catalog }

  func apply() -> [Finding] {
    let served = foreignKeysServed()
    var gone = redundant
    // The largest goes first; of two that serve the same foreign key the other then stays.
    let suspects = catalog.sortedIndexes.filter(isSuspect)
      .map { (index: $0, size: catalog.sizeBytes(ofTree: $0)) }
      .sorted { $0.size != $1.size ? $0.size > $1.size : $0.index.oid < $1.index.oid }
    var findings: [Finding] = []
    for (index, _) in suspects {
      let keep = reasonsToKeep(index, served, gone)
      let finding = keep.isEmpty ? unused(index) : kept(index, keep)
      if finding.verdict != .keep { gone.insert(index.oid) }
      findings.append(finding)
    }
    return findings
  }

  /// Partitions' indexes are judged together, at their root.
  private func isSuspect(_ index: Index) -> Bool {
    guard index.parent == nil, index.isWhole else { return false }
    return isNeverRead(index) || isHardlyRead(index) || idleSince(index) != nil
  }

  /// Neither now nor as far back as the ledger goes, on any server. After a reset a scan can be known of without a count.
  private func isNeverRead(_ index: Index) -> Bool {
    let usage = catalog.usage(ofTree: index)
    guard let history = catalog.history(ofTree: index) else {
      return usage.scans <= context.thresholds.scansUnused
    }
    let scans = max(usage.scans, history.scans)
    return scans <= context.thresholds.scansUnused && (scans > 0 || history.lastUsed == nil)
  }

  /// When it was last read, where that is long ago.
  private func idleSince(_ index: Index) -> Timestamp? {
    let age = context.thresholds.statisticsAge
    guard let coverage = context.usage?.coverage, coverage.length >= age,
      let lastUsed = catalog.history(ofTree: index)?.lastUsed
    else { return nil }
    return coverage.until - lastUsed >= age ? lastUsed : nil
  }

  private func isHardlyRead(_ index: Index) -> Bool {
    let writes = self.writes(index)
    return writes > context.thresholds.writesMany
      && Double(catalog.usage(ofTree: index).scans) < context.thresholds.scansPerWrite * Double(writes + 1)
  }

  /// Changes that the index had to follow.
  private func writes(_ index: Index) -> Int64 { whole(index)?.counters.indexWrites ?? 0 }

  private func whole(_ index: Index) -> Table? {
    catalog.tables[index.table].map { catalog.summed($0) }
  }

  // MARK: Never

  private func reasonsToKeep(
    _ index: Index, _ served: [UInt32: [Set<UInt32>]], _ gone: Set<UInt32>
  ) -> [Reason] {
    var reasons = catalog.protections(of: index)
    if survivors.contains(index.oid) {
      reasons.append(
        Reason(
          "survivor",
          "it takes over the work of an index that is redundant or half dropped; look again when that has gone"
        ))
    }
    if served[index.oid, default: []].contains(where: {
      $0.allSatisfy { $0 == index.oid || gone.contains($0) }
    }) {
      reasons.append(
        Reason("serves_foreign_key", "no other index finds the rows that a foreign key's parent asks for"))
    }
    if feedsPlanner(index, gone) {
      reasons.append(
        Reason(
          "expression_statistics",
          "the planner estimates by the statistics of its expressions, also where it does not read the index")
      )
    }
    return reasons
  }

  /// For each root of indexes, the foreign keys that it serves: each as all roots that do.
  private func foreignKeysServed() -> [UInt32: [Set<UInt32>]] {
    var served: [UInt32: [Set<UInt32>]] = [:]
    for key in catalog.foreignKeys {
      for indexes in catalog.indexesByTable(serving: key) + [catalog.indexes(helping: key)] {
        let roots = Set(indexes.map { catalog.root(of: $0).oid })
        for root in roots { served[root, default: []].append(roots) }
      }
    }
    return served
  }

  /// Unless an index that stays gives the same statistics of its expressions.
  private func feedsPlanner(_ index: Index, _ gone: Set<UInt32>) -> Bool {
    guard index.hasExpressions else { return false }
    let others = catalog.indexes(of: index.table).filter {
      $0.oid != index.oid && !gone.contains(catalog.root(of: $0).oid)
    }
    return catalog.feedsPlanner(index, beside: others)
  }

  // MARK: Findings

  private func unused(_ index: Index) -> Finding {
    let scans = catalog.usage(ofTree: index).scans
    var reasons: [Reason] = []
    var verdict = Finding.Verdict.drop
    if isNeverRead(index) {
      reasons += scans > 0 ? [rarelyRead(scans)] : neverRead
    } else if let idleSince = idleSince(index) {
      verdict = .review
      reasons.append(
        Reason("read_long_ago", "it was last read before \(idleSince.minute); a yearly report may need it"))
    } else {
      verdict = .review
      reasons.append(
        Reason("hardly_read", "\(counted(scans, "scan")), but \(writes(index)) writes had to follow it"))
    }
    let doubts = [
      doubtOfTable(index), doubtOfAge(index), doubtOfHistory(index), doubtOfRelief(index),
    ]
    for doubt in doubts.compactMap({ $0 }) {
      verdict = .review
      reasons.append(doubt)
    }
    return finding(index, verdict, reasons)
  }

  /// For a threshold that somebody has raised.
  private func rarelyRead(_ scans: Int64) -> Reason {
    Reason(
      "rarely_read",
      "\(counted(scans, "scan counts", "scans count")) as none: the limit is \(context.thresholds.scansUnused)"
    )
  }

  /// That nobody has read it, since when, where, and what may have been missed.
  private var neverRead: [Reason] {
    guard let coverage = context.usage?.coverage, let count = context.usage?.servers.count else {
      return [Reason("never_read", "no query has read it since the statistics began")]
    }
    let place = count == 1 ? "on the one server there is" : "on any of \(count) servers"
    let read = Reason("never_read", "no query has read it \(place) since \(coverage.since.minute)")
    guard coverage.lost > .zero else { return [read] }
    let causes = coverage.gaps.map { "\($0.server) (\($0.gap.cause.rawValue)) before \($0.gap.to.minute)" }
    let more = causes.count > 3 ? ", and \(causes.count - 3) more" : ""
    return [
      read,
      Reason(
        "usage_lost",
        "at most \(counted(coverage.lost.components.seconds / 60 + 1, "minute of that is", "minutes of that are"))"
          + " not known: " + causes.suffix(3).joined(separator: ", ") + more),
    ]
  }

  /// Whether the table is such that nobody would read an index of it.
  private func doubtOfTable(_ index: Index) -> Reason? {
    guard let table = whole(index) else { return nil }
    if table.sizeBytes < context.thresholds.tableBytesFew {
      return Reason(
        "table_small", "the table is so small that it is read whole; the index may be for when it has grown")
    }
    // A dump reads it in sequence, and nobody may have wanted a row of it.
    guard table.counters.writes == 0, context.indexScans(table) == 0 else { return nil }
    return Reason(
      "table_idle",
      "nobody has written the table or read any index of it since then, which says nothing of this one")
  }

  /// Whether another index may have been read in its stead for a part of the time, and is gone now.
  private func doubtOfRelief(_ index: Index) -> Reason? {
    guard let relievedAt = catalog.history(ofTree: index)?.relievedAt,
      catalog.facts.now - relievedAt < context.thresholds.statisticsAge
    else { return nil }
    return Reason(
      "index_relieved",
      "until \(relievedAt.minute) there was another index of its table, which may have been read in its stead"
    )
  }

  /// Whether the index has been there for as long as counters must be watched.
  private func doubtOfAge(_ index: Index) -> Reason? {
    let firstSeen = index.history?.firstSeen
    guard let since = [index.madeAt, firstSeen].compactMap({ $0 }).min() else {
      return Reason(
        "index_age_unknown",
        "it may be new: PostgreSQL does not say when it was made (track_commit_timestamp is off), and no"
          + " `ironforge index snapshot` has seen it")
    }
    guard catalog.facts.now - since < context.thresholds.statisticsAge else { return nil }
    return Reason(
      "index_young",
      since == firstSeen
        ? "it was first seen at \(since.minute): too short a time to tell"
        : "it was made at \(since.minute): too short a time to tell")
  }

  /// Whether too much of what it was good for was lost when it was rebuilt.
  private func doubtOfHistory(_ index: Index) -> Reason? {
    guard let history = catalog.history(ofTree: index), let firstSeen = history.firstSeen,
      history.lost > (catalog.facts.now - firstSeen) * UsageCoverage.lossMax
    else { return nil }
    return Reason(
      "index_history_lost",
      "its counters began anew, when it was rebuilt or reset:"
        + " \(counted(history.lost.components.seconds / 60, "minute is", "minutes are")) lost"
    )
  }

  private func kept(_ index: Index, _ reasons: [Reason]) -> Finding {
    finding(index, .keep, [Reason("never_read", "hardly any query reads it, but")] + reasons)
  }

  private func finding(_ index: Index, _ verdict: Finding.Verdict, _ reasons: [Reason]) -> Finding {
    let table = whole(index)
    return context.finding(
      .unused, index, verdict, reasons,
      context.evidence(index) + [
        ("writes", .integer(writes(index))), ("rows", table?.rows.map(JSON.integer) ?? .null),
        ("table_size_bytes", .integer(table?.sizeBytes ?? 0)),
        ("made_at", .time(index.madeAt)), ("definition", .string(index.definition)),
      ])
  }
}
