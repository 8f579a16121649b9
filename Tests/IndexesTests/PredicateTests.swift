import TestSupport
import Testing

@testable import Indexes

@Suite struct PredicateTests {
  private func implies(_ a: String, _ b: String) -> Bool {
    Predicate(parsing: a).implies(Predicate(parsing: b))
  }

  /// As `pg_get_expr` prints them.
  @Test(arguments: [
    ("(a = 5)", "(a IS NOT NULL)"),
    ("(a = 5)", "(a > 3)"),
    ("(a = '-5'::integer)", "(a < 3)"),
    ("(a > 5)", "(a >= 5)"),
    ("(a > 5)", "(a <> 5)"),
    ("(a >= 6)", "(a > 5)"),
    ("(a < 5)", "(a <= 5)"),
    ("(a < (5)::numeric)", "(a < (6)::numeric)"),
    ("((a = 1) AND (b IS NULL))", "(b IS NULL)"),
    ("((b IS NULL) AND (a = 1))", "((a = 1) AND (b IS NULL))"),
    ("((status)::text = 'open'::text)", "(status IS NOT NULL)"),
    (
      "((status)::text = 'open'::text)",
      "((status)::text = ANY ((ARRAY['late'::character varying, 'open'::character varying])::text[]))"
    ),
    (
      "((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
      "((status)::text = ANY (ARRAY[('b'::character varying)::text, ('a'::character varying)::text]))"
    ),
    ("(a = ANY (ARRAY[1, 2]))", "(a = ANY (ARRAY[3, 2, 1]))"),
    ("(a = ANY (ARRAY[1, 2]))", "(a < 3)"),
    ("(a = ANY (ARRAY[1]))", "(a = 1)"),
    ("flag", "(flag = true)"),
    ("(NOT flag)", "(flag IS NOT NULL)"),
    ("(\"Mixed \"\"name\" = 'it''s'::text)", "(\"Mixed \"\"name\" IS NOT NULL)"),
    ("(lower(email) = 'x'::text)", "(lower(email) IS NOT NULL)"),
    ("((a = 1) OR (b = 2))", "((a = 1) OR (b = 2))"),
    ("(s = 'open'::public.status)", "(s IS NOT NULL)"),
    ("(c = '(1,)'::public.pair)", "(c = '(1,)'::public.pair)"),
  ])
  func follows(_ a: String, _ b: String) {
    #expect(implies(a, b))
    #expect(implies(a, a) && implies(b, b))
  }

  @Test(arguments: [
    ("(a IS NOT NULL)", "(a = 5)"),
    ("(a > 3)", "(a = 5)"),
    ("(a > 5)", "(a > 6)"),
    ("(a >= 5)", "(a > 5)"),
    ("(a <> 5)", "(a > 5)"),
    ("(a = 5)", "(b = 5)"),
    ("(a = 5)", "(a <> 5)"),
    ("(b IS NULL)", "((a = 1) AND (b IS NULL))"),
    ("(a IS NULL)", "(a IS NOT NULL)"),
    ("(a = ANY (ARRAY[1, 2]))", "(a = 1)"),
    ("(a = ANY (ARRAY[1, 9]))", "(a < 3)"),
    // Whether these are different values only the type knows.
    ("(s = 'a'::text)", "(s <> 'b'::text)"),
    ("(s = 'b'::text)", "(s > 'a'::text)"),
    // 2 and 10, as text and as numbers.
    ("(s > '2'::text)", "(s > '10'::text)"),
    ("((a = 1) OR (b = 2))", "(a = 1)"),
    ("((a = 1) OR (b = 2))", "(a IS NOT NULL)"),
    ("(NOT (a = 1))", "(a IS NOT NULL)"),
    // A row with a NULL in it can be compared, and is not "not null".
    ("(c > '(1,)'::public.pair)", "(c IS NOT NULL)"),
    (#"(c = E'(1,"\\\\")'::public.pair)"#, "(c IS NOT NULL)"),
    ("(c = ANY (ARRAY['(1,)'::public.pair, '(2,)'::public.pair]))", "(c IS NOT NULL)"),
    // An operator of somebody's own may be true of NULL.
    ("(a OPERATOR(public.=) 5)", "(a IS NOT NULL)"),
    ("(COALESCE(a, 1) = 1)", "(a IS NOT NULL)"),
    ("(CASE WHEN (a = 1) AND (b = 2) THEN 1 ELSE 0 END = 1)", "(b = 2)"),
    ("flag", "(NOT flag)"),
    ("(s = 'x AND y'::text)", "y"),
    // One letter with an accent, and a letter and an accent.
    ("(s = '\u{e9}'::text)", "(s = 'e\u{301}'::text)"),
  ])
  func doesNotFollow(_ a: String, _ b: String) {
    #expect(!implies(a, b))
  }

  @Test func noConditionLetsEverythingIn() {
    #expect(Predicate(parsing: "(a = 1)").implies(.none))
    #expect(!Predicate.none.implies(Predicate(parsing: "(a = 1)")))
    #expect(Predicate(parsing: nil) == .none)
  }

  /// Whatever a text is, it is read without a trap, and follows from itself.
  @Test func readsAnyText() {
    var random = SeededGenerator(seed: 20_261_123)
    let pieces = [
      "(", ")", "[", "]", "'", "\"", "E'", "\\", "::", "AND", "OR", "NOT", "IS", "NULL", "ANY", "ARRAY", "a",
      "1",
      " ", ",", "=", "<>", "CASE", "END", "text", "é", "\u{0}", "9999999999999999999",
    ]
    for _ in 0..<20_000 {
      let text = (0..<Int.random(in: 0...14, using: &random)).map { _ in
        pieces.randomElement(using: &random) ?? ""
      }.joined()
      #expect(implies(text, text), "\(text)")
    }
  }

  /// The truth of simple conditions over small numbers, against what is said to follow.
  @Test func whatFollowsIsTrueOfEveryRow() {
    let tests = ["=", "<>", "<", "<=", ">", ">="].flatMap { comparison in
      (0...3).map { number in
        (
          text: "(a \(comparison) \(number))",
          holds: { (a: Int) in
            switch comparison {
            case "=": a == number
            case "<>": a != number
            case "<": a < number
            case "<=": a <= number
            case ">": a > number
            default: a >= number
            }
          }
        )
      }
    }
    var found = 0
    for a in tests {
      for b in tests where implies(a.text, b.text) {
        found += 1
        let isTrue = (-2...6).allSatisfy { !a.holds($0) || b.holds($0) }
        #expect(isTrue, "\(a.text) implies \(b.text)")
      }
    }
    #expect(found > 100)
  }
}
