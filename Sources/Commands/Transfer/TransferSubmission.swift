import ArgumentParser
import Ledger
import Primitives
import Wallet

/// The options of every request that moves, holds or frees money.
struct RequestOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The idempotency key, 1 to 200 bytes; made and printed if absent.", valueName: "key"))
  var key: String?

  @Option(help: ArgumentHelp("A note that is stored with the request.", valueName: "text"))
  var memo: String?

  @Flag(help: "Say what would happen, and write nothing.")
  var dryRun = false

  func validate() throws {
    if let key, !(1...200).contains(key.utf8.count) || key.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      throw ValidationError("--key must be 1 to 200 bytes without control characters.")
    }
    if let memo, memo.utf8.count > 1000 || memo.utf8.contains(0) {
      throw ValidationError("--memo must be at most 1000 bytes without NUL.")
    }
  }

  /// The caller's key, or a new one.
  func requestKey() -> String {
    if let key { return key }
    var keys = IdentifierGenerator()
    return keys.next().description
  }
}

/// One request on its way from a command line to its receipt.
struct TransferSubmission {
  let request: TransferRequest
  /// The wallets as the user named them; nil where the request names a transfer.
  var from: String?
  var to: String?
  let options: RequestOptions
  /// What is done, as in "12.50 USD from a to b".
  let what: String
  /// As in "Moved" and "Would move".
  let verb: (past: String, bare: String)

  /// Sends the request, or rehearses it, and prints what became of it.
  ///
  /// - Throws: `TransferRefused` for a refusal; with JSON or CSV its outcome is printed all the same.
  func run(_ processor: TransferProcessor, in context: CommandContext) throws {
    if options.key == nil, !options.dryRun {
      context.messages.info("key \(request.key)", fields: [("key", .string(request.key))])
    }
    let outcomes = try options.dryRun ? processor.rehearse([request]) : processor.process([request])
    let view = TransferView(outcomes[0], request: request, from: from, to: to, isDryRun: options.dryRun)
    guard outcomes[0].code.isSuccess else {
      // A refusal is data as well: scripts find the recorded transfer in it.
      if context.output.format != .text { try context.output.render(view) }
      throw TransferRefused(outcome: outcomes[0], request: request)
    }
    try context.output.render(TransferReceipt(view: view, sentence: sentence(outcomes[0])))
  }

  private func sentence(_ outcome: TransferOutcome) -> String {
    if outcome.replayed { return "Already done: \(what). Nothing changed now." }
    return options.dryRun ? "Would \(verb.bare) \(what)." : "\(verb.past) \(what)."
  }
}

/// A sentence, then what is stored.
struct TransferReceipt: Renderable {
  let view: TransferView
  let sentence: String

  var json: JSON { view.json }
  var csv: (header: [String], rows: [[String]]) { view.csv }
  var text: String { terminalSafe(sentence) + "\n" + view.text }
}

/// A business rule refused the request. The code is the contract's (SPEC section 2.4).
struct TransferRefused: Failure {
  let outcome: TransferOutcome
  let request: TransferRequest

  var code: String { outcome.code.rawValue }
  var hint: String? { outcome.code.hint }
  var kind: FailureKind { .refused }

  var message: String {
    var text = "the \(request.kind.noun) was refused: \(outcome.code.sentence)"
    if let available = outcome.available {
      let currency = outcome.transfer?.currency ?? request.currency
      text +=
        " (\(Amount.format(available, scale: outcome.scale ?? 0)) \(currency) \(outcome.code.remainder))"
    }
    return outcome.replayed ? text + "; this is the first answer to key \(request.key)" : text
  }
}

extension TransferKind {
  /// The request in a sentence.
  fileprivate var noun: String {
    switch self {
    case .transfer, .hold, .capture, .void: rawValue
    case .reverse: "reversal"
    }
  }
}

extension ResultCode {
  /// What the amount in a refusal is.
  fileprivate var remainder: String {
    switch self {
    case .exceedsHoldAmount: "held"
    case .exceedsReversibleAmount: "left to reverse"
    default: "available"
    }
  }
}
