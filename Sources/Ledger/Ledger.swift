public import Postgres

/// The wallet domain on one session: currencies, users, wallets, transfers as they are stored, verification.
/// Moving money is `TransferProcessor`'s part.
public struct Ledger {
  let session: Session
  let fence: (any CommitFence)?

  /// - Parameter fence: raised by each call that is a transaction of its own and changes rows; nil where nobody keeps
  ///   copies of them, and inside a transaction of the caller's.
  public init(_ session: Session, fence: (any CommitFence)? = nil) {
    self.session = session
    self.fence = fence
  }

  /// Every statement that this target can send, for the test that prepares them all.
  public static let statements: [Statement] =
    TransferStatements.all + [
      insertCurrency, selectScale, selectCurrencies,
      insertUser, selectUser, selectUsers,
      insertWallet, selectWallets, selectWallet, selectAssets, renameWallet, setStatus, lockAssets,
      findWalletsByAddress, findWalletsByName,
      selectHistory, selectBalanceAt,
      selectTransfer, selectTransferByKey, selectTransfers, selectTransfersOfWallet, setLockTimeout, probeKey,
    ] + CacheOutbox.statements + LedgerVerification.statements
}
