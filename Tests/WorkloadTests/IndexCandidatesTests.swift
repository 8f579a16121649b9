import Plans
import Testing

@testable import Workload

struct IndexCandidatesTests {
  private func ddl(_ conditions: [String], order: String = "", relation: String = "t") -> [String] {
    IndexCandidates(
      IndexWish(schema: nil, relation: relation, alias: "x", conditions: conditions, order: order)
    ).ddl.map { String($0.dropFirst("CREATE INDEX CONCURRENTLY ON ".count)) }
  }

  @Test func equalityComesFirstThenOrderOrRange() {
    #expect(
      ddl(["((x.at > now()) AND (x.status = 'open'::text))"], order: "x.at DESC")
        == ["t (status, at DESC)", "t (status, at)", "t (status)", "t (at)"])
    #expect(ddl(["((kind)::text = ANY ('{a,b}'::text[]))"]) == ["t (kind)"])
    #expect(
      ddl(["((NOT done) AND (x.a = y.b) AND (gone IS NULL))"]) == [
        "t (done, a, gone)", "t (done)", "t (a)", "t (gone)",
      ])
  }

  @Test func columnsOfAJoinAreEqualities() {
    #expect(ddl(["(x.customer_id = c.id)"]) == ["t (customer_id)"])
    #expect(
      ddl(["(x.status = 'open'::text)", "((c.id = x.customer_id) AND (c.region = x.region))"])
        == ["t (status, customer_id, region)", "t (status)", "t (customer_id)", "t (region)"])
  }

  @Test func aGainOfATenthIsToldAndOneOfThirtyPercentIsACause() {
    #expect(IndexProof.gain(from: 1000, to: 901) == .none)
    #expect(IndexProof.gain(from: 1000, to: 900) == .some)
    #expect(IndexProof.gain(from: 1000, to: 701) == .some)
    #expect(IndexProof.gain(from: 1000, to: 700) == .cause)
  }

  @Test func whatNoIndexServesGivesNone() {
    #expect(ddl(["((a = 1) OR (b = 2))"]) == [])
    #expect(ddl(["(x.a = x.b)"]) == [])
    #expect(ddl(["(lower(a) = 'x'::text)", "not SQL ((", "(y.a = 1)"]) == [])
    #expect(ddl(["((a = 1) AND (NOT (hashed SubPlan 1)))"]) == ["t (a)"])
  }

  @Test func namesAreQuoted() {
    #expect(ddl(["(\"Odd \"\"name\" = 1)"], relation: "select") == ["\"select\" (\"Odd \"\"name\")"])
  }

  @Test func whatTheIndexInUseFindsComesBehind() {
    func ddl(_ conditions: [String], indexed: [String]) -> [String] {
      IndexCandidates(
        IndexWish(relation: "t", alias: "x", conditions: conditions, indexed: indexed)
      ).ddl.map { String($0.dropFirst("CREATE INDEX CONCURRENTLY ON ".count)) }
    }
    #expect(
      ddl(["(status = 'x'::text)"], indexed: ["(id = y.id)"]) == ["t (status, id)", "t (status)"])
    #expect(ddl(["(lower(a) = 'x'::text)"], indexed: ["(id = y.id)"]) == [])
    #expect(ddl(["(at > 5)"], indexed: ["(id = 7)"]) == ["t (id, at)", "t (at)"])
  }
}
