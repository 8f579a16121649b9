import ArgumentParser
import Indexes
import Postgres
import Primitives
import Pruning

/// `ironforge index restore`.
struct IndexRestore: CronCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Make indexes of an undo file again, as they were.",
    discussion: """
      Shows what it would do, and does it with --execute: concurrently, unique ones too, with tablespace, statistics \
      targets, comment, the extension that it depends on, and that the table is clustered on it; tables of indexes on expressions are analysed. What is there \
      already is left alone; what a run that was killed has left half done is repaired. Exit 3 when an index could not be \
      made. In another database than that of the file \
      --execute also wants the name of the database in --confirm.

      EXAMPLES:
        ironforge index restore prune-wallet-2026-11-23.sql
        ironforge index restore prune-wallet-2026-11-23.sql --only orders_placed_idx --execute
      """)

  @Argument(
    help: ArgumentHelp("The file that `index prune` has written.", valueName: "undo-file"),
    completion: .file(extensions: ["sql"]))
  var file: String

  @Option(
    help: ArgumentHelp("Only this index, as NAME or SCHEMA.NAME; may be repeated.", valueName: "index"))
  var only: [String] = []

  @Flag(help: "Do it.")
  var execute = false

  @Option(
    help: ArgumentHelp(
      "The name of the database, where the file is of another one.", valueName: "database"))
  var confirm: String?

  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  var runName: String { "index restore" }
  var lockName: String? { execute ? indexChangesLock : nil }

  func run(in context: CommandContext) throws {
    let undo = try UndoStore(file).read()
    let entries = try chosen(undo)
    let session = try context.openCancellableSession(as: "ironforge index restore")
    let facts = try ServerFacts(session)
    if let confirm { try requireConfirmation(confirm, facts.database) }
    if undo.system != facts.system || undo.database != facts.database {
      try tellApart(undo, facts, context.messages)
    }
    if execute { try facts.requireChangeable("index restore --execute") }
    var current: RelationName?
    let restorer = Restorer(
      session, lockTimeout: session.options.lockTimeout,
      shouldStop: { context.signals.received != nil },
      onWait: { holders, pause in
        if let current { tellWaiting(for: current, holders, pause, context.messages) }
      })
    guard execute else {
      let rows = try entries.map { RestoreRow($0, try restorer.action(for: $0.restoration)) }
      try context.output.render(RestoreView(rows: rows, isExecuted: false))
      context.messages.info("nothing was changed; make them again with --execute")
      return
    }
    var rows: [RestoreRow] = []
    for entry in entries {
      current = entry.restoration.index
      let outcome =
        context.signals.received != nil ? RestoreOutcome.notTried : restorer.restore(entry.restoration)
      if case .restored = outcome { context.messages.info("restored \(entry.restoration.index)") }
      rows.append(RestoreRow(entry, outcome))
    }
    context.itemCount = Int64(rows.count { $0.isDone })
    let isDone = rows.allSatisfy(\.isDone)
    try context.output.render(RestoreView(rows: rows, isExecuted: true), isSuccess: isDone)
    if rows.contains(where: \.isDone) {
      context.messages.info(
        "the next `index prune` may plan them again: what is to stay belongs into its --baseline")
    }
    try context.signals.check()
    if isDone { return }
    try endAsFailed(rows.compactMap(\.failure), hasDoneSome: rows.contains(where: \.isDone))
  }

  private func tellApart(_ undo: UndoFile, _ facts: ServerFacts, _ messages: Messages) throws {
    let what = "the file is of database \(undo.database) of another server or name; this is \(facts.database)"
    guard execute, confirm == nil else { return messages.warning(what) }
    throw SimpleFailure(
      .usage, code: "undo_of_another_database", message: what,
      hint: "if its indexes are to be made here all the same: --confirm \(facts.database)")
  }

  private func chosen(_ undo: UndoFile) throws -> [UndoFile.Entry] {
    if only.isEmpty { return undo.entries }
    return try only.map { name in
      let found = undo.entries.filter {
        // By bytes, as the server does it.
        ExactText($0.restoration.index.name) == ExactText(name)
          || ExactText($0.restoration.index.description) == ExactText(name)
      }
      guard let entry = found.first, found.count == 1 else {
        throw SimpleFailure(
          .usage, code: found.isEmpty ? "index_not_in_file" : "index_ambiguous",
          message: found.isEmpty
            ? "\(file) has no index \(name)" : "\(file) has \(name) in several schemas",
          hint:
            "it has \(undo.entries.prefix(20).map(\.restoration.index.description).joined(separator: ", "))")
      }
      return entry
    }
  }
}

/// An index of an undo file with what is to be done about it, or what was.
struct RestoreRow: Sendable {
  let entry: UndoFile.Entry
  /// What is to be done, or what it has come to, in a word.
  let state: String
  let reason: String?
  let isDone: Bool
  let failure: (any Failure)?
  let statements: [String]

  init(_ entry: UndoFile.Entry, _ action: RestoreAction) {
    self.entry = entry
    state = action.name
    isDone = false
    failure = nil
    switch action {
    case .create:
      (reason, statements) = (nil, entry.restoration.statements)
    case .rebuild:
      let drop = "DROP INDEX CONCURRENTLY \(entry.restoration.index.quoted);"
      (reason, statements) = (
        "a build or a drop was left half done", [drop] + entry.restoration.statements
      )
    case .complete(let missing): (reason, statements) = (nil, missing)
    case .present: (reason, statements) = (nil, [])
    case .refused(let why): (reason, statements) = (why.sentence, [])
    }
  }

  init(_ entry: UndoFile.Entry, _ outcome: RestoreOutcome) {
    self.entry = entry
    state = outcome.name
    isDone = outcome.isDone
    statements = []
    switch outcome {
    case .restored, .present: (reason, failure) = (nil, nil)
    case .refused(let why): (reason, failure) = (why.sentence, nil)
    case .failed(let why, let isLeftover):
      let leftover =
        isLeftover ? "; what is left of it no query uses, and the same command repairs it" : ""
      (reason, failure) = (why.message + leftover, why)
    case .notTried: (reason, failure) = ("the run was stopped before", nil)
    }
  }

  var json: JSON {
    let restoration = entry.restoration
    return [
      "index": .string(restoration.index.name), "schema": .string(restoration.index.schema),
      "table": .string(restoration.table.name), "state": .string(state), "reason": .optional(reason),
      "statements": .array(statements.map(JSON.string)), "noted_at": .string(entry.notedAt),
    ]
  }
}

/// What `index restore` prints.
struct RestoreView: Renderable {
  let rows: [RestoreRow]
  let isExecuted: Bool

  var json: JSON { ["plan": .array(rows.map(\.json)), "executed": .bool(isExecuted)] }

  var text: String {
    var lines = rows.flatMap { row in
      let object = "\(row.entry.restoration.index.name) on \(row.entry.restoration.table)"
      let reason = row.reason.map { ": \($0)" } ?? ""
      return ["\(row.state): \(terminalSafe(object + reason))"]
        + row.statements.map { "    \(terminalSafe($0))" }
    }
    let done = rows.count { isExecuted ? $0.isDone : $0.state == "present" }
    let verb = done == 1 || rows.count == 1 ? "is" : "are"
    let of = "\(done) of \(counted(rows.count, "index", "indexes")) of the file \(verb) there"
    lines.append(isExecuted ? "\(of)." : "\(of) and whole.")
    return lines.joined(separator: "\n")
  }

  var csv: (header: [String], rows: [[String]]) {
    (
      ["schema", "table", "index", "state", "reason"],
      rows.map { row in
        [
          row.entry.restoration.index.schema, row.entry.restoration.table.name,
          row.entry.restoration.index.name, row.state, row.reason ?? "",
        ]
      }
    )
  }
}
