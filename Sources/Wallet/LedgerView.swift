public import Primitives

/// What of the database the rules need to see, read under the locks of the assets in it.
public struct LedgerView: Sendable {
  /// A wallet as far as the rules care.
  public struct Standing: Sendable {
    public var kind: WalletKind
    public var status: WalletStatus

    public init(kind: WalletKind, status: WalletStatus) {
      self.kind = kind
      self.status = status
    }
  }

  /// Stored transfers by key: those that requests may repeat, and those that requests refer to.
  public var transfers: [String: Transfer] = [:]
  /// Stored captures and voids by key.
  public var resolutions: [String: HoldResolution] = [:]
  /// The keys of stored transfers by what requests call them: an id, a key, or the key of a capture.
  public var references: [String: String] = [:]
  /// What was reversed already, in minor units, of the transfers in `references`.
  public var reversed: [Identifier: Int128] = [:]
  public var wallets: [Identifier: Standing] = [:]
  /// Scales by currency code.
  public var scales: [String: Int] = [:]
  /// An asset that is not here does not exist yet, and counts as zero.
  public var assets: [AssetKey: Asset] = [:]
  /// The server's clock, read under the locks.
  public var time = Timestamp(microseconds: 0)

  public init() {}

  /// What is held of an asset, zero where there is none.
  func asset(_ key: AssetKey) -> Asset { assets[key] ?? .none }

  /// The transfer that a request calls `reference`, if it is stored or was made earlier in this chunk.
  ///
  /// One that was stored while the chunk waited for its locks may be seen here although its assets are not locked.
  /// It counts as not there yet.
  public func transfer(named reference: String) -> Transfer? {
    guard let transfer = transfers[references[reference] ?? reference] else { return nil }
    if transfer.status == .refused { return transfer }
    return transfer.sides.allSatisfy { assets[$0] != nil } ? transfer : nil
  }

  /// Remembers a new transfer, or another state of an old one.
  mutating func remember(_ transfer: Transfer) { transfers[transfer.key] = transfer }

  /// Remembers how a hold was resolved; its key then names the hold.
  mutating func remember(_ resolution: HoldResolution, of hold: Transfer) {
    resolutions[resolution.key] = resolution
    references[resolution.key] = hold.key
  }
}
