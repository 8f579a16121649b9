internal import Indexes
internal import Primitives

/// Migrations, indexes, plans and planner statistics. What is wrong with an index is `index audit`'s to say.
struct DatabaseRules {
  let facts: CheckupFacts

  var items: [CheckupItem] {
    [
      migrations, walletIndex, planPending, plan(.planAssets, "assets"), plan(.planUsers, "users"), invalid,
      foreignKeys, unused, redundant, bloat, sequentialScans, staleStatistics,
    ]
  }

  private var migrations: CheckupItem {
    facts.migrations.judged(.migrations) { state in
      let check = Check.migrations
      if !state.broken.isEmpty {
        return check.fault(
          "not as the files say: \(listed(state.broken))", .shell("ironforge migrate verify"),
          .init("broken", state.broken.count))
      }
      guard state.pending.isEmpty else {
        return check.fault(
          "\(state.pending.count) to be applied: \(listed(state.pending))", .shell("ironforge migrate up"),
          .init("pending", state.pending.count))
      }
      return check.good("all \(state.applied) are applied", .init("applied", state.applied))
    }
  }

  // MARK: The composite index

  private var walletIndex: CheckupItem {
    let check = Check.walletIndex
    guard let table = transactions else { return check.notJudged("there is no table public.transactions") }
    let candidates = facts.catalog.indexes(of: table.oid).filter { isComposite($0, of: table) }
    if let index = candidates.first(where: \.isWhole) {
      return check.good("it is \(index.name.description)", .init("size_bytes", index.sizeBytes))
    }
    if let broken = candidates.first {
      return check.fault(
        "\(broken.name.description) is there and not valid",
        .sql("REINDEX INDEX CONCURRENTLY \(broken.name.quoted);"))
    }
    let how = table.isPartitioned ? "" : " CONCURRENTLY"
    return check.fault(
      "no index finds a wallet's entries of one status in the order of time",
      .sql(
        "CREATE INDEX\(how) idx_tx_wallet_status_time ON \(table.name.quoted) (wallet_id, status, created_at DESC);"
      ), .init("rows", facts.catalog.summed(table).rows ?? 0))
  }

  private var transactions: Table? {
    facts.catalog.tables.values.first { $0.name.schema == "public" && $0.name.name == "transactions" }
  }

  /// The two that are compared for equality in any order, then the time: a B-tree is read backwards as well.
  private func isComposite(_ index: Index, of table: Table) -> Bool {
    guard index.method == "btree", index.predicate == nil, index.keys.count >= 3 else { return false }
    let names = index.keys.prefix(3).map { key in key.column.flatMap { table.columns[$0]?.name } }
    return Set(names.prefix(2)) == ["wallet_id", "status"] && names.last == "created_at"
  }

  // MARK: Plans

  private var planPending: CheckupItem {
    // Without it one fault is enough.
    guard walletIndex.isOK else {
      return Check.planPending.notJudged("the composite index is missing, see \(Check.walletIndex.rawValue)")
    }
    return plan(.planPending, "transactions")
  }

  private func plan(_ check: Check, _ table: String) -> CheckupItem {
    (facts.plans[check] ?? .unknown("it was not asked for")).judged(check) { path in
      if !path.tablesReadWhole.isEmpty {
        return check.fault(
          "no index serves it: \(listed(path.tablesReadWhole)) must be read whole", Self.index(for: check))
      }
      if path.isSorted {
        return check.fault("no index gives its order: rows are sorted each time", Self.index(for: check))
      }
      return check.good("by index: \(listed(path.indexes))")
    }
  }

  /// What SPEC section 2.1 has in the schema for it.
  private static func index(for check: Check) -> Fix {
    switch check {
    case .planAssets: .sql("CREATE INDEX CONCURRENTLY ON public.assets (wallet_id);")
    case .planUsers: .sql("CREATE INDEX CONCURRENTLY ON public.users (last_login_at);")
    default: .sql("CREATE INDEX CONCURRENTLY ON public.transactions (wallet_id, status, created_at DESC);")
    }
  }

  // MARK: What an index audit says

  private func findings(_ kinds: Set<Finding.Kind>, _ verdicts: Set<Finding.Verdict>) -> [Finding] {
    facts.audit.findings.filter { kinds.contains($0.kind) && verdicts.contains($0.verdict) }
  }

  private func names(_ findings: [Finding]) -> String {
    listed(
      findings.map { finding in
        finding.index.map { "\(finding.table.schema).\($0)" } ?? finding.table.description
      })
  }

  private func count(_ findings: [Finding]) -> CheckupItem.Figure { .init("count", findings.count) }

  private func bytes(_ findings: [Finding]) -> CheckupItem.Figure {
    .init("size_bytes", findings.reduce(0) { $0.addingReportingOverflow($1.sizeBytes).partialValue })
  }

  private var invalid: CheckupItem {
    let found = findings([.invalid], [.drop, .rebuild, .review])
    guard !found.isEmpty else { return Check.invalidIndexes.good("none") }
    let ddl = found.prefix(10).compactMap(\.ddl)
    let fix =
      ddl.isEmpty ? Fix.shell("ironforge index audit --only invalid") : .sql(ddl.joined(separator: "\n"))
    return Check.invalidIndexes.fault(
      "no query can use \(names(found)), and writes may pay for it", fix, count(found), bytes(found))
  }

  private var foreignKeys: CheckupItem {
    let found = findings([.missingForeignKeyIndex], [.create])
    guard !found.isEmpty else { return Check.foreignKeys.good("every one that needs one has it") }
    let ddl = found.prefix(10).compactMap(\.ddl)
    return Check.foreignKeys.fault(
      "missing on \(names(found))",
      ddl.isEmpty
        ? .shell("ironforge index audit --only missing_fk_index") : .sql(ddl.joined(separator: "\n")),
      count(found))
  }

  private var unused: CheckupItem {
    let found = findings([.unused], [.drop])
    if !found.isEmpty {
      return Check.unusedIndexes.fault(
        "nobody reads \(names(found))", .shell("ironforge index prune --only unused"), count(found),
        bytes(found))
    }
    if !facts.audit.trust.isTrusted { return Check.unusedIndexes.notJudged(doubts) }
    return Check.unusedIndexes.good("none")
  }

  private var redundant: CheckupItem {
    let kinds: Set<Finding.Kind> = [.redundant, .duplicate]
    let found = findings(kinds, [.drop])
    if !found.isEmpty {
      return Check.redundantIndexes.fault(
        "others do the work of \(names(found))", .shell("ironforge index prune --only redundant,duplicate"),
        count(found), bytes(found))
    }
    let doubtful = findings(kinds, [.review])
    guard doubtful.isEmpty else {
      return Check.redundantIndexes.notJudged(
        "others seem to do the work of \(names(doubtful)), but \(doubts)", count(doubtful))
    }
    return Check.redundantIndexes.good("none")
  }

  private var doubts: String { facts.audit.trust.doubts.map(\.sentence).joined(separator: "; ") }

  private var bloat: CheckupItem {
    let found = findings([.bloated], [.rebuild])
    guard !found.isEmpty else { return Check.bloat.good("none, as far as is known") }
    return Check.bloat.fault(
      "at least twice the size that they need: \(names(found))",
      .shell("ironforge job run rebuild-bloated"), count(found), bytes(found))
  }

  private var sequentialScans: CheckupItem {
    let found = findings([.missing], [.review, .create])
    guard !found.isEmpty else { return Check.sequentialScans.good("none") }
    return Check.sequentialScans.fault(
      "again and again: \(names(found))", .shell("ironforge index advise --from-statements"), count(found))
  }

  private var staleStatistics: CheckupItem {
    let found = findings([.staleStatistics], [.analyze])
    guard !found.isEmpty else { return Check.staleStatistics.good("fresh") }
    return Check.staleStatistics.fault(
      "missing or out of date: \(names(found))", .shell("ironforge db analyze --stale-only --execute"),
      count(found))
  }
}

/// The first few, and how many more there are.
func listed(_ names: [String], limit: Int = 3) -> String {
  let rest = names.count - limit
  return names.prefix(limit).joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
}

/// Seconds for people.
func spoken(_ seconds: Double) -> String {
  guard seconds.isFinite, seconds >= 0 else { return "0 s" }
  return switch seconds {
  case ..<1: "\(Int(seconds * 1000)) ms"
  case ..<120: "\(Int(seconds)) s"
  case ..<7200: "\(Int(seconds / 60)) min"
  case ..<172_800: "\(Int(seconds / 3600)) h"
  default: "\(Int(min(seconds, 1e12) / 86_400)) days"
  }
}

/// Bytes for people.
func spoken(bytes: Int64) -> String {
  switch bytes {
  case ..<(10 << 10): "\(bytes) B"
  case ..<(10 << 20): "\(bytes >> 10) kB"
  case ..<(10 << 30): "\(bytes >> 20) MB"
  default: "\(bytes >> 30) GB"
  }
}

/// The nearest `Int64`: what a server or Redis says may be anything.
func whole(_ value: Double) -> Int64 {
  if value.isNaN { return 0 }
  return Int64(exactly: value.rounded(.towardZero)) ?? (value < 0 ? .min : .max)
}

/// `a - b`, or the nearest that there is.
func difference(_ a: Int64, _ b: Int64) -> Int64 { Int64(clamping: Int128(a) - Int128(b)) }

/// A share as percent, with one digit behind the point.
func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
