public import Postgres

/// The wallet domain on one session: currencies, users, wallets, transfers as they are stored, verification.
/// Moving money is `TransferProcessor`'s part.
public struct Ledger {
  let session: Session

  public init(_ session: Session) {
    self.session = session
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
    ] + LedgerVerification.statements
}
