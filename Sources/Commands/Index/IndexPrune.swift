import ArgumentParser
import Indexes
import Postgres
import Primitives
import Pruning

/// `ironforge index prune`.
struct IndexPrune: CronCommand {
  static let configuration = CommandConfiguration(
    commandName: "prune",
    abstract: "Drop indexes that an audit wants to have dropped, each with its proof; undo with restore.",
    discussion: """
      Shows its plan and changes nothing, until --execute and the name of the database in --confirm.

      The plan has the audit's `drop` findings of the kinds unused, redundant and duplicate. For each index the dearest \
      statements of pg_stat_statements on its table are planned again without it and those before it: hidden by HypoPG 1.4, \
      or for a superuser by a mark in the catalog that is rolled back at once. Held back are indexes without which a \
      statement gets dearer by more than a tenth, unused ones where nothing could be planned, those of partitioned tables, \
      which PostgreSQL cannot drop concurrently, and those of owners whose rights the role does not have.

      Before the first drop the undo file is on disk: by default prune-DATABASE-DATE.sql in this directory, which a second \
      run of the day adds to. Then each index is judged once more and dropped concurrently, one at a time. Behind \
      somebody's long transaction the run waits a bounded time, and then exits 3. The same command again finishes what \
      was left half done: without --undo it looks into all files prune-DATABASE-DATE.sql of this directory.

      A baseline accepts findings as in `index audit`: their indexes stay.

      EXAMPLES:
        ironforge index prune
        ironforge index prune --only redundant,duplicate --undo /srv/undo/wallet.sql --execute --confirm wallet
        ironforge index restore /srv/undo/wallet.sql --execute
      """)

  @Option(help: ArgumentHelp("How long usage must have been watched.", valueName: "duration"))
  var minAge = HumanDuration(seconds: 30 * 86_400)

  @Option(help: ArgumentHelp("Scans up to which an index counts as unused.", valueName: "n"))
  var maxScans: Int64 = 0

  @Option(
    help: ArgumentHelp("Only these kinds, separated by commas (default: all).", valueName: "kind,…"))
  var only: PrunedKinds?

  @Option(
    help: ArgumentHelp("The undo file; one that is there is added to.", valueName: "file.sql"),
    completion: .file(extensions: ["sql"]))
  var undo: String?

  @Option(
    help: ArgumentHelp("A file of accepted findings, whose indexes stay.", valueName: "file"),
    completion: .file(extensions: ["csv"]))
  var baseline: String?

  @Flag(help: "Drop an index also when a known statement gets dearer without it.")
  var acceptWorse = false

  @Flag(help: "Drop an index also when statements on its table could not be planned, or none is known.")
  var acceptUnproven = false

  @Flag(help: "Do it.")
  var execute = false

  @Option(help: ArgumentHelp("The name of the database, as a second thought.", valueName: "database"))
  var confirm: String?

  @OptionGroup var tables: TableOptions
  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  var runName: String { "index prune" }
  var lockName: String? { execute ? indexChangesLock : nil }

  /// As many statements of all tables are planned, and fifty of each table once more.
  private static let statementsMax = 200

  func validate() throws {
    guard (0...1_000_000_000).contains(maxScans) else {
      throw ValidationError("--max-scans must be from 0 to 1000000000.")
    }
    if undo?.isEmpty == true { throw ValidationError("--undo must name a file.") }
    if execute, confirm == nil {
      throw ValidationError("--execute needs the name of the database as well: --confirm DATABASE_NAME.")
    }
  }

  func run(in context: CommandContext) throws {
    let request = try request()
    let session = try context.openCancellableSession()
    let facts = try ServerFacts(session)
    if let confirm { try requireConfirmation(confirm, facts.database) }
    if execute { try facts.requireChangeable("index prune --execute") }
    let store = UndoStore(undo ?? Self.undoName(facts.database, .now()))
    var thresholds = Thresholds()
    thresholds.statisticsAge = minAge.duration
    thresholds.scansUnused = maxScans
    let pruner = Pruner(request, facts) { session in
      try context.audit(on: session, thresholds: thresholds)
    }
    let dearest = try DearestStatements(session, limit: Self.statementsMax)
    let plan = try pruner.plan(
      on: session, statements: dearest.statements, gap: dearest.gap,
      undo: try noted(store, facts, context.messages),
      check: context.signals.check)
    try context.signals.check()
    if let read = plan.catalogFacts { warnOfLockedTables(read, context.messages) }
    guard execute else { return try show(plan, store, facts, context) }
    try carryOut(plan, pruner, store, facts, context)
  }

  private func request() throws -> PruneRequest {
    var request = PruneRequest()
    if let only { request.kinds = only.kinds }
    request.tables = tables.selection
    request.acceptsWorse = acceptWorse
    request.acceptsUnproven = acceptUnproven
    request.baseline = try baseline.map { try Baseline(InputFile($0)) }
    return request
  }

  /// What earlier runs have begun to drop, the newest first: from the file of this run, and where nobody has named one, from those
  /// of other days.
  private func noted(_ store: UndoStore, _ facts: ServerFacts, _ messages: Messages) throws -> [UndoFile
    .Entry]
  {
    var entries = try store.read(for: facts)?.entries ?? []
    if undo != nil { return entries }
    let stem = Self.undoStem(facts.database)
    for name in try UndoStore.names(in: ".", beginning: stem).reversed() where name != store.path {
      do {
        entries += try UndoStore(name).read(for: facts)?.entries ?? []
      } catch let failure as any Failure {
        messages.warning("\(failure.message); what that file tells of is not finished")
      }
    }
    return entries
  }

  /// In UTC, so that a run begun before midnight elsewhere finds it again.
  static func undoName(_ database: String, _ now: Timestamp) -> String {
    "\(undoStem(database))\(now.description.prefix(10)).sql"
  }

  private static func undoStem(_ database: String) -> String {
    let safe = database.utf8.map { byte -> UInt8 in
      let isPlain =
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      return isPlain && byte < 0x80 ? byte : UInt8(ascii: "_")
    }
    return "prune-\(String(decoding: safe, as: UTF8.self))-"
  }

  private func show(
    _ plan: PrunePlan, _ store: UndoStore, _ facts: ServerFacts, _ context: CommandContext
  ) throws {
    context.itemCount = Int64(plan.dropped.count)
    try context.output.render(PruneView(plan, undo: store.path), isSuccess: plan.items.isEmpty)
    if plan.dropped.isEmpty { return }
    context.messages.info(
      "nothing was changed; drop them in database \(facts.database) with --execute --confirm \(facts.database)"
    )
  }

  private func carryOut(
    _ plan: PrunePlan, _ pruner: Pruner, _ store: UndoStore, _ facts: ServerFacts,
    _ context: CommandContext
  ) throws {
    let now = Timestamp.now()
    try store.add(plan.dropped.map { $0.entry(at: now) }, facts)
    // No signal cancels its statements: a DROP that is cancelled leaves half an index.
    let session = try context.openSession(as: "ironforge index prune")
    let messages = context.messages
    let outcomes = pruner.execute(
      plan, on: session, patience: .dropping(lockTimeout: session.options.lockTimeout),
      shouldStop: { context.signals.received != nil },
      onWait: { item, holders, pause in
        tellWaiting(for: item.restoration.index, holders, pause, messages)
      },
      onResult: { item, outcome in
        if outcome.isDone { messages.info("dropped \(item.restoration.index)") }
      })
    context.itemCount = Int64(outcomes.count { $0.isDone })
    let isDone = outcomes.allSatisfy(\.isDone)
    try context.output.render(PruneView(plan, undo: store.path, outcomes: outcomes), isSuccess: isDone)
    try context.signals.check()
    if isDone { return }
    let failures = outcomes.compactMap { outcome -> (any Failure)? in
      if case .failed(let failure, _) = outcome { failure } else { nil }
    }
    try endAsFailed(failures, hasDoneSome: outcomes.contains { $0.isDone })
  }
}

/// Kinds of findings for which `index prune` drops, on a command line: `unused,redundant`.
struct PrunedKinds: ExpressibleByArgument {
  let kinds: Set<Finding.Kind>

  init?(argument: String) {
    var kinds: Set<Finding.Kind> = []
    for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let kind = PruneRequest.kindsKnown.first(where: { $0.rawValue == name }) else { return nil }
      kinds.insert(kind)
    }
    self.kinds = kinds
  }

  static var allValueStrings: [String] { PruneRequest.kindsKnown.map(\.rawValue) }
}
