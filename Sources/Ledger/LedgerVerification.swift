public import Postgres

/// One law of the ledger, checked.
public struct LedgerCheck: Sendable, Equatable {
  public let name: String
  /// How many things were looked at.
  public let checked: Int64
  public let violations: Int64
  /// The first violation, in words; nil when there is none. Amounts are minor units.
  public let first: String?

  public var isOK: Bool { violations == 0 }
}

/// Checks every law of SPEC section 2.7 in one snapshot. Nothing is locked, no writer waits.
public struct LedgerVerification {
  private let session: Session
  /// A million transfers take seconds; an hour is for the largest ledgers.
  private static let bound: Duration = .seconds(3600)

  public init(_ session: Session) {
    self.session = session
  }

  /// Runs all checks.
  ///
  /// - Parameters:
  ///   - currency: checks one currency only; nil for all.
  ///   - progress: called with the name of each part before it runs, and its place among all.
  public func run(
    currency: String?, progress: (_ part: String, _ index: Int, _ of: Int) -> Void = { _, _, _ in }
  ) throws -> [LedgerCheck] {
    try session.withStatementTimeout(Self.bound) {
      try session.transaction(.snapshot) {
        try session.query(Self.widenMemory())
        var checks: [LedgerCheck] = []
        for (index, part) in Self.parts.enumerated() {
          progress(part.name, index, Self.parts.count)
          for row in try session.query(part.statement(currency)) {
            checks.append(
              LedgerCheck(
                name: try row.decode(0), checked: try row.decode(1), violations: try row.decode(2),
                first: try row.decodeIfPresent(3)))
          }
        }
        return checks
      }
    }
  }

  static let statements = [widenMemory] + parts.map(\.statement)

  private static let parts: [(name: String, statement: Statement)] = [
    ("transfers", transfers), ("currencies", currencies), ("entries", entries), ("assets", assets),
    ("keys", keys), ("holds", holds), ("reversals", reversals),
  ]

  private static func check(_ sql: String) -> Statement {
    Statement(sql, parameters: [.text], columns: [.text, .int8, .int8, .text])
  }

  /// The two sorts of all entries then stay in memory for some millions of them.
  private static let widenMemory = Statement(
    "select set_config('work_mem', '128MB', true)", columns: [.text])

  /// A posted transfer has exactly its two entries; an entry that counts belongs to a posted transfer.
  private static let transfers = check(
    """
    with e as (
      select transfer_id, count(*) as lines, sum(amount) as total, max(amount) as gained,
        count(*) filter (where currency <> x.transfer_currency or wallet_id <> x.expected_wallet) as foreign_lines
      from (
        select t.*, f.currency as transfer_currency,
          case when t.amount < 0 then f.from_wallet_id else f.to_wallet_id end as expected_wallet
        from transactions t left join transfers f on f.id = t.transfer_id
        where t.status = 'posted' and ($1::text is null or t.currency = $1)
      ) x
      group by transfer_id
    ), judged as (
      select coalesce(t.id, e.transfer_id) as id,
        case
          when t.id is null then 'has entries but is not a posted transfer'
          when e.lines is null then 'is posted but has no entries'
          when e.lines <> 2 then 'has ' || e.lines || ' entries'
          when e.total <> 0 then 'has entries that sum to ' || e.total
          when e.gained <> t.amount then 'is of ' || t.amount || ' but its entries move ' || e.gained
          when e.foreign_lines > 0 then 'has an entry of another wallet or currency'
        end as problem
      from (
        select id, amount from transfers where status = 'posted' and ($1::text is null or currency = $1)
      ) t
      full join e on e.transfer_id = t.id
    )
    select 'transfer_entries_sum_to_zero', count(*), count(problem),
      min('transfer ' || id || ' ' || problem)
    from judged
    """)

  private static let currencies = check(
    """
    with totals as (
      select c.code,
        coalesce((select sum(balance) from assets a where a.currency = c.code), 0) as balances
      from currencies c
      where $1::text is null or c.code = $1
    )
    select 'currencies_sum_to_zero', count(*), count(*) filter (where balances <> 0),
      min('currency ' || code || ': all balances sum to ' || balances) filter (where balances <> 0)
    from totals
    """)

  /// One pass over all entries in the order of versions, for three laws.
  private static let entries = check(
    """
    with ordered as (
      select wallet_id, currency, amount, balance_after, version, created_at,
        row_number() over w as place,
        sum(amount) over w as running,
        lag(created_at) over w as time_before
      from transactions
      where status = 'posted' and ($1::text is null or currency = $1)
      window w as (partition by wallet_id, currency order by version, id
        rows between unbounded preceding and current row)
    ), judged as (
      select wallet_id || ' ' || currency || ' version ' || version as line, place, version, running,
        balance_after, created_at < time_before as goes_back
      from ordered
      where place <> version or running <> balance_after or created_at < time_before
    ), counted as (select count(*) as n from transactions
      where status = 'posted' and ($1::text is null or currency = $1))
    select 'versions_dense', (select n from counted), count(*) filter (where place <> version),
      min('wallet ' || line || ' stands in place ' || place) filter (where place <> version)
    from judged
    union all
    select 'running_balances', (select n from counted), count(*) filter (where running <> balance_after),
      min('wallet ' || line || ': balance_after is ' || balance_after || ', entries sum to ' || running)
        filter (where running <> balance_after)
    from judged
    union all
    select 'entries_in_time_order', (select n from counted), count(*) filter (where goes_back),
      min('wallet ' || line || ' is older than the entry before it') filter (where goes_back)
    from judged
    """)

  private static let assets = check(
    """
    with sums as (
      select wallet_id, currency, count(*) as lines, sum(amount) as total, max(version) as last_version
      from transactions
      where status = 'posted' and ($1::text is null or currency = $1)
      group by wallet_id, currency
    ), holds as (
      select from_wallet_id as wallet_id, currency, sum(amount) as held
      from transfers
      where status = 'pending' and ($1::text is null or currency = $1)
      group by from_wallet_id, currency
    ), compared as (
      select coalesce(a.wallet_id, s.wallet_id) || ' ' || coalesce(a.currency, s.currency) as name,
        a.wallet_id is null as is_missing, coalesce(a.balance, 0) as balance, coalesce(s.total, 0) as total,
        coalesce(a.version, 0) as version, coalesce(s.last_version, 0) as last_version,
        coalesce(a.held, 0) as held, coalesce(h.held, 0) as open_holds,
        a.wallet_id is not null and w.kind = 'standard' and (a.balance < 0 or a.balance < a.held)
          as is_overdrawn,
        w.kind <> a.wallet_kind or w.status <> a.wallet_status as is_estranged, w.kind || ' ' || w.status as wallet
      from (select * from assets where $1::text is null or currency = $1) a
      full join sums s on s.wallet_id = a.wallet_id and s.currency = a.currency
      left join holds h on h.wallet_id = a.wallet_id and h.currency = a.currency
      left join wallets w on w.id = a.wallet_id
    )
    select 'balances_match_entries', count(*),
      count(*) filter (where is_missing or balance <> total or version <> last_version),
      min('wallet ' || name || ': balance ' || balance || ' at version ' || version || ', entries sum to '
        || total || ' at version ' || last_version)
        filter (where is_missing or balance <> total or version <> last_version)
    from compared
    union all
    select 'held_equals_open_holds', count(*), count(*) filter (where held <> open_holds),
      min('wallet ' || name || ': held is ' || held || ', open holds sum to ' || open_holds)
        filter (where held <> open_holds)
    from compared
    union all
    select 'no_overdraft', count(*), count(*) filter (where is_overdrawn),
      min('wallet ' || name || ': balance ' || balance || ', held ' || held) filter (where is_overdrawn)
    from compared
    union all
    select 'assets_know_their_wallets', count(*), count(*) filter (where is_estranged),
      min('wallet ' || name || ': the wallet is ' || wallet || ', its asset says otherwise')
        filter (where is_estranged)
    from compared
    """)

  private static let keys = check(
    """
    with keys as (
      select key from transfers where $1::text is null or currency = $1
      union all
      select r.key from hold_resolutions r join transfers t on t.id = r.hold_id
      where $1::text is null or t.currency = $1
    ), doubled as (
      select key, count(*) as times from keys group by key having count(*) > 1
    )
    select 'keys_unique', (select count(*) from keys), count(*),
      min('key ' || key || ' is stored ' || times || ' times')
    from doubled
    """)

  /// An open hold has two pending lines, a voided or expired one two voided lines, and no other transfer has any. A
  /// captured or voided hold has one resolution that says so.
  private static let holds = check(
    """
    with lines as (
      select transfer_id, count(*) as lines, sum(amount) as total, max(amount) as held,
        count(distinct status) as statuses, min(status) as status
      from transactions
      where status <> 'posted' and ($1::text is null or currency = $1)
      group by transfer_id
    ), judged as (
      select coalesce(t.id, l.transfer_id) as id,
        case
          when t.id is null then 'is no hold but has lines that are not posted'
          when t.status = 'posted' and l.lines is not null then 'was captured but has lines that are not posted'
          when t.status = 'posted' then null
          when l.lines is distinct from 2 then 'has ' || coalesce(l.lines, 0) || ' lines'
          when l.total <> 0 or l.held <> t.hold_amount then 'holds ' || t.hold_amount || ' but its lines ' || l.held
          when l.statuses <> 1 or l.status <> case t.status when 'pending' then 'pending' else 'voided' end
            then 'is ' || t.status || ' but has a line that is ' || l.status
        end as problem,
        case
          when t.status in ('pending', 'expired') and r.key is not null then 'is ' || t.status || ' but was resolved'
          when t.status = 'posted' and r.kind is distinct from 'capture' then 'is posted without a capture'
          when t.status = 'voided' and r.kind is distinct from 'void' then 'is voided without a void'
          when t.status = 'posted' and r.amount <> t.amount
            then 'moved ' || t.amount || ' but its capture is of ' || r.amount
        end as contradiction
      from (
        select * from transfers
        where kind = 'hold' and status <> 'refused' and ($1::text is null or currency = $1)
      ) t
      full join lines l on l.transfer_id = t.id
      left join hold_resolutions r on r.hold_id = t.id
    )
    select 'holds_have_their_lines', count(*), count(problem), min('transfer ' || id || ' ' || problem)
    from judged
    union all
    select 'holds_resolved_once', count(*), count(contradiction), min('hold ' || id || ' ' || contradiction)
    from judged
    """)

  private static let reversals = check(
    """
    with judged as (
      select r.ref as id, t.amount, sum(r.amount) as reversed,
        bool_or(t.id is null or t.status <> 'posted' or r.from_wallet_id <> t.to_wallet_id
          or r.to_wallet_id <> t.from_wallet_id or r.currency <> t.currency) as is_foreign
      from transfers r
      left join transfers t on t.id = r.ref
      where r.kind = 'reverse' and r.status = 'posted' and ($1::text is null or r.currency = $1)
      group by r.ref, t.amount
    )
    select 'reversals_within_their_transfers', count(*), count(*) filter (where is_foreign or reversed > amount),
      min('transfer ' || id || case when is_foreign then ' is not what its reversal gives back'
        else ' of ' || amount || ' was reversed by ' || reversed end) filter (where is_foreign or reversed > amount)
    from judged
    """)
}
