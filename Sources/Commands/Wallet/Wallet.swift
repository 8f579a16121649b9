import ArgumentParser
import Ledger
import Primitives
import Wallet

/// `ironforge wallet`.
struct WalletCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wallet",
    abstract: "Create wallets, see what they hold and did, freeze and close them.",
    discussion: """
      A wallet is named by its id, by its address (with or without 0x), or by its owner and name: \
      ada@example.com/main.

      EXAMPLES:
        ironforge wallet create --user ada@example.com --name main
        ironforge wallet show ada@example.com/main
        ironforge wallet balance ada@example.com/main --at 2026-01-01
      """,
    subcommands: [
      WalletCreate.self, WalletList.self, WalletShow.self, WalletBalance.self, WalletHistory.self,
      WalletRename.self, WalletFreeze.self, WalletUnfreeze.self, WalletClose.self,
    ])
}

/// A wallet as it is printed.
struct WalletRow: TableRow {
  static let tableHeader: [TableColumn] = [
    "id", "user_id", "name", "network", "address", "kind", "status", "created_at", "updated_at",
  ]
  let wallet: WalletRecord

  var tableRow: [String] {
    [
      wallet.id.description, wallet.userID.description, wallet.name, wallet.network, wallet.address ?? "",
      wallet.kind.rawValue, wallet.status.rawValue, wallet.createdAt.description,
      wallet.updatedAt.description,
    ]
  }

  var json: JSON { .object(members) }

  var members: [(key: String, value: JSON)] {
    [
      ("id", .id(wallet.id)), ("user_id", .id(wallet.userID)), ("name", .string(wallet.name)),
      ("network", .string(wallet.network)), ("address", .optional(wallet.address)),
      ("kind", .string(wallet.kind.rawValue)), ("status", .string(wallet.status.rawValue)),
      ("created_at", .time(wallet.createdAt)), ("updated_at", .time(wallet.updatedAt)),
    ]
  }
}

/// What a wallet holds of one currency, as it is printed.
struct AssetRow: TableRow {
  static let tableHeader: [TableColumn] = [
    "currency", .number("balance"), .number("held"), .number("available"), "as_of",
  ]
  let currency: Currency
  let asset: Asset
  let asOf: Timestamp

  private func money(_ amount: Int128) -> String { Amount.format(amount, scale: currency.scale) }

  var tableRow: [String] {
    [
      currency.code, money(asset.balance), money(asset.held), money(asset.available), asOf.description,
    ]
  }

  var json: JSON {
    [
      "currency": .string(currency.code), "balance": .string(money(asset.balance)),
      "held": .string(money(asset.held)), "available": .string(money(asset.available)),
      "version": .integer(asset.version), "as_of": .time(asOf),
    ]
  }

  /// One line for a list of wallets: `12.50 USD`.
  var short: String { "\(money(asset.balance)) \(currency.code)" }
}

/// A ledger entry as it is printed.
struct EntryRow: TableRow {
  static let tableHeader: [TableColumn] = [
    "created_at", .number("amount"), "currency", .number("balance_after"), .number("version"), "status",
    "transfer_id", "id",
  ]
  let entry: EntryRecord

  private func money(_ amount: Int128) -> String { Amount.format(amount, scale: entry.currency.scale) }

  var tableRow: [String] {
    [
      entry.createdAt.description, money(entry.amount), entry.currency.code,
      entry.balanceAfter.map(money) ?? "", entry.version.map { String($0) } ?? "", entry.status.rawValue,
      entry.transferID.description, entry.id.description,
    ]
  }

  var json: JSON {
    [
      "id": .id(entry.id), "transfer_id": .id(entry.transferID), "wallet_id": .id(entry.walletID),
      "currency": .string(entry.currency.code), "amount": .string(money(entry.amount)),
      "balance_after": .optional(entry.balanceAfter.map(money)),
      "version": entry.version.map(JSON.integer) ?? .null, "status": .string(entry.status.rawValue),
      "created_at": .time(entry.createdAt),
    ]
  }
}
