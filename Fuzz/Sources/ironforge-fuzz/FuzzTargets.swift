import Primitives

@testable import Advice
@testable import Batch
@testable import Configuration
@testable import Indexes
@testable import Migrations
@testable import Plans
@testable import Pruning
@testable import Redis
@testable import SQLSyntax
@testable import Wallet

/// Reads any bytes. To refuse them is fine; a trap, a leak, a hang or a broken promise is a finding.
typealias FuzzTarget = @Sendable ([UInt8]) -> Void

/// The parsers of text that comes from outside, by name.
let fuzzTargets: [String: FuzzTarget] = [
  "toml": readTOML, "csv": { readRows($0, .csv) }, "ndjson": { readRows($0, .ndjson) }, "json": readJSON,
  "resp": readReplies, "plan": readPlan, "values": readValues, "reference": readReference,
  "migration": readMigration, "baseline": readBaseline, "undo": readUndoFile, "predicate": readPredicates,
  "sql": readSQL, "workload": readWorkload,
]

/// Text as an argument or a column has it.
private func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

/// A promise of the code under test.
private func require(_ condition: Bool, _ promise: @autoclosure () -> String) {
  if !condition { fatalError("broken promise: \(promise())") }
}

/// Hands the bytes over in pieces, as files do; the first byte says how large they are.
private func source(_ bytes: [UInt8]) -> (UnsafeMutableRawBufferPointer) -> Int {
  var rest = bytes.dropFirst()
  let piece = max(1, Int(bytes.first ?? 1))
  return { buffer in
    let taken = rest.prefix(min(piece, buffer.count))
    buffer.copyBytes(from: taken)
    rest = rest.dropFirst(taken.count)
    return taken.count
  }
}

private func readTOML(_ bytes: [UInt8]) {
  guard let document = try? TOMLDocument(bytes) else { return }
  require(document.entries.count <= TOMLDocument.maxEntries, "more entries than allowed")
  let lines = bytes.count { $0 == 0x0A } + 1
  for entry in document.entries {
    require((1...lines).contains(entry.key.line) && entry.key.column >= 1, "a key at \(entry.key)")
  }
}

private func readRows(_ bytes: [UInt8], _ format: BatchFormat) {
  guard var reader = try? format.reader(name: "f", read: source(bytes)) else { return }
  var row = RowText()
  var line = 0
  while (try? reader.next(into: &row)) == true {
    require(row.line > line, "line \(row.line) after \(line)")
    line = row.line
    let request = BatchRow(row) { "made-\($0)" }
    require(request.fault != nil || request.key.utf8.count <= 200, "a key of \(request.key.utf8.count) bytes")
  }
}

private func readJSON(_ bytes: [UInt8]) {
  guard let value = try? JSON(parsing: bytes) else { return }
  let written = Array(value.description.utf8)
  require((try? JSON(parsing: written)) == value, "written and read again it is another value")
}

private func readReplies(_ bytes: [UInt8]) {
  guard let reader = ReplyReader() else { return }
  let read = source(bytes)
  var buffer = [UInt8](repeating: 0, count: 256)
  while true {
    let count = buffer.withUnsafeMutableBytes(read)
    if count == 0 { return }
    do {
      try buffer.withUnsafeBytes { try reader.feed(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      while let reply = try reader.next() {
        _ = try? reply.text()
        _ = Redirection(reply, from: .unix(path: "/s"))
        _ = try? Topology(slots: reply, from: .unix(path: "/s"))
      }
    } catch {
      return
    }
  }
}

private func readPlan(_ bytes: [UInt8]) {
  guard let plan = try? Plan(parsing: bytes) else { return }
  let analysis = PlanAnalysis(plan)
  let isSane = analysis.entries.allSatisfy {
    ($0.ownTime ?? 0) >= 0 && $0.ownCost >= 0 && $0.ownBuffers.pages >= 0
  }
  require(isSane, "a time, cost or number of pages below zero")
  let findings = PlanReview(analysis).findings()
  require(findings.allSatisfy { !$0.message.isEmpty }, "a finding without a message")
  for finding in findings {
    require((try? JSON(parsing: Array(finding.json.description.utf8))) != nil, "what is printed is no JSON")
  }
}

private func readValues(_ bytes: [UInt8]) {
  let scale = Int(bytes.first ?? 0) % 19
  let argument = text(bytes.dropFirst())
  if let amount = try? Amount.parse(argument, scale: scale) {
    let written = Amount.format(amount, scale: scale)
    require((try? Amount.parse(written, scale: scale)) == amount, "\(argument) became \(written)")
  }
  if let time = Timestamp(rfc3339: argument) {
    require(Timestamp(rfc3339: time.description) == time, "\(argument) became \(time)")
  }
  if let length = Duration(text: argument) { require(length >= .zero, "a length of \(length)") }
  _ = nearest(to: argument, among: ["database", "cache", "batch"])
  _ = redacted(argument)
}

private func readReference(_ bytes: [UInt8]) {
  let argument = text(bytes)
  switch WalletReference(argument) {
  case .id(let id): require(Identifier(id.description) == id, "\(argument) became \(id)")
  case .address(let address):
    require(WalletReference(address) == .address(address), "\(argument) became \(address)")
  case .named(let email, let wallet): require(!email.isEmpty || !wallet.isEmpty, "a reference to nothing")
  case .malformed(let kept): require(kept == argument, "a malformed reference is not kept")
  }
  _ = try? Endpoint(url: argument)
}

private func readMigration(_ bytes: [UInt8]) {
  _ = try? MigrationFile(fileName: "0001_fuzz.sql", content: bytes)
  var linter = MigrationLinter()
  _ = try? linter.lint(file: "0001_fuzz.sql", content: bytes)
}

private func readBaseline(_ bytes: [UInt8]) {
  _ = try? Baseline(name: "baseline.csv", read: source(bytes))
}

private func readUndoFile(_ bytes: [UInt8]) {
  // With a checksum that is right, or hardly an input would come behind it.
  let sum = "-- sha256 " + SHA256.digest(of: bytes).hexadecimal + "\n"
  for text in [bytes, bytes + Array(sum.utf8)] {
    guard let file = try? UndoFile(parsing: text, name: "undo.sql") else { continue }
    let again = try? UndoFile(parsing: file.bytes, name: "undo.sql")
    require(again?.bytes == file.bytes, "written again it is another text")
  }
}

private func readPredicates(_ bytes: [UInt8]) {
  let parts = bytes.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false).map { text($0) }
  let first = Predicate(parsing: parts[0])
  let second = Predicate(parsing: parts.count > 1 ? parts[1] : nil)
  require(first.implies(first) && second.implies(second), "a predicate does not imply itself")
  _ = first.implies(second)
  _ = second.beyond(first)
  _ = Predicate.subject(of: ExactText(parts[0]))
}

private func readSQL(_ bytes: [UInt8]) {
  let sql = text(bytes)
  if let statements = try? SQLSyntax.parse(sql) {
    let count = sql.utf8.count
    require(
      statements.allSatisfy { $0.bytes.lowerBound >= 0 && $0.bytes.upperBound <= count },
      "a statement outside the text")
  }
  _ = try? SQLSyntax.fingerprint(sql)
}

private func readWorkload(_ bytes: [UInt8]) {
  guard let statements = try? WorkloadFile.split(bytes) else { return }
  require(statements.allSatisfy { !$0.text.isEmpty }, "an empty statement")
}
