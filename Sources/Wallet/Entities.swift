public import Primitives

/// A unit of money. `scale` digits stand after the point, 0 to 18.
public struct Currency: Sendable, Equatable {
  public let code: String
  public let scale: Int

  public init(code: String, scale: Int) {
    self.code = code
    self.scale = scale
  }
}

/// What sort of wallet it is: only an external one, through which money enters and leaves, may go below zero.
public enum WalletKind: String, Sendable, CaseIterable {
  case standard
  case external
}

/// Whether a wallet takes part in transfers. `closed` is final.
public enum WalletStatus: String, Sendable, CaseIterable {
  case active
  case frozen
  case closed
}

/// A user of the wallet backend.
public struct User: Sendable, Equatable {
  public let id: Identifier
  public let email: String
  public let name: String
  public let lastLoginAt: Timestamp?
  public let createdAt: Timestamp

  public init(id: Identifier, email: String, name: String, lastLoginAt: Timestamp?, createdAt: Timestamp) {
    self.id = id
    self.email = email
    self.name = name
    self.lastLoginAt = lastLoginAt
    self.createdAt = createdAt
  }
}

/// A wallet as it is listed; what it holds are its assets.
public struct WalletRecord: Sendable, Equatable {
  public let id: Identifier
  public let userID: Identifier
  public let name: String
  public let network: String
  /// Lower-case with `0x`; nil for a wallet without one.
  public let address: String?
  public let kind: WalletKind
  public let status: WalletStatus
  public let createdAt: Timestamp
  public let updatedAt: Timestamp

  public init(
    id: Identifier, userID: Identifier, name: String, network: String, address: String?, kind: WalletKind,
    status: WalletStatus, createdAt: Timestamp, updatedAt: Timestamp
  ) {
    self.id = id
    self.userID = userID
    self.name = name
    self.network = network
    self.address = address
    self.kind = kind
    self.status = status
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// Which wallet and which currency: the key of an asset, in the order in which assets are locked.
public struct AssetKey: Hashable, Sendable, Comparable {
  public let wallet: Identifier
  public let currency: String

  public init(wallet: Identifier, currency: String) {
    self.wallet = wallet
    self.currency = currency
  }

  /// A wallet has few currencies, and hashing their codes as well would cost a batch more than they tell apart.
  public func hash(into hasher: inout Hasher) { hasher.combine(wallet) }

  public static func < (a: AssetKey, b: AssetKey) -> Bool {
    // Currency codes are ASCII, and the database compares them by bytes too (`collate "C"`).
    a.wallet != b.wallet ? a.wallet < b.wallet : a.currency < b.currency
  }
}

/// What a wallet holds of one currency, in minor units.
public struct Asset: Sendable, Equatable {
  public var balance: Int128
  /// The part of `balance` that open holds have set aside.
  public var held: Int128
  /// How many posted entries there are; the last one has this number.
  public var version: Int64
  /// The time of the last posted entry. Entries of one asset never go back in time.
  public var updatedAt: Timestamp

  public init(balance: Int128, held: Int128, version: Int64, updatedAt: Timestamp) {
    self.balance = balance
    self.held = held
    self.version = version
    self.updatedAt = updatedAt
  }

  /// What can be spent. Clamped, because an external wallet may be far below zero and have holds besides.
  public var available: Int128 {
    let (difference, overflow) = balance.subtractingReportingOverflow(held)
    return overflow ? .min : difference
  }

  /// An asset that was never touched.
  public static let none = Asset(balance: 0, held: 0, version: 0, updatedAt: Timestamp(microseconds: 0))
}
