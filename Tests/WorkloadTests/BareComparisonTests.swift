import Plans
import Testing

@testable import Workload

/// What is computed from a column, compared as EXPLAIN prints it, and the same rows by the column itself.
struct BareComparisonTests {
  private let types = [
    "id": "int8", "n": "int4", "amount": "numeric", "at": "timestamptz", "ts": "timestamp", "day": "date",
    "email": "varchar", "mail": "citext", "state": "enum", "x": "float8",
  ]

  private func bare(_ condition: String, types: [String: String]? = nil) -> String {
    let wish = IndexWish(relation: "t", alias: "t", conditions: [condition])
    return IndexCandidates(wish, types: types ?? self.types, bare: true).rewritten.joined(separator: " AND ")
  }

  @Test func truncatedTimesAreRanges() {
    #expect(
      bare("((t.at)::date = '2026-05-05'::date)") == "at >= '2026-05-05' AND at < date '2026-05-05' + 1")
    #expect(bare("((t.at)::date > '2026-05-05'::date)") == "at >= date '2026-05-05' + 1")
    #expect(bare("((t.at)::date <= CURRENT_DATE)") == "at < CURRENT_DATE + 1")
    #expect(bare("(date(t.ts) = $1)") == "ts >= ($1)::date AND ts < ($1)::date + 1")
    #expect(
      bare("(('2026-05-05'::date <= (t.ts)::date) AND ((t.ts)::date < '2026-05-07'::date))")
        == "ts >= '2026-05-05' AND ts < '2026-05-07'")
    #expect(
      bare("(date_trunc('month'::text, t.ts) = '2026-05-01 00:00:00'::timestamp without time zone)")
        == "ts >= '2026-05-01 00:00:00' AND ts < timestamp '2026-05-01 00:00:00' + interval '1 month'")
    #expect(
      bare("(EXTRACT(year FROM t.at) = '2025'::numeric)")
        == "at >= '2025-01-01' AND at < date '2025-01-01' + interval '1 year'")
    #expect(bare("(date_part('year'::text, t.at) >= '2025'::double precision)") == "at >= '2025-01-01'")
    #expect(
      bare("(to_char(t.at, 'YYYY-MM'::text) = '2026-05'::text)")
        == "at >= '2026-05-01' AND at < date '2026-05-01' + interval '1 month'")
  }

  @Test func zonesAndArithmeticGoToTheOtherSide() {
    #expect(
      bare("(((t.at AT TIME ZONE 'Europe/Berlin'::text))::date = '2026-05-05'::date)")
        == "at >= ((date '2026-05-05')::timestamp AT TIME ZONE 'Europe/Berlin') AND"
        + " at < ((date '2026-05-05' + 1)::timestamp AT TIME ZONE 'Europe/Berlin')")
    #expect(bare("((t.at + '7 days'::interval) > now())") == "at > now() - interval '7 days'")
    #expect(bare("((now() - t.at) < '1 day'::interval)") == "at > now() - interval '1 day'")
    #expect(
      bare("((now() - (t.at + '1 day'::interval)) < '2 days'::interval)")
        == "at > (now() - interval '2 days') - interval '1 day'")
    #expect(bare("((t.n + 2) > 998)") == "n > 996")
    #expect(bare("((t.day - '2004-01-01'::date) > 200)") == "day > date '2004-01-01' + 200")
    #expect(bare("((t.ts)::date >= (CURRENT_DATE - 7))") == "ts >= CURRENT_DATE - 7")
    #expect(bare("(EXTRACT(epoch FROM t.at) > '5'::numeric)") == "at > to_timestamp(5)")
    #expect(bare("((t.amount * '2'::numeric) > '19991'::numeric)") == "amount > 19991 / 2.0")
    #expect(
      bare("(age((CURRENT_DATE)::timestamp with time zone, t.at) < '1 day'::interval)")
        == "at > (CURRENT_DATE)::timestamptz - interval '1 day'")
  }

  @Test func valuesTakeTheColumnsType() {
    #expect(bare("((t.id)::numeric = 5.0)") == "id = 5")
    #expect(bare("((t.n)::numeric > 5.5)") == "n >= 6")
    #expect(bare("((t.id)::numeric = $1)") == "id = ($1)::int8")
    #expect(bare("((t.id)::text = '5'::text)") == "id = '5'")
    #expect(bare("((t.id)::text = ANY ('{5,6}'::text[]))") == "id = ANY ('{5,6}')")
    #expect(bare("((t.state)::text = 'open'::text)") == "state = 'open'")
    #expect(bare("(lower((t.mail)::text) = 'a@b'::text)") == "mail = 'a@b'")
    #expect(
      bare("((t.day)::timestamp without time zone = '1960-01-01 00:00:00'::timestamp without time zone)")
        == "day = '1960-01-01 00:00:00'")
    #expect(
      bare("(NOT (t.at IS DISTINCT FROM '2026-05-05 00:00:00+00'::timestamp with time zone))")
        == "at = '2026-05-05 00:00:00+00'")
  }

  @Test func aDefaultForNULLIsLeftOut() {
    #expect(bare("(COALESCE(t.n, 0) = 7)") == "n = 7")
    #expect(bare("(COALESCE(t.n, 0) = 0)") == "(n = 0 OR n IS NULL)")
    #expect(bare("(COALESCE(t.n, 0) < 7)") == "(n < 7 OR n IS NULL)")
    #expect(
      bare("(COALESCE(t.at, 'infinity'::timestamp with time zone) > now())")
        == "(at > now() OR at IS NULL)")
  }

  /// Other rows, or none that anybody could name.
  @Test(arguments: [
    "((t.email)::text = 'a'::text)", "(lower((t.email)::text) = 'a'::text)", "((t.id)::numeric = 5.5)",
    "((t.amount)::integer = 7)", "((t.id)::text > '5'::text)", "((t.amount)::text = '5'::text)",
    "((t.mail)::text = 'a'::text)", "((t.x)::numeric = 5.0)", "((t.email)::date = '2026-05-05'::date)",
    "(EXTRACT(month FROM t.at) = '5'::numeric)", "(EXTRACT(year FROM t.at) = 2025.5)",
    "(to_char(t.at, 'DD'::text) = '05'::text)", "((t.n * 2) > 15)",
    "((t.amount * '-2'::numeric) > '15'::numeric)",
    "((t.at)::date <> '2026-05-05'::date)", "((t.at)::date = u.day)", "(COALESCE(t.n, u.n) = 7)",
    "(COALESCE(t.amount, 0.5) < 7.5)", "(t.at = now())", "((t.n + t.id) = 7)",
    "(date_trunc('day'::text, t.at) = $1 AND",
    "(((t.at)::date = '2026-05-05'::date) OR (t.n = 1))", "(date_trunc('fortnight'::text, t.at) = now())",
  ])
  func isLeftAsItIs(_ condition: String) { #expect(bare(condition) == "") }

  /// Nobody knows then whether `text` is only another name of the column's type.
  @Test func withoutTypesTheTextMustTell() {
    #expect(bare("((id)::text = '5'::text)", types: [:]) == "")
    #expect(bare("((id)::numeric = 5.0)", types: [:]) == "id = 5")
    #expect(bare("((n)::bigint = 5)", types: [:]) == "")
    #expect(bare("((at)::date = '2026-05-05'::date)", types: [:]) != "")
  }

  @Test func theIndexStandsOnTheColumn() {
    let wish = IndexWish(
      relation: "t", alias: "t",
      conditions: ["((t.state = 'open'::text) AND ((t.at)::date = '2026-05-05'::date))"])
    #expect(IndexCandidates(wish, types: types, bare: true).options.first == ["(state, at)"])
    #expect(IndexCandidates(wish, types: types, bare: false).options.first == ["(state, ((at)::date))"])
  }

  @Test(arguments: [
    ("('b7'::text = ANY (t.tags))", "Write tags @> ARRAY['b7'], which a GIN index finds: ", "tags"),
    ("(t.tags && '{b7}'::text[])", "", "tags"),
    ("(t.data @> '{\"a\": 1}'::jsonb)", "", "data jsonb_path_ops"),
    ("(t.data ? 'a'::text)", "", nil),
    ("(t.note ~~* '%abc%'::text)", "", "note gin_trgm_ops"),
    ("((t.note)::text ~~ '%ab%'::text)", "", nil),
  ])
  func whatIsInsideAValueIsFoundByGIN(_ condition: String, _ before: String, _ key: String?) {
    let wish = IndexWish(relation: "t", alias: "t", conditions: [condition])
    let candidates = IndexCandidates(wish)
    #expect(candidates.options == [])
    let step = key.map { "\(before)CREATE INDEX CONCURRENTLY ON t USING gin (\($0)); -- not verified" }
    let found = candidates.otherStep(WishedTables(wish))
    #expect(step.map { found?.hasPrefix($0) == true } ?? (found == nil), "\(found ?? "none")")
  }
}
