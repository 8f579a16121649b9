import Primitives

/// What did not fit into memory, and what is slow beside the nodes.
extension PlanReview {
  func spills() -> [PlanFinding] {
    analysis.entries.indices.compactMap { index in sortSpill(index) ?? hashSpill(index) ?? groupSpill(index) }
  }

  /// A setting that is enough, rounded up to something that one would write.
  func workMemory(kilobytes: Double) -> String {
    let megabytes = max(1, (kilobytes / 1024).rounded(.up))
    guard megabytes <= 4096 else {
      return "It would need more than 4 GB of work_mem: have fewer or narrower rows reach it."
    }
    let steps = [
      1.0, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096,
    ]
    let size = steps.first { $0 >= megabytes } ?? megabytes
    return
      "SET LOCAL work_mem = '\(PlanNumbers.fixed(size, 0))MB' for this statement (by estimate), or have fewer rows"
      + " or columns reach it."
  }

  private func sortSpill(_ index: Int) -> PlanFinding? {
    let entry = analysis.entries[index]
    let spaces = [entry.node.details] + entry.node.workers.map(\.details)
    let onDisk = spaces.filter { space in
      space.contains { $0.key == "Sort Space Type" && $0.value.text == "Disk" }
    }
    guard !onDisk.isEmpty, matters(index), let actual = entry.node.actual else { return nil }
    let sizes = onDisk.map { space in space.first { $0.key == "Sort Space Used" }?.value.real ?? 0 }
    // tuplesort.c: 24 bytes in an array that doubles, and the row with its header; the file has the row alone.
    let need = max(
      actual.rows * (entry.node.width > 0 ? Double(entry.node.width) + 96 : 96) / 1024, (sizes.max() ?? 0) * 2
    )
    let written = sizes.reduce(0, +)
    return PlanFinding(
      .sortSpills, entry: index, node: entry.node.label,
      message: "The sort does not fit into work_mem and writes \(PlanNumbers.kilobytes(written)) to disk"
        + "\(timeText(entry.ownTime)).",
      nextStep: workMemory(kilobytes: need) + " An index in this order needs no sort.", weight: ownTime(index)
    )
  }

  /// From PostgreSQL 15 on a hash may take twice `work_mem`; where the version is not known nothing is counted on.
  private var hashMultiplier: Double {
    let given = analysis.plan.settings.first { $0.name == "hash_mem_multiplier" }.flatMap { Double($0.value) }
    if let given, given >= 1, given <= 1000 { return given }
    return (context.serverVersion ?? 0) >= 150_000 ? 2 : 1
  }

  private func hashSpill(_ index: Int) -> PlanFinding? {
    let entry = analysis.entries[index]
    let batches = entry.node.real("Hash Batches")
    guard entry.node.type == "Hash", batches > 1, matters(index) else { return nil }
    let need = entry.node.real("Peak Memory Usage") * batches / hashMultiplier
    let pages = entry.parent.map { analysis.entries[$0].ownBuffers } ?? BufferUse()
    let written = entry.ownBuffers.tempWritten + pages.tempWritten
    return PlanFinding(
      .hashSpills, entry: index, node: entry.node.label,
      message:
        "The hash table does not fit into memory: it is cut into \(PlanNumbers.count(batches)) batches,"
        + " and \(PlanNumbers.pages(written)) are written to disk"
        + "\(timeText((entry.ownTime ?? 0) + (entry.parent.flatMap { analysis.entries[$0].ownTime } ?? 0))).",
      nextStep: workMemory(kilobytes: need), weight: entry.parent.map(ownTime) ?? ownTime(index))
  }

  private func groupSpill(_ index: Int) -> PlanFinding? {
    let entry = analysis.entries[index]
    let disk = entry.node.real("Disk Usage")
    guard entry.node.type == "Aggregate", disk > 0, matters(index), let actual = entry.node.actual else {
      return nil
    }
    // nodeAgg.c: a row of the table, its header and one state for each aggregate.
    let need = max(
      actual.rows * Double(entry.node.width + 160) / 1024, entry.node.real("Peak Memory Usage") * 2)
    return PlanFinding(
      .hashSpills, entry: index, node: entry.node.label,
      message: "The groups do not fit into memory: \(PlanNumbers.kilobytes(disk)) are written to disk"
        + "\(timeText(entry.ownTime)).",
      nextStep: workMemory(kilobytes: need / hashMultiplier), weight: ownTime(index))
  }

  // MARK: The statement as a whole

  func statementWide() -> [PlanFinding] {
    triggers() + [jit(), planning(), disk()].compactMap { $0 }
      + analysis.entries.indices.compactMap { workers($0) }
  }

  private func triggers() -> [PlanFinding] {
    guard let total = analysis.totalTime, total > 0 else { return [] }
    return analysis.plan.triggers.compactMap { trigger in
      guard let time = trigger.time, time >= limits.triggerShare * total, time >= limits.statementTime else {
        return nil
      }
      let table = trigger.relation.map { " on \($0)" } ?? ""
      let calls = "\(PlanNumbers.count(trigger.calls, "call"))\(timeText(time))"
      return PlanFinding(
        .triggerSlow, node: "Trigger \(trigger.name)\(table)",
        message: trigger.isConstraint
          ? "What the constraint \(trigger.name) does for each row, a check or ON DELETE and ON UPDATE actions, takes"
            + " \(calls)."
          : "It takes \(calls).",
        nextStep: trigger.isConstraint
          ? stepForKey(trigger)
          : "See what its function does, for example with auto_explain.log_nested_statements.", weight: time)
    }
  }

  /// The plan names the constraint, not the columns: the server is asked for them.
  private func stepForKey(_ trigger: TriggerUse) -> String {
    let name = trigger.name.doubling(["'"])
    return
      "A deleted or changed row is looked up in the table that refers to it, and without an index that table is read"
      + " whole each time. Which table and columns: SELECT conrelid::regclass, pg_get_constraintdef(oid) FROM"
      + " pg_constraint WHERE contype = 'f' AND conname = '\(name)'; if no index begins with those columns:"
      + " CREATE INDEX CONCURRENTLY ON that table (those columns)."
  }

  /// What a node costs more that `enable_…` switches off, up to PostgreSQL 17 (costsize.c, `disable_cost`).
  private static let disableCost = 1e10

  private func jit() -> PlanFinding? {
    guard let time = analysis.plan.jit?.total, let total = analysis.totalTime, total > 0,
      time >= limits.jitShare * total, time >= limits.statementTime
    else { return nil }
    let cost = analysis.entries[0].node.totalCost
    return PlanFinding(
      .jitSlow, node: "JIT",
      message:
        "Compiling \(PlanNumbers.count(Double(analysis.plan.jit?.functions ?? 0), "function")) takes longer than it can win\(timeText(min(time, total))).",
      nextStep: cost >= Self.disableCost
        ? "Its cost of \(PlanNumbers.count(cost)) is the penalty of a plan that is switched off: see which enable_…"
          + " setting is off, and set it on, or SET jit = off for this statement."
        : "SET jit = off for this statement, or raise jit_above_cost over its cost of \(PlanNumbers.count(cost)).",
      weight: time)
  }

  private func planning() -> PlanFinding? {
    guard let time = analysis.plan.planningTime, time >= limits.planningTime,
      let execution = analysis.plan.executionTime ?? analysis.totalTime, time > execution
    else { return nil }
    return PlanFinding(
      .planningSlow, node: "Planning",
      message:
        "Planning takes \(PlanNumbers.time(time)), longer than the execution (\(PlanNumbers.time(execution))).",
      nextStep:
        "Prepare the statement once and run it often; join fewer tables, touch fewer partitions. A first plan on a new"
        + " connection also fills the catalog's caches: explain twice.", weight: time)
  }

  private func disk() -> PlanFinding? {
    let time = analysis.entries[0].node.buffers.readTime
    guard let total = analysis.totalTime, total > 0 else { return nil }
    // Several processes wait at the same time.
    let processes = analysis.entries.map(\.processes).max() ?? 1
    guard time / processes >= limits.readShare * total else { return nil }
    let pages = analysis.entries[0].node.buffers.pagesRead
    return PlanFinding(
      .readsFromDisk, node: label(0),
      message:
        "Most of the time is waiting for \(PlanNumbers.pages(pages)) from disk\(timeText(time / processes)).",
      nextStep:
        "Explain again: when it is fast now, the cache was cold. If not, read fewer pages, or give the server more"
        + " memory (shared_buffers).", weight: time / processes)
  }

  private func workers(_ index: Int) -> PlanFinding? {
    let entry = analysis.entries[index]
    let planned = entry.node.real("Workers Planned")
    guard planned > 0, let launched = entry.node[detail: "Workers Launched"].real, launched < planned,
      (entry.node.actual?.loops ?? 0) > 0, matters(index)
    else { return nil }
    return PlanFinding(
      .workersMissing, entry: index, node: entry.node.label,
      message:
        "Of \(PlanNumbers.count(planned, "worker")) that \(planned == 1 ? "was" : "were") planned \(PlanNumbers.count(launched)) could be started.",
      nextStep: "Other statements had them: raise max_parallel_workers (and max_worker_processes), or lower"
        + " max_parallel_workers_per_gather.", weight: entry.time ?? 0)
  }
}
