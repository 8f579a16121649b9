public import Postgres

/// The statements of a race.
public enum RaceStatements {
  /// All of them, for the test that prepares each.
  public static let all = [insert, forget, forgetOld, bump, whoWrites, load, horizon]

  static let insert = Statement(
    "insert into ironforge.race_rows (race, id, version) select $1, id, 0 from generate_series(0, $2 - 1) id",
    parameters: [.uuid, .int4])

  static let forget = Statement("delete from ironforge.race_rows where race = $1", parameters: [.uuid])

  /// What killed races have left.
  static let forgetOld = Statement(
    "delete from ironforge.race_rows where created_at < clock_timestamp() - interval '1 day'")

  static let bump = Statement(
    "update ironforge.race_rows set version = version + 1 where race = $1 and id = $2 returning version",
    parameters: [.uuid, .int4], columns: [.int8])

  /// Borne by the writers of all races, as `FencedTransaction.mark` by those of the ledger.
  public static let mark = TransactionMark(space: 1_768_320_359, number: 1_918_985_061)

  static let whoWrites = Statement(
    "select pg_current_xact_id(), pg_current_snapshot()::text from \(mark.setting)", columns: [.xid8, .text])

  static let load = Statement(
    """
    -- A row with or without a version: the snapshot is needed either way.
    select version, pg_current_snapshot()::text, pg_is_in_recovery()
      from (select) one left join ironforge.race_rows on race = $1 and id = $2
    """, parameters: [.uuid, .int4], columns: [.int8, .text, .bool])

  static let horizon = Statement("select pg_current_xact_id()", columns: [.xid8])
}
