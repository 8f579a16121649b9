public import Postgres
public import Primitives
public import Wallet

/// A stored transfer with its currency's scale.
public struct TransferRecord: Sendable, Equatable {
  public let transfer: Transfer
  public let currency: Currency
}

extension Ledger {
  /// A transfer by its id, its key, or the key that captured or voided it; an id that is also somebody's key names
  /// the transfer with the id.
  ///
  /// - Throws: `transfer_not_found`.
  public func transfer(_ reference: String) throws -> TransferRecord {
    guard let found = try findTransfer(reference) else {
      throw SimpleFailure(
        .refused, code: "transfer_not_found", message: "there is no transfer \"\(reference)\"",
        hint: "name a transfer by its id or its key; see `ironforge transfer list`")
    }
    return found
  }

  func findTransfer(_ reference: String) throws(PostgresError) -> TransferRecord? {
    if let id = Identifier(reference),
      let row = try session.query(Self.selectTransfer(id)).first
    {
      return try Self.transfer(row)
    }
    return try session.query(Self.selectTransferByKey(reference)).first.map(Self.transfer)
  }

  /// Transfers, newest first.
  ///
  /// - Parameter wallet: only those from or to this wallet; nil for all.
  public func transfers(
    status: TransferStatus?, wallet: Identifier?, _ page: PageRequest
  ) throws(PostgresError) -> Page<TransferRecord> {
    let statement =
      wallet.map { Self.selectTransfersOfWallet(status?.rawValue, page.id, page.rows, $0) }
      ?? Self.selectTransfers(status?.rawValue, page.id, page.rows)
    let rows = try session.query(statement)
    return Page(try rows.map(Self.transfer), limit: page.limit) {
      Cursor(time: $0.transfer.createdAt, id: $0.transfer.id)
    }
  }

  private static func transfer(_ row: Row) throws(PostgresError) -> TransferRecord {
    let transfer = try StoredTransfer.decode(row, from: 3, id: try row.decode(0), key: try row.decode(1))
    return TransferRecord(
      transfer: transfer,
      currency: Currency(code: transfer.currency, scale: Int(try row.decode(2, as: Int16.self))))
  }

  private static let transferTypes: [DataType] = [.uuid, .text, .int2] + StoredTransfer.types

  static let selectTransfer = Statement(
    """
    select t.id, t.key, c.scale, \(StoredTransfer.columns)
    from transfers t
    join currencies c on c.code = t.currency
    where t.id = $1
    """, parameters: [.uuid], columns: transferTypes)

  static let selectTransferByKey = Statement(
    """
    select t.id, t.key, c.scale, \(StoredTransfer.columns)
    from transfers t
    join currencies c on c.code = t.currency
    where t.id = coalesce(
      (select id from transfers where key = $1), (select hold_id from hold_resolutions where key = $1))
    """, parameters: [.text], columns: transferTypes)

  // The order of ids is the order of (created_at, id), because a transfer's time is the time in its id.
  static let selectTransfers = Statement(
    """
    select t.id, t.key, c.scale, \(StoredTransfer.columns)
    from (
      select * from transfers t
      where ($1::text is null or t.status = $1) and t.id < $2
      order by t.id desc
      limit $3
    ) t
    join currencies c on c.code = t.currency
    order by t.id desc
    """, parameters: [.text, .uuid, .int8], columns: transferTypes)

  // A wallet's transfers are found through its entries; refusals, which have none, and holds, whose entries bear the
  // time of the capture, through two small partial indexes.
  static let selectTransfersOfWallet = Statement(
    """
    with candidates as (
      (select transfer_id as id from transactions
       where wallet_id = $4 and status = 'posted' and created_at <= ironforge.id_time($2) and transfer_id < $2
         and created_at = ironforge.id_time(transfer_id) and ($1::text is null or $1 = 'posted')
       order by created_at desc, id desc
       limit $3)
      union
      (select id from transfers
       where from_wallet_id = $4 and (status = 'refused' or kind = 'hold') and id < $2
         and ($1::text is null or status = $1)
       order by id desc limit $3)
      union
      (select id from transfers
       where to_wallet_id = $4 and (status = 'refused' or kind = 'hold') and id < $2
         and ($1::text is null or status = $1)
       order by id desc limit $3)
    )
    select t.id, t.key, c.scale, \(StoredTransfer.columns)
    from candidates
    join transfers t on t.id = candidates.id
    join currencies c on c.code = t.currency
    where $1::text is null or t.status = $1
    order by t.id desc
    limit $3
    """, parameters: [.text, .uuid, .int8, .uuid], columns: transferTypes)
}
