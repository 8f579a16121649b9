public import Postgres
public import Primitives
public import Wallet

/// What a new wallet is to be.
public struct WalletDraft: Sendable {
  public var userID: Identifier
  public var name: String
  public var network: String
  /// As it was typed; nil for a wallet without one.
  public var address: String?
  public var kind: WalletKind
  /// Nil for an id that is made.
  public var id: Identifier?

  public init(
    userID: Identifier, name: String, network: String, address: String?, kind: WalletKind,
    id: Identifier? = nil
  ) {
    self.id = id
    self.userID = userID
    self.name = name
    self.network = network
    self.address = address
    self.kind = kind
  }
}

/// What a wallet holds of one currency, with what is needed to show it.
public struct AssetRecord: Sendable, Equatable {
  public let walletID: Identifier
  public let currency: Currency
  public let asset: Asset
}

/// A wallet and what it holds.
public struct WalletWithAssets: Sendable, Equatable {
  public let wallet: WalletRecord
  public let assets: [AssetRecord]
}

extension Ledger {
  /// Creates a wallet.
  ///
  /// - Throws: `wallet_name_invalid`, `address_invalid`, or `wallet_exists` when the user has a wallet of that
  ///   name or the address is taken.
  public func createWallet(_ draft: WalletDraft) throws -> WalletRecord {
    try Self.check(walletName: draft.name)
    let address = try draft.address.map { try Self.checked(address: $0, network: draft.network) }
    var identifiers = IdentifierGenerator()
    let id = draft.id ?? identifiers.next()
    let rows = try write(
      Self.insertWallet(id, draft.userID, draft.name, draft.network, address, draft.kind.rawValue),
      changing: ChangedRows(wallets: [id]))
    guard let row = rows.first else {
      throw SimpleFailure(
        .refused, code: "wallet_exists",
        message: "the user has a wallet named \"\(draft.name)\" already, or the address is taken",
        hint: "see `ironforge wallet list --user \(draft.userID)`")
    }
    return try Self.wallet(row)
  }

  /// A wallet by id.
  ///
  /// - Throws: `wallet_not_found`.
  public func wallet(_ id: Identifier) throws -> WalletRecord {
    guard let row = try session.query(Self.selectWallet(id)).first else {
      throw WalletNotFound(reference: id.description)
    }
    return try Self.wallet(row)
  }

  /// Wallets with what they hold, newest first: two statements, however many wallets there are.
  public func wallets(
    user: Identifier?, status: WalletStatus?, _ page: PageRequest
  ) throws(PostgresError) -> Page<WalletWithAssets> {
    let rows = try session.query(
      Self.selectWallets(user, status?.rawValue, page.time, page.id, page.rows))
    let wallets = try rows.map(Self.wallet)
    let shown = Page(wallets, limit: page.limit) { Cursor(time: $0.createdAt, id: $0.id) }
    let assets = Dictionary(grouping: try self.assets(of: shown.items.map(\.id)), by: \.walletID)
    return Page(
      wallets.map { WalletWithAssets(wallet: $0, assets: assets[$0.id] ?? []) }, limit: page.limit
    ) { Cursor(time: $0.wallet.createdAt, id: $0.wallet.id) }
  }

  /// What wallets hold, in one statement, by wallet and currency.
  public func assets(of wallets: [Identifier]) throws(PostgresError) -> [AssetRecord] {
    try Self.assets(try session.query(Self.selectAssets(wallets)))
  }

  /// Gives a wallet another name.
  ///
  /// - Throws: `wallet_not_found`, `wallet_name_invalid`, `wallet_exists`.
  public func rename(_ id: Identifier, to name: String) throws -> WalletRecord {
    try Self.check(walletName: name)
    do {
      guard let row = try write(Self.renameWallet(id, name), changing: ChangedRows(wallets: [id])).first
      else {
        throw WalletNotFound(reference: id.description)
      }
      return try Self.wallet(row)
    } catch let error as PostgresError where error.sqlState == "23505" {
      throw SimpleFailure(
        .refused, code: "wallet_exists", message: "the user has another wallet named \"\(name)\"",
        hint: "choose another name")
    }
  }

  /// Freezes, unfreezes or closes a wallet. Once this returns, no transfer that was not acknowledged before
  /// sees the old status: a trigger carries it over to the assets, which waits for the locks of
  /// transfers in flight.
  ///
  /// - Throws: `wallet_not_found`; `wallet_closed` for any change of a closed wallet; `wallet_not_empty` when a
  ///   wallet to be closed holds money.
  public func setStatus(of id: Identifier, to status: WalletStatus) throws -> WalletRecord {
    var backoff = Backoff(RetryPolicy())
    while true {
      do {
        return try attemptStatus(of: id, to: status)
      } catch let error as PostgresError where error.isTransient && backoff.wait() {
        // A deadlock with a chunk of transfers that holds one asset of the wallet and creates another.
      }
    }
  }

  private func attemptStatus(of id: Identifier, to status: WalletStatus) throws -> WalletRecord {
    var fences = TransactionFences(fence)
    let record = try session.transaction {
      guard let row = try fences.ask([Self.setStatus(id, status.rawValue)], on: session).first?.first else {
        let wallet = try wallet(id)
        if wallet.status == status { return wallet }
        throw SimpleFailure(
          .refused, code: "wallet_closed", message: "wallet \(id) is closed, which is final",
          hint: "create another wallet")
      }
      if status == .closed { try requireEmpty(id) }
      try fences.raise(ChangedRows(wallets: [id]), on: session)
      return try Self.wallet(row)
    }
    fences.settle(on: session)
    return record
  }

  private func requireEmpty(_ id: Identifier) throws {
    for row in try session.query(Self.lockAssets(id)) {
      let balance: Int128 = try row.decode(0)
      let held: Int128 = try row.decode(1)
      guard balance == 0, held == 0 else {
        throw SimpleFailure(
          .refused, code: "wallet_not_empty", message: "wallet \(id) still holds money",
          hint: "see `ironforge wallet balance \(id)`, and move it before closing")
      }
    }
  }

  static func wallet(_ row: Row) throws(PostgresError) -> WalletRecord {
    WalletRecord(
      id: try row.decode(0), userID: try row.decode(1), name: try row.decode(2), network: try row.decode(3),
      address: try row.decodeIfPresent(4), kind: try decoded(try row.decode(5)),
      status: try decoded(try row.decode(6)), createdAt: try row.decode(7), updatedAt: try row.decode(8))
  }

  static func assets(_ rows: Rows) throws(PostgresError) -> [AssetRecord] {
    try rows.map { row throws(PostgresError) in
      AssetRecord(
        walletID: try row.decode(0),
        currency: Currency(code: try row.decode(1), scale: Int(try row.decode(2, as: Int16.self))),
        asset: Asset(
          balance: try row.decode(3), held: try row.decode(4), version: try row.decode(5),
          updatedAt: try row.decode(6)))
    }
  }

  private static func check(walletName name: String) throws(SimpleFailure) {
    let isPlain = name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    guard isPlain, (1...200).contains(name.utf8.count), name.contains(where: { !$0.isWhitespace }) else {
      throw SimpleFailure(
        .usage, code: "wallet_name_invalid",
        message: "a wallet's name is 1 to 200 bytes of printable text", hint: "for example: --name main")
    }
  }

  private static func checked(address: String, network: String) throws(SimpleFailure) -> String {
    guard let normalized = WalletReference.normalized(address: address),
      network != "eth" || normalized.utf8.count == 42
    else {
      throw SimpleFailure(
        .usage, code: "address_invalid", message: "\"\(address)\" is not an address of network \(network)",
        hint: "an eth address is 0x and 40 hexadecimal digits")
    }
    return normalized
  }
}

/// No wallet has the name that was given.
public struct WalletNotFound: Failure {
  /// As it was given.
  public let reference: String

  public var code: String { "wallet_not_found" }
  public var message: String { "there is no wallet \"\(reference)\"" }
  public var hint: String? {
    "name a wallet by its id, its 0x address, or email/wallet-name; see `ironforge wallet list`"
  }
  public var kind: FailureKind { .refused }
}
