public import Postgres
public import Primitives
public import Wallet

/// A ledger entry with what is needed to show it.
public struct EntryRecord: Sendable, Equatable {
  public let id: Identifier
  public let transferID: Identifier
  public let walletID: Identifier
  public let currency: Currency
  public let amount: Int128
  /// Nil unless posted.
  public let balanceAfter: Int128?
  /// Nil unless posted.
  public let version: Int64?
  public let status: EntryStatus
  public let createdAt: Timestamp
}

/// A wallet, what it holds, and its last entries.
public struct WalletSummary: Sendable {
  public let wallet: WalletRecord
  public let assets: [AssetRecord]
  public let transactions: [EntryRecord]
}

extension Ledger {
  /// The three reads of a wallet's summary, all sent at once, of one snapshot.
  ///
  /// - Throws: `wallet_not_found`.
  public func summary(of id: Identifier, transactions limit: Int) throws -> WalletSummary {
    let page = PageRequest(limit: limit, cursor: nil)
    // Outside an explicit transaction a pipeline is one implicit transaction, but a snapshot a statement:
    // hence the explicit one.
    let results = try session.pipeline(
      session.beginning(.snapshot) + [
        Self.selectWallet(id), Self.selectAssets([id]), Self.history(id, page), Statement.commit(),
      ]
    ).suffix(4)
    let first = results.startIndex
    guard let row = results[first].first else { throw WalletNotFound(reference: id.description) }
    return WalletSummary(
      wallet: try Self.wallet(row), assets: try Self.assets(results[first + 1]),
      transactions: try results[first + 2].prefix(limit).map(Self.entry))
  }

  /// A wallet's entries, newest first.
  public func history(
    of wallet: Identifier, status: EntryStatus? = nil, currency: String? = nil, _ page: PageRequest
  ) throws(PostgresError) -> Page<EntryRecord> {
    let rows = try session.query(Self.history(wallet, page, status: status, currency: currency))
    return Page(try rows.map(Self.entry), limit: page.limit) { Cursor(time: $0.createdAt, id: $0.id) }
  }

  /// What a wallet held at a moment: the balance after the last entry that is not younger.
  ///
  /// A currency that the wallet did not hold yet is there with zero: an empty answer could be read as agreement.
  /// Entries of one asset never go back in time, so that the last by time is the last by version. `held` is what was
  /// set aside by the holds that were open then.
  public func balances(of wallet: Identifier, at time: Timestamp) throws(PostgresError) -> [AssetRecord] {
    try Self.assets(try session.query(Self.selectBalanceAt(wallet, time)))
  }

  private static func history(
    _ wallet: Identifier, _ page: PageRequest, status: EntryStatus? = nil, currency: String? = nil
  ) -> BoundStatement {
    selectHistory(wallet, status?.rawValue, currency, page.time, page.id, page.rows)
  }

  private static func entry(_ row: Row) throws(PostgresError) -> EntryRecord {
    EntryRecord(
      id: try row.decode(0), transferID: try row.decode(1), walletID: try row.decode(2),
      currency: Currency(code: try row.decode(3), scale: Int(try row.decode(4, as: Int16.self))),
      amount: try row.decode(5), balanceAfter: try row.decodeIfPresent(6),
      version: try row.decodeIfPresent(7), status: try decoded(try row.decode(8)),
      createdAt: try row.decode(9))
  }

  // One branch a status, each a walk down idx_tx_wallet_status_time: with a list of statuses, or none, the
  // index would not give the order, and the whole history of a wallet would be sorted.
  static let selectHistory = Statement(
    """
    select e.id, e.transfer_id, e.wallet_id, e.currency, c.scale, e.amount, e.balance_after, e.version,
      e.status, e.created_at
    from unnest(array['posted', 'pending', 'voided']) as s (status)
    cross join lateral (
      select * from transactions t
      where t.wallet_id = $1 and t.status = s.status and ($3::text is null or t.currency = $3)
        and t.created_at <= $4 and (t.created_at, t.id) < ($4, $5)
      order by t.created_at desc, t.id desc
      limit $6
    ) e
    join currencies c on c.code = e.currency
    where $2::text is null or s.status = $2
    order by e.created_at desc, e.id desc
    limit $6
    """,
    parameters: [.uuid, .text, .text, .timestamptz, .uuid, .int8],
    columns: [
      .uuid, .uuid, .uuid, .text, .int2, .numeric, .numeric, .int8, .text, .timestamptz,
    ])

  static let selectBalanceAt = Statement(
    """
    select a.wallet_id, a.currency, c.scale, coalesce(e.balance_after, 0),
      (select coalesce(sum(h.hold_amount), 0) from transfers h
       where h.from_wallet_id = a.wallet_id and h.kind = 'hold' and h.currency = a.currency
         and h.status <> 'refused' and h.created_at <= $2 and (h.resolved_at is null or h.resolved_at > $2)),
      coalesce(e.version, 0), coalesce(e.created_at, $2)
    from assets a
    join currencies c on c.code = a.currency
    left join lateral (
      select t.balance_after, t.version, t.created_at
      from transactions t
      where t.wallet_id = a.wallet_id and t.currency = a.currency and t.status = 'posted'
        and t.created_at <= $2
      order by t.created_at desc, t.version desc
      limit 1
    ) e on true
    where a.wallet_id = $1
    order by a.currency
    """,
    parameters: [.uuid, .timestamptz],
    columns: [.uuid, .text, .int2, .numeric, .numeric, .int8, .timestamptz])
}
