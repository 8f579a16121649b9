import ArgumentParser
import Jobs
import Postgres
import Primitives

/// `ironforge job run sql`.
struct JobRunSQL: JobRunVerb {
  static let configuration = CommandConfiguration(
    commandName: SQLJob.name,
    abstract: "Run a statement over the rows of a table, a chunk of keys at a time.",
    discussion: """
      $1 in the statement is the array of the chunk's keys, in the type of the key's column. A key of several columns \
      gives an array each, in the order of --key: unnest($1, $2) makes rows of them again. The key must be unique, not \
      NULL, and must not be changed by the statement. Each row is visited once. Rows that are inserted while the job \
      runs are visited when they come after the place that it has reached and not after the last key at its start.

      A chunk that fails because of its data is split down to the rows that are at fault; these are recorded and \
      skipped, up to --max-failures. With --retry-failed they are tried again, each by itself.

      EXAMPLES:
        ironforge job run sql --table orders --key id \\
          --statement 'update orders set total = net + tax where id = any($1)' --max-rate 2000
        ironforge job run sql --table stock --key shop,item --file recount.sql --where 'amount < 0' --dry-run
          # recount.sql: update stock s set amount = 0 from unnest($1, $2) as k (shop, item)
          #              where (s.shop, s.item) = (k.shop, k.item)
        ironforge job run sql --retry-failed 01939bb7-9d52-7000-8000-000000000000
      """)

  @Option(help: ArgumentHelp("The table, by SQL's rules: quote a mixed-case name.", valueName: "name"))
  var table: String?

  @Option(help: ArgumentHelp("The columns of its unique key.", valueName: "column,…"))
  var key: String?

  @Option(help: ArgumentHelp("What to run for a chunk; it uses $1.", valueName: "sql"))
  var statement: String?

  @Option(
    help: ArgumentHelp("The file with the statement; - is stdin.", valueName: "file"), completion: .file())
  var file: String?

  @Option(help: ArgumentHelp("Visit only rows for which this is true.", valueName: "sql"))
  var `where`: String?

  @Option(help: ArgumentHelp("Try the rows again that failed in this run.", valueName: "run"))
  var retryFailed: Identifier?

  @Flag(help: "Say what would be done, with the server's plan, and write nothing.")
  var dryRun = false

  @OptionGroup(title: "Pace") var pace: JobPace
  @OptionGroup(title: "For cron") var cron: CronOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    if retryFailed != nil {
      guard table == nil, key == nil, statement == nil, file == nil, `where` == nil else {
        throw ValidationError("--retry-failed takes table, key and statement from the run that it names.")
      }
      return
    }
    guard table != nil, key != nil else { throw ValidationError("--table and --key are needed.") }
    guard (statement == nil) != (file == nil) else {
      throw ValidationError("Give either --statement or --file.")
    }
  }

  func runConcurrently(in context: CommandContext) async throws {
    let execution = JobExecution(
      try job(in: context), try settings(in: context), retries: retryFailed, in: context)
    try await dryRun ? execution.rehearse() : execution.run()
  }

  private func job(in context: CommandContext) throws -> SQLJob {
    if let retryFailed {
      let session = try context.openSession()
      defer { session.close() }
      return try SQLJob(retryingFailuresOf: JobRecords(session).run(retryFailed))
    }
    let text = try file.map { SQLText(try Self.read($0), file: $0) } ?? SQLText(statement ?? "")
    return SQLJob(table: table ?? "", key: key ?? "", statement: text, predicate: `where`)
  }

  /// The most bytes of a file that are read.
  private static let fileSizeMax = 1 << 20

  private static func read(_ path: String) throws -> String {
    let input = try InputFile(path)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = try buffer.withUnsafeMutableBytes { try input.read(into: $0) }
      if count == 0 { break }
      bytes += buffer.prefix(count)
      guard bytes.count <= fileSizeMax else {
        throw InputError(file: input.name, line: 1, "it is larger than a statement can be")
      }
    }
    guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
      throw InputError(file: input.name, line: 1, "it is not UTF-8 text")
    }
    return text
  }
}
