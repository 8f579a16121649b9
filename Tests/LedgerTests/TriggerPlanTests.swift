import Postgres
import TestSupport
import Testing

@testable import Ledger

/// Plans of triggers are kept by the session that made them, also when tables grow.
@Suite struct TriggerPlanTests {
  @Test func aPlanMadeOnEmptyTablesReadsNoneOfThemWhole() async throws {
    try await withWorld { world in
      try await world.transfer(world.request("in"))
      try await world.transfer(world.request("out", from: world.ada, to: world.bob))
      // As after a vacuum: known to be empty, the cheapest of all to read whole.
      try await world.database.sql("vacuum analyze")
      let (source, destination) = (world.ada, world.bob)
      let scans = try await world.with { session in
        try session.transaction {
          // The plans of foreign keys are the server's own.
          try session.simple("alter table hold_resolutions drop constraint hold_resolutions_hold_id_fkey")
          for number in 10..<50 {
            let id = "01900000-0000-7000-8000-0000000000\(number / 10)\(["0", "4", "8", "c"][number % 4])"
            let entries = "'\(id)'::uuid, '\(source)'::uuid, '\(destination)'::uuid"
            try session.simple(
              """
              insert into transfers
                (id, key, from_wallet_id, to_wallet_id, currency, amount, hold_amount, kind, status)
              select id, 'hold-\(number)', source, destination, 'USD', 1, 1, 'hold', 'pending'
              from (select \(entries)) as h (id, source, destination)
              on conflict do nothing;
              insert into transactions (id, transfer_id, wallet_id, currency, amount, status)
              select ironforge.entry_id(id, side), id, case side when 1 then source else destination end, 'USD',
                case side when 1 then -1 else 1 end, 'pending'
              from (select \(entries)) as h (id, source, destination), (values (1), (2)) as sides (side)
              on conflict do nothing;
              insert into hold_resolutions (key, kind, hold_id, amount, created_at)
              values ('capture-\(number)', 'capture', '\(id)', 1, now())
              on conflict (hold_id) do nothing;
              """)
          }
          return try session.query(Self.wholeReads()).map { row in try row.decode(0, as: String.self) }
        }
      }
      #expect(scans == [])
    }
  }

  private static let wholeReads = Statement(
    """
    select format('%s: %s times', relname, seq_scan) from pg_stat_xact_user_tables
    where relname in ('transfers', 'transactions', 'hold_resolutions') and seq_scan > 0
    """, columns: [.text])
}
