internal import Postgres
internal import Primitives
internal import Wallet

/// Reads a stored transfer out of a row.
enum StoredTransfer {
  /// The columns that `decode` reads, from a transfer `t`. Its entries are found by the ids that are made from
  /// its own.
  static let columns = """
    t.from_wallet_id, t.to_wallet_id, t.currency, t.amount, t.kind, t.status, t.code, t.memo,
      t.ref, t.hold_amount, t.expires_at, t.resolved_at,
      (select e.balance_after from transactions e where e.id = ironforge.entry_id(t.id, 1)) as debit,
      (select e.balance_after from transactions e where e.id = ironforge.entry_id(t.id, 2)) as credit
    """
  static let types: [DataType] = [
    .uuid, .uuid, .text, .numeric, .text, .text, .text, .text, .uuid, .numeric, .timestamptz, .timestamptz,
    .numeric, .numeric,
  ]

  /// Reads the columns that start at `first`.
  static func decode(
    _ row: Row, from first: Int, id: Identifier, key: String
  ) throws(PostgresError) -> Transfer {
    let refusal = try row.decodeIfPresent(first + 6, as: String.self)
    var hold: HoldTerms?
    if let amount = try row.decodeIfPresent(first + 9, as: Int128.self) {
      hold = HoldTerms(
        amount: amount, expiresAt: try row.decodeIfPresent(first + 10),
        resolvedAt: try row.decodeIfPresent(first + 11))
    }
    return Transfer(
      id: id, key: key, from: try row.decode(first), to: try row.decode(first + 1),
      currency: try row.decode(first + 2), amount: try row.decode(first + 3),
      kind: try decoded(try row.decode(first + 4)), status: try decoded(try row.decode(first + 5)),
      refusal: try refusal.map { text throws(PostgresError) in try decoded(text) },
      memo: try row.decodeIfPresent(first + 7), fromBalanceAfter: try row.decodeIfPresent(first + 12),
      toBalanceAfter: try row.decodeIfPresent(first + 13), ref: try row.decodeIfPresent(first + 8), hold: hold
    )
  }
}

/// A word of the schema as the Swift case that has it.
///
/// - Throws: `PostgresError.decoding` for a word that this version of the program does not know.
func decoded<T: RawRepresentable<String>>(_ text: String) throws(PostgresError) -> T {
  guard let value = T(rawValue: text) else {
    throw .decoding("\(T.self) \"\(text)\", which this version of ironforge does not know")
  }
  return value
}
