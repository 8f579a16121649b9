import Plans
import Testing

@testable import Workload

struct IndexCandidatesTests {
  private func ddl(_ conditions: [String], order: String = "") -> [String] {
    IndexCandidates(
      IndexWish(schema: nil, relation: "t", alias: "x", conditions: conditions, order: order)
    ).options.map { $0.joined(separator: " with ") }
  }

  @Test func equalityComesFirstThenOrderOrRange() {
    #expect(
      ddl(["((x.at > now()) AND (x.status = 'open'::text))"], order: "x.at DESC")
        == ["(status, at DESC)", "(status, at)", "(status)", "(at)"])
    #expect(ddl(["((kind)::text = ANY ('{a,b}'::text[]))"]) == ["(kind)"])
    #expect(
      ddl(["((NOT done) AND (x.a = y.b) AND (gone IS NULL))"]) == [
        "(done, a, gone)", "(done)", "(a)", "(gone)",
      ])
  }

  /// Pages that begin behind the last row of the one before.
  @Test func rowsAreComparedInTheirOrder() {
    #expect(ddl(["(ROW(x.at, x.id) < ROW(now(), '7'::bigint))"]) == ["(at, id)"])
    #expect(
      ddl(["((x.owner = 5) AND (ROW(7, now()) > ROW(x.id, x.at)))"]) == ["(owner, id, at)", "(owner)"])
    #expect(ddl(["(ROW(x.at, y.id) < ROW(now(), 7))"]) == [])
  }

  @Test func columnsOfAJoinAreEqualities() {
    #expect(ddl(["(x.customer_id = c.id)"]) == ["(customer_id)"])
    #expect(
      ddl(["(x.status = 'open'::text)", "((c.id = x.customer_id) AND (c.region = x.region))"])
        == ["(status, customer_id, region)", "(status)", "(customer_id)", "(region)"])
  }

  @Test func aGainOfATenthIsToldAndOneOfThirtyPercentIsACause() {
    #expect(IndexProof.gain(from: 1000, to: 901) == .none)
    #expect(IndexProof.gain(from: 1000, to: 900) == .some)
    #expect(IndexProof.gain(from: 1000, to: 701) == .some)
    #expect(IndexProof.gain(from: 1000, to: 700) == .cause)
  }

  @Test func whatNoIndexServesGivesNone() {
    #expect(ddl(["((a = 1) OR (now() = 'infinity'::timestamptz))"]) == [])
    #expect(ddl(["(x.a = x.b)"]) == [])
    #expect(ddl(["(lower(y.a) = 'x'::text)", "(x.a ~~ '%x'::text)", "not SQL ((", "(y.a = 1)"]) == [])
    #expect(ddl(["((a = 1) AND (NOT (hashed SubPlan 1)))"]) == ["(a)"])
  }

  @Test func namesAreQuoted() {
    #expect(ddl(["(\"Odd \"\"name\" = 1)"]) == ["(\"Odd \"\"name\")"])
    #expect(ddl(["(x.\"select\" = 1)"]) == ["(\"select\")"])
  }

  @Test func expressionsAndBeginningsAreKeys() {
    #expect(ddl(["(lower((x.email)::text) = 'x'::text)"]) == ["((lower((email)::text)))"])
    #expect(ddl(["((x.data ->> 'kind'::text) = 'a'::text)"]) == ["(((data ->> ('kind')::text)))"])
    #expect(
      ddl(["((x.a = 1) AND (x.b ~~ 'abc%'::text))"])
        == ["(a, b text_pattern_ops)", "(a)", "(b text_pattern_ops)"])
  }

  /// Each side has its own, and one index serves all sides that ask the same.
  @Test func theSidesOfAnAlternativeHelpTogether() {
    #expect(ddl(["((x.a = 1) OR (x.b = 2) OR (x.a = 7))"]) == ["(a) with (b)"])
    #expect(ddl(["((x.c = 3) AND ((x.a = 1) OR (x.b > 2)))"]) == ["(a) with (b)", "(c)"])
  }

  /// What stands above the partitions names the column by their parent.
  @Test func partitionsAreKnownByTheirParent() {
    var wish = IndexWish(relation: "o_2024", alias: "o_1", conditions: ["(o.customer_id = c.id)"])
    #expect(IndexCandidates(wish).options == [])
    wish.others = [IndexWish.Table(schema: nil, name: "o_2025")]
    #expect(IndexCandidates(wish).options == [["(customer_id)"]])
  }

  @Test func whatTheIndexInUseFindsComesBehind() {
    func ddl(_ conditions: [String], indexed: [String]) -> [String] {
      IndexCandidates(
        IndexWish(relation: "t", alias: "x", conditions: conditions, indexed: indexed)
      ).options.map { $0.joined(separator: " with ") }
    }
    #expect(
      ddl(["(status = 'x'::text)"], indexed: ["(id = y.id)"]) == ["(status, id)", "(status)"])
    #expect(ddl(["(a ~ 'x'::text)"], indexed: ["(id = y.id)"]) == [])
    #expect(ddl(["(at > 5)"], indexed: ["(id = 7)"]) == ["(id, at)", "(at)"])
  }
}
