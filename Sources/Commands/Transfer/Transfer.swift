import ArgumentParser
import Ledger
import Primitives
import Wallet

/// `ironforge transfer`.
struct TransferCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transfer",
    abstract: "Move money between wallets, and see what moved.",
    discussion: """
      Without a verb it sends. Every transfer has a key; the same key with the same request moves the money once, \
      however often it is sent.

      EXAMPLES:
        ironforge transfer --from bank@example.com/main --to ada@example.com/main --amount 12.50 --currency USD
        ironforge transfer resolve 01939bb7-9d52-7000-8000-000000000000
        ironforge transfer list --wallet ada@example.com/main
        ironforge transfer batch payouts.csv --outcome outcome.csv
      """,
    subcommands: [
      TransferSend.self, TransferBatch.self, TransferHold.self, TransferCapture.self, TransferVoid.self,
      TransferReverse.self,
      TransferResolve.self, TransferShow.self, TransferList.self,
    ],
    defaultSubcommand: TransferSend.self)
}

/// What became of a request to move money, as it is printed (SPEC section 2.4).
struct TransferView: TableRow {
  static let tableHeader: [TableColumn] = [
    "transfer_id", "key", "code", "replayed", "kind", "status", "from", "to", "currency", .number("amount"),
    .number("from_balance_after"), .number("to_balance_after"), "memo", "ref", "expires_at", "created_at",
  ]

  let members: [(key: String, value: JSON)]

  /// The outcome of a request; `from` and `to` as the user named them. What is not stored is told from the request.
  init(_ outcome: TransferOutcome, request: TransferRequest, from: String?, to: String?, isDryRun: Bool) {
    var members =
      outcome.transfer.map { Self.members($0, outcome) } ?? Self.members(request, outcome, from: from, to: to)
    if isDryRun {
      members.append(("dry_run", true))
      // What a rehearsal makes up is stored nowhere.
      if !outcome.replayed, outcome.resolution == nil { members[0].value = .null }
    }
    self.members = members
  }

  private static func members(
    _ request: TransferRequest, _ outcome: TransferOutcome, from: String?, to: String?
  ) -> [(key: String, value: JSON)] {
    [
      ("transfer_id", .null), ("key", .string(request.key)), ("code", .string(outcome.code.rawValue)),
      ("replayed", false), ("kind", .string(request.kind.rawValue)), ("status", .null),
      ("from", .optional(request.from?.description ?? from)),
      ("to", .optional(request.to?.description ?? to)),
      ("currency", .optional(request.kind.isSequel ? nil : request.currency)),
      ("amount", .optional(request.amount)), ("from_balance_after", .null), ("to_balance_after", .null),
      ("memo", .optional(request.memo)), ("ref", .optional(request.ref)), ("expires_at", .null),
      ("created_at", .null),
    ]
  }

  private static func members(
    _ transfer: Transfer, _ outcome: TransferOutcome
  ) -> [(key: String, value: JSON)] {
    func money(_ amount: Int128?) -> JSON {
      .optional(amount.map { Amount.format($0, scale: outcome.scale ?? 0) })
    }
    // A capture or a void is known by its own key; what it made is the hold.
    let resolution = outcome.resolution
    return [
      ("transfer_id", .id(transfer.id)), ("key", .string(resolution?.key ?? transfer.key)),
      ("code", .string(outcome.code.rawValue)), ("replayed", .bool(outcome.replayed)),
      ("kind", .string((resolution?.kind ?? transfer.kind).rawValue)),
      ("status", .string(transfer.status.rawValue)), ("from", .id(transfer.from)), ("to", .id(transfer.to)),
      ("currency", .string(transfer.currency)), ("amount", money(transfer.amount)),
      ("from_balance_after", money(transfer.fromBalanceAfter)),
      ("to_balance_after", money(transfer.toBalanceAfter)),
      ("memo", .optional(resolution.map(\.memo) ?? transfer.memo)),
      ("ref", .id(resolution?.holdID ?? transfer.ref)), ("expires_at", .time(transfer.hold?.expiresAt)),
      ("created_at", .time(resolution?.createdAt ?? transfer.createdAt)),
    ]
  }

  var json: JSON { .object(members) }
  var tableRow: [String] { Self.tableHeader.map { json[$0.key]?.plainText ?? "" } }

  /// Without the lines that only holds and reversals have, where they are empty.
  var text: String { textLines(leavingOut: ["ref", "expires_at"]) }
}

/// A stored transfer as it is printed.
struct TransferRow: TableRow {
  static let tableHeader: [TableColumn] = [
    "id", "key", "kind", "status", "code", "from", "to", "currency", .number("amount"),
    .number("from_balance_after"), .number("to_balance_after"), "memo", "ref", .number("hold_amount"),
    "expires_at",
    "resolved_at", "created_at",
  ]
  private let record: TransferRecord

  init(_ record: TransferRecord) { self.record = record }

  private func money(_ amount: Int128?) -> JSON {
    .optional(amount.map { Amount.format($0, scale: record.currency.scale) })
  }

  var json: JSON {
    let transfer = record.transfer
    return [
      "id": .id(transfer.id), "key": .string(transfer.key), "kind": .string(transfer.kind.rawValue),
      "status": .string(transfer.status.rawValue), "code": .optional(transfer.refusal?.rawValue),
      "from": .id(transfer.from), "to": .id(transfer.to), "currency": .string(transfer.currency),
      "amount": money(transfer.amount), "from_balance_after": money(transfer.fromBalanceAfter),
      "to_balance_after": money(transfer.toBalanceAfter), "memo": .optional(transfer.memo),
      "ref": .id(transfer.ref), "hold_amount": money(transfer.hold?.amount),
      "expires_at": .time(transfer.hold?.expiresAt), "resolved_at": .time(transfer.hold?.resolvedAt),
      "created_at": .time(transfer.createdAt),
    ]
  }

  var tableRow: [String] { Self.tableHeader.map { json[$0.key]?.plainText ?? "" } }

  /// Without the lines that only holds and reversals have, where they are empty.
  var text: String { textLines(leavingOut: ["ref", "hold_amount", "expires_at", "resolved_at"]) }
}

/// A transfer in a list, with the columns that fit a screen.
struct TransferListRow: TableRow {
  static let tableHeader: [TableColumn] = [
    "created_at", "id", "kind", "status", .number("amount"), "currency", "from", "to", "memo",
  ]
  static let csvHeader = TransferRow.csvHeader
  private let row: TransferRow

  init(_ record: TransferRecord) { row = TransferRow(record) }

  var json: JSON { row.json }
  var tableRow: [String] { Self.tableHeader.map { json[$0.key]?.plainText ?? "" } }
}
