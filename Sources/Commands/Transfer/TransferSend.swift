import ArgumentParser
import Ledger
import Primitives
import Wallet

/// `ironforge transfer [send]`.
struct TransferSend: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "send",
    abstract: "Move money from one wallet to another.",
    discussion: """
      The key makes it safe to send again: the same key with the same request moves the money once. Without --key \
      one is made, and printed before anything is sent. If the connection is lost after COMMIT, the outcome is \
      looked up by the key; when that fails too, the exit code is 5, and `ironforge transfer resolve KEY` settles it.

      EXAMPLES:
        ironforge transfer --from bank@example.com/main --to ada@example.com/main --amount 12.50 --currency USD
        ironforge transfer send --from 0x52908400098527886e0f7030069857d2e4169ee7 --to ada@example.com/main \\
          --amount 0.1 --currency ETH --key invoice-4711 --memo "invoice 4711" --json
      """)

  @Option(help: ArgumentHelp("The wallet that pays: an id, an address, or email/name.", valueName: "wallet"))
  var from: String

  @Option(help: ArgumentHelp("The wallet that is paid.", valueName: "wallet"))
  var to: String

  @Option(help: ArgumentHelp("How much: a plain decimal such as 12.50.", valueName: "amount"))
  var amount: String

  @Option(help: ArgumentHelp("The currency's code.", valueName: "code"))
  var currency: String

  @Option(
    help: ArgumentHelp("The idempotency key, 1 to 200 bytes; made and printed if absent.", valueName: "key"))
  var key: String?

  @Option(help: ArgumentHelp("A note that is stored with the transfer.", valueName: "text"))
  var memo: String?

  @Flag(help: "Say what would happen, and write nothing.")
  var dryRun = false

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func validate() throws {
    if let key, !(1...200).contains(key.utf8.count) || key.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
      throw ValidationError("--key must be 1 to 200 bytes without control characters.")
    }
    if let memo, memo.utf8.count > 1000 || memo.utf8.contains(0) {
      throw ValidationError("--memo must be at most 1000 bytes without NUL.")
    }
  }

  func run(in context: CommandContext) throws {
    let processor = context.transferProcessor()
    let request = try lookUp(processor, key: key ?? Self.newKey())
    if key == nil, !dryRun {
      context.messages.info("key \(request.key)", fields: [("key", .string(request.key))])
    }
    let outcome = try dryRun ? processor.rehearse([request])[0] : processor.process([request])[0]
    let view = TransferView(outcome, request: request, from: from, to: to, isDryRun: dryRun)
    if outcome.code.isSuccess {
      try context.output.render(TransferReceipt(view: view, sentence: sentence(outcome)))
    } else {
      // A refusal is data as well: scripts find the recorded transfer in it.
      if context.output.format != .text { try context.output.render(view) }
      throw TransferRefused(outcome: outcome, request: request)
    }
  }

  private static func newKey() -> String {
    var keys = IdentifierGenerator()
    return keys.next().description
  }

  private func lookUp(_ processor: TransferProcessor, key: String) throws -> TransferRequest {
    let (source, destination) = (WalletReference(from), WalletReference(to))
    let found = try processor.identifiers(of: [source, destination])
    return TransferRequest(
      key: key, from: found[source], to: found[destination], amount: amount, currency: currency, memo: memo)
  }

  private func sentence(_ outcome: TransferOutcome) -> String {
    let what = "\(amount) \(currency) from \(from) to \(to)"
    if outcome.replayed { return "Already done: \(what). Nothing moved now." }
    return dryRun ? "Would move \(what)." : "Moved \(what)."
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

/// A business rule refused to move the money. The code is the contract's (SPEC section 2.4).
struct TransferRefused: Failure {
  let outcome: TransferOutcome
  let request: TransferRequest

  var code: String { outcome.code.rawValue }
  var hint: String? { outcome.code.hint }
  var kind: FailureKind { .refused }

  var message: String {
    var text = "the transfer was refused: \(outcome.code.sentence)"
    if let available = outcome.available {
      text += " (\(Amount.format(available, scale: outcome.scale ?? 0)) \(request.currency) available)"
    }
    return outcome.replayed ? text + "; this is the first answer to key \(request.key)" : text
  }
}
