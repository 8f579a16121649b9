import Glibc
import Primitives
import Synchronization

/// How data is printed.
enum OutputFormat: String, Sendable, CaseIterable {
  case text, json, csv
}

/// Everything that a command prints: data on stdout in the format that was asked for, messages on stderr.
///
/// Safe to use from several tasks; one call is never torn apart by another.
final class Output: Sendable {
  /// The format of data.
  let format: OutputFormat
  /// Where messages and progress go.
  let messages: Messages

  private let state: Mutex<State>
  private let isBold: Bool

  private struct State {
    var stream: FileStream
    var nextCursor: String?
  }

  /// `isColored` concerns stdout.
  init(format: OutputFormat, isColored: Bool, messages: Messages) {
    self.format = format
    self.messages = messages
    isBold = isColored
    state = Mutex(State(stream: FileStream(STDOUT_FILENO, bufferSize: 65_536)))
  }

  /// Prints one thing.
  ///
  /// - Throws: when stdout cannot be written; let it pass to the caller, who knows what to do.
  func render(_ value: some Renderable) throws {
    let encoder = encoder([], [])
    try state.withLock { state in
      try state.stream.write { encoder.appendDocument(value, to: &$0) }
    }
  }

  /// Prints what a run has come to that cron may have started. Text with `--quiet` goes into a mail, and nobody wants one of
  /// success; a program that asks for JSON or CSV gets it all the same.
  func render(_ value: some Renderable, isSuccess: Bool) throws {
    if isSuccess, messages.isQuiet, format == .text { return }
    try render(value)
  }

  /// Prints a list that is at hand. `nextCursor` says that more rows follow, see ``RowWriter/finish(nextCursor:)``.
  func render<Row: TableRow>(_ rows: some Sequence<Row>, nextCursor: String? = nil) throws {
    var writer = list(of: Row.self)
    for row in rows { try writer.append(row) }
    try writer.finish(nextCursor: nextCursor)
  }

  /// Prints a list as ``render(_:isSuccess:)`` prints one thing.
  func render<Row: TableRow>(_ rows: some Sequence<Row>, isSuccess: Bool) throws {
    if isSuccess, messages.isQuiet, format == .text { return }
    try render(rows)
  }

  /// Prints a list whose rows are too wide for a table: in text each as it prints by itself, with an empty line between two.
  func renderParagraphs<Row: TableRow>(_ rows: [Row]) throws {
    guard format == .text else { return try render(rows) }
    var isFirst = true
    for row in rows {
      let gap = isFirst ? "" : "\n"
      isFirst = false
      try write { $0 += "\(gap)\(row.text)\n".utf8 }
    }
  }

  /// Begins a list whose rows come one after the other.
  func list<Row: TableRow>(of type: Row.Type) -> RowWriter<Row> {
    RowWriter(self, encoder(Row.tableHeader, Row.csvHeader))
  }

  /// Writes what is buffered, and after it the cursor as stderr's last line. Called once, when the command is done.
  func finish() throws {
    try flush()
    guard let cursor = state.withLock({ $0.nextCursor }) else { return }
    if format == .json {
      messages.line(JSON.object([(key: "next_cursor", value: .string(cursor))]).description)
    } else {
      messages.info("more rows follow; go on with --cursor \(cursor)")
    }
  }

  /// Writes what is buffered. Needed where a person should see the data before a longer wait.
  func flush() throws {
    try state.withLock { try $0.stream.flush() }
  }

  fileprivate func write(_ body: (inout [UInt8]) -> Void) throws {
    try state.withLock { try $0.stream.write(body) }
  }

  fileprivate func remember(nextCursor: String?) {
    state.withLock { $0.nextCursor = nextCursor }
  }

  /// The only place that tells the formats apart.
  private func encoder(_ header: [TableColumn], _ csvHeader: [String]) -> any RowEncoder {
    switch format {
    case .text: TableEncoder(header, isBold: isBold)
    case .json: NDJSONEncoder()
    case .csv: CSVEncoder(csvHeader)
    }
  }
}

/// A list while it is printed. Memory stays bounded however long the list is.
struct RowWriter<Row: TableRow>: Sendable {
  private let output: Output
  private var encoder: any RowEncoder

  fileprivate init(_ output: Output, _ encoder: any RowEncoder) {
    self.output = output
    self.encoder = encoder
  }

  /// Prints one row.
  mutating func append(_ row: Row) throws {
    var bytes: [UInt8] = []
    encoder.append(row, to: &bytes)
    try output.write { $0 += bytes }
  }

  /// Ends the list. A `nextCursor` is told on stderr: more rows follow, and it is where to go on.
  mutating func finish(nextCursor: String? = nil) throws {
    var bytes: [UInt8] = []
    encoder.finish(to: &bytes)
    try output.write { $0 += bytes }
    output.remember(nextCursor: nextCursor)
  }
}
