import ArgumentParser
import Batch
import Configuration
import Ledger
import Primitives
import Wallet

/// `ironforge transfer batch`.
struct TransferBatch: CronCommand {
  static let configuration = CommandConfiguration(
    commandName: "batch",
    abstract: "Carry out a file of transfers, exactly once.",
    discussion: """
      The rows are carried out as if they were sent one after another, in the order of the file. CSV with a header, \
      or NDJSON with the same names ('?' may be absent or empty):
        key?,from,to,amount,currency,memo?,kind?,ref?,expires?

      kind is transfer (the default), hold, capture, void or reverse. A capture, void or reverse names in ref the \
      transfer that it is about, by id or key, and leaves from, to and currency empty; without an amount it is \
      about all of it. A hold may have expires, such as 15m. A row without a key gets one made from the file's \
      SHA-256 and its line: the same file is always the same set of keys.

      Run it again after anything that cut it short, kill -9 included: what is done is not done twice, and the \
      outcome file is that of one uninterrupted run. Several processes may run the same file at once; with \
      --lock-wait, be it 0, batches of one database take turns instead, and one that gets none exits 75. A malformed \
      row is refused as row_malformed and the rest goes on; a file that cannot be told apart into rows is refused \
      (65) before any money moves. When rows without keys were paid and the file was edited before the batch was \
      finished, it is refused (4): put the original back, or say --as-new-batch.

      EXIT CODES: 0 all rows are done; 3 some were refused (they are listed); 4 nothing was carried out (--atomic, or \
      an edited file); 5 the outcome of a chunk is unknown, 69 the database is gone, 130 and 143 it was stopped: run \
      the same command again.

      EXAMPLES:
        ironforge transfer batch payouts.csv --outcome outcome.csv --retry-file retry.csv
        ironforge transfer batch payouts.csv --dry-run --json
        zcat payouts.ndjson.gz | ironforge transfer batch - --outcome outcome.csv --quiet
      """)

  @Argument(help: "The file; - is standard input.", completion: .file())
  var file: String

  @Option(
    help: ArgumentHelp(
      "Write the outcome of every row: line,key,code,transfer_id,message.", valueName: "file"),
    completion: .file())
  var outcome: String?

  @Option(
    help: ArgumentHelp("Write the refused rows that may succeed later, with new keys.", valueName: "file"),
    completion: .file())
  var retryFile: String?

  @Option(
    help: ArgumentHelp(
      "Rows a transaction (with --atomic: rows a step of it), 1 to 100000; chosen by itself if neither this nor batch.chunk_size is set.",
      valueName: "n"))
  var chunkSize: Int?

  @Flag(help: "All rows or none, in one transaction.")
  var atomic = false

  @Flag(help: "Say what would happen to each row, and write nothing to the database.")
  var dryRun = false

  @Flag(help: "Carry out a file that was edited after a run of it was cut short, as a batch of its own.")
  var asNewBatch = false

  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  /// What a chunk may be: its rows are in memory, and their wallets locked, all at once.
  private static let chunkSizes = 1...100_000

  func validate() throws {
    if let chunkSize, !Self.chunkSizes.contains(chunkSize) {
      throw ValidationError("--chunk-size must be from 1 to \(Self.chunkSizes.upperBound).")
    }
    if let outcome, outcome == retryFile {
      throw ValidationError("--outcome and --retry-file must be two files.")
    }
  }

  var runName: String { "transfer batch" }

  /// Batches at the same time are safe, since rows have keys. Only who asks for it waits for others.
  var lockName: String? { cron.lockWait == nil ? nil : runName }

  func run(in context: CommandContext) throws {
    let signals = context.signals
    let shouldStop = { @Sendable in signals.received != nil }
    // A signal lets the chunk that is under way come to its end.
    let registration = try signals.onStop {}
    defer { withExtendedLifetime(registration) {} }
    let source = try BatchSource(file, shouldStop: shouldStop)
    let batch = BatchRun(
      source, options: try options(context), processor: try processor(context), shouldStop: shouldStop)
    let progress = context.progress(dryRun ? "rehearsing" : "transferring")
    let report: BatchReport
    do {
      report = try batch.run { done, total in
        progress.update(done: Int64(done), total: Int64(total))
        context.itemCount = Int64(done)
      }
      progress.finish()
    } catch let error as BatchInterrupted where error.reason == nil {
      progress.finish()
      throw stopped(error, context)
    }
    context.itemCount = Int64(report.tally.rows)
    let view = BatchReportView(report: report, command: self)
    try context.output.render(view, isSuccess: !dryRun && !report.isAborted && report.tally.rejected == 0)
    try context.output.flush()
    // Until here a run that is cut short is taken up again by the next one.
    do {
      try batch.finish()
    } catch {
      context.messages.warning("the batch is done, and could not be marked as finished: \(error)")
    }
    if outcome == nil { listRefused(report.tally, context) }
    if report.isAborted { throw aborted(report.tally) }
    if report.tally.rejected > 0 { throw ExitCode(.partial) }
  }

  private func options(_ context: CommandContext) throws -> BatchOptions {
    let configuration = try context.configuration()
    var options = BatchOptions()
    options.outcomePath = outcome
    options.retryPath = retryFile
    options.chunkSize = chunkSize
    if let setting = Setting.all.first(where: { $0.name == "batch.chunk_size" }),
      chunkSize == nil, configuration.origin(of: setting) != .default
    {
      options.chunkSize = min(configuration.values.batch.chunkSize, Self.chunkSizes.upperBound)
    }
    options.isAtomic = atomic
    options.isDryRun = dryRun
    options.isNewBatch = asNewBatch
    return options
  }

  /// A chunk is short, so a signal waits for its end; one transaction over all rows is cancelled.
  private func processor(_ context: CommandContext) throws -> TransferProcessor {
    TransferProcessor(
      fence: try context.commitFence(), shouldStop: { [signals = context.signals] in signals.received != nil }
    ) {
      try atomic || dryRun ? context.openCancellableSession() : context.openSession()
    }
  }

  private func stopped(_ error: BatchInterrupted, _ context: CommandContext) -> SimpleFailure {
    guard let signal = context.signals.received else {
      return SimpleFailure(.unexpected, code: error.code, message: error.message, hint: error.hint)
    }
    var failure = Signals.failure(for: signal)
    failure.message = failure.message + error.message.dropFirst("stopped".utf8.count)
    failure.hint = error.hint
    return failure
  }

  private func listRefused(_ tally: BatchTally, _ context: CommandContext) {
    for row in tally.firstRefused {
      context.messages.warning(
        "line \(row.line): \(row.code.name): \(row.message)",
        fields: [
          ("line", .integer(Int64(row.line))), ("key", .string(row.key)), ("code", .string(row.code.name)),
        ])
    }
    let rest = tally.rejected - tally.firstRefused.count
    guard rest > 0 else { return }
    context.messages.warning("and \(rest) more rows were refused; --outcome FILE tells all of them")
  }

  private func aborted(_ tally: BatchTally) -> SimpleFailure {
    let innocent = tally.byCode[.result(.batchAborted)] ?? 0
    let spoilers = tally.rejected - innocent
    return SimpleFailure(
      .refused, code: "batch_aborted",
      message:
        "\(spoilers) of the \(tally.rows) rows \(spoilers == 1 ? "was" : "were") refused, so nothing was carried out",
      hint: "mend or remove the refused rows, then run the batch again")
  }
}

/// What a batch came to (SPEC section 2.5).
struct BatchReportView: Renderable {
  let report: BatchReport
  let outcome: String?
  let retryFile: String?
  let isDryRun: Bool

  init(report: BatchReport, command: TransferBatch) {
    self.report = report
    outcome = command.outcome
    retryFile = command.retryFile
    isDryRun = command.dryRun
  }

  private var tally: BatchTally { report.tally }
  private var seconds: Double { (Double(report.nanoseconds) / 1e6).rounded() / 1000 }
  private var rate: Double { (Double(tally.rows) * 1e9 / Double(max(1, report.nanoseconds))).rounded() }

  /// The codes that occurred, the most frequent first.
  private var codes: [(name: String, count: Int)] {
    tally.byCode.map { (name: $0.key.name, count: $0.value) }
      .sorted { $0.count != $1.count ? $0.count > $1.count : $0.name < $1.name }
  }

  var json: JSON {
    [
      "rows": .integer(Int64(tally.rows)), "created": .integer(Int64(tally.created)),
      "exists": .integer(Int64(tally.exists)), "rejected": .integer(Int64(tally.rejected)),
      "by_code": .object(codes.map { (key: $0.name, value: .integer(Int64($0.count))) }),
      "seconds": .number(seconds), "rows_per_second": .number(rate), "outcome": .optional(outcome),
      "retry_file": .optional(retryFile), "aborted": .bool(report.isAborted), "dry_run": .bool(isDryRun),
    ]
  }

  var text: String {
    let verb = (isDryRun ? "Would carry out" : "Carried out") + (report.isAborted ? " none of" : "")
    var text =
      "\(verb) \(tally.rows) rows in \(humanDuration(.nanoseconds(report.nanoseconds))) "
      + "(\(Int64(rate)) a second): \(tally.created) created, \(tally.exists) existed, \(tally.rejected) refused."
    if tally.rejected > 0 {
      text += "\n" + table(["code", .number("rows")], codes.map { [$0.name, String($0.count)] })
    }
    return text
  }

  var csv: (header: [String], rows: [[String]]) {
    let keys = [
      "rows", "created", "exists", "rejected", "seconds", "rows_per_second", "outcome", "retry_file",
    ]
    return (keys, [keys.map { json[$0]?.plainText ?? "" }])
  }
}
