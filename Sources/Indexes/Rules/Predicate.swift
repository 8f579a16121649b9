/// The WHERE clause of a partial index, taken apart into conjuncts as far as they are simple. What is not understood is
/// compared as text, which can only make two clauses look less alike than they are.
struct Predicate: Equatable {
  /// A constant, as text without the casts that change nothing, and as a number where it is a whole one.
  struct Constant: Hashable {
    let text: ExactText
    let integer: Int64?

    init(text: ExactText, integer: Int64?) {
      self.text = text
      self.integer = integer
    }

    /// A whole number.
    init(_ integer: Int64) {
      self.init(text: ExactText("\(integer)"), integer: integer)
    }

    /// Whether it may be a row: one with a NULL in it can be compared, and `IS NOT NULL` is false of it.
    var mayBeRow: Bool { text.description.hasPrefix("'(") || text.description.hasPrefix("E'(") }
  }

  /// `subject op constant`. Names without a schema are those of pg_catalog, whose comparisons are strict: true only of
  /// what is not null.
  enum Comparison: String {
    case equal = "="
    case notEqual = "<>"
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
  }

  /// What is demanded of a subject.
  enum Test: Hashable {
    case isNull
    case isNotNull
    case isTrue
    case isFalse
    case compares(Comparison, Constant)
    /// `= ANY (ARRAY[…])`.
    case isOneOf(Set<Constant>)
    /// Not understood; the subject is the whole text.
    case holds
  }

  /// One conjunct.
  struct Conjunct: Hashable {
    /// A column or an expression, in tokens with one blank between them.
    let subject: ExactText
    let test: Test
  }

  let conjuncts: Set<Conjunct>

  /// Always true: that of an index without WHERE.
  static let none = Predicate(conjuncts: [])

  /// Whether every row that this one lets in, the other lets in.
  func implies(_ other: Predicate) -> Bool {
    other.conjuncts.allSatisfy { isImplied($0) }
  }

  /// The conjuncts that `other` does not imply: what this one filters beyond it.
  func beyond(_ other: Predicate) -> Set<Conjunct> {
    conjuncts.filter { !other.isImplied($0) }
  }

  /// The same rows in other words, where the subject is a column of whole numbers: `a >= 6` for `a > 5`, from which more
  /// follows. PostgreSQL's planner does not know that.
  func tightened(_ integers: Set<ExactText>) -> Predicate {
    Predicate(
      conjuncts: Set(
        conjuncts.map { conjunct in
          integers.contains(conjunct.subject)
            ? Conjunct(subject: conjunct.subject, test: conjunct.test.tightened) : conjunct
        }))
  }

  /// How many of its bounds on columns of whole numbers include their limit.
  func inclusiveCount(_ integers: Set<ExactText>) -> Int {
    conjuncts.count { integers.contains($0.subject) && $0.test.isInclusive }
  }

  private func isImplied(_ conjunct: Conjunct) -> Bool {
    conjuncts.contains { $0.implies(conjunct) }
  }
}

extension Predicate.Conjunct {
  /// Whether every row that this holds for, the other holds for. Says no where it does not know.
  func implies(_ other: Predicate.Conjunct) -> Bool {
    if self == other { return true }
    if other.test == .isNotNull, test.isStrict, subject == other.subject || uncastSubject == other.subject {
      return true
    }
    return subject == other.subject && test.implies(other.test)
  }

  /// The column of `column::text`. A varchar is compared as text, and the cast keeps NULL what is NULL.
  private var uncastSubject: ExactText {
    let cast = " :: text"
    return subject.description.hasSuffix(cast)
      ? ExactText(String(subject.description.dropLast(cast.count))) : subject
  }
}

extension Predicate.Test {
  /// Whether it is true only of what is not null.
  var isStrict: Bool {
    switch self {
    case .isTrue, .isFalse: true
    case .compares(_, let constant): !constant.mayBeRow
    case .isOneOf(let constants): !constants.contains(where: \.mayBeRow)
    case .isNull, .isNotNull, .holds: false
    }
  }

  /// Of whole numbers. A bound at the end of their range has no other words.
  fileprivate var tightened: Predicate.Test {
    guard case .compares(let comparison, let constant) = self, let bound = constant.integer else {
      return self
    }
    switch comparison {
    case .greater:
      let (next, isPastEnd) = bound.addingReportingOverflow(1)
      return isPastEnd ? self : .compares(.greaterOrEqual, Predicate.Constant(next))
    case .less:
      let (next, isPastEnd) = bound.subtractingReportingOverflow(1)
      return isPastEnd ? self : .compares(.lessOrEqual, Predicate.Constant(next))
    case .equal, .notEqual, .greaterOrEqual, .lessOrEqual: return self
    }
  }

  fileprivate var isInclusive: Bool {
    switch self {
    case .compares(.greaterOrEqual, _), .compares(.lessOrEqual, _): true
    default: false
    }
  }

  func implies(_ other: Predicate.Test) -> Bool {
    switch (values, other) {
    case (let values?, .isOneOf(let others)): values.isSubset(of: others)
    case (let values?, .compares(.equal, let constant)): values == [constant]
    case (let values?, .compares(let comparison, let constant)):
      // The order of other types is not ours to know; nor whether two texts of a value mean two values.
      !values.isEmpty
        && values.allSatisfy { value in
          guard let a = value.integer, let b = constant.integer else { return false }
          return comparison.holds(a, b)
        }
    case (nil, .compares(let comparison, let constant)): bounds(imply: comparison, constant.integer)
    default: false
    }
  }

  /// All values that the subject may have, where they are listed.
  private var values: Set<Predicate.Constant>? {
    switch self {
    case .compares(.equal, let constant): [constant]
    case .isOneOf(let constants): constants
    default: nil
    }
  }

  /// Whether a range lies inside of another; over the reals, so that it holds for any numeric column.
  private func bounds(imply other: Predicate.Comparison, _ limit: Int64?) -> Bool {
    guard case .compares(let own, let constant) = self, let bound = constant.integer, let limit else {
      return false
    }
    switch (own, other) {
    case (.greater, .greater), (.greater, .greaterOrEqual), (.greater, .notEqual),
      (.greaterOrEqual, .greaterOrEqual):
      return bound >= limit
    case (.greaterOrEqual, .greater), (.greaterOrEqual, .notEqual): return bound > limit
    case (.less, .less), (.less, .lessOrEqual), (.less, .notEqual), (.lessOrEqual, .lessOrEqual):
      return bound <= limit
    case (.lessOrEqual, .less), (.lessOrEqual, .notEqual): return bound < limit
    default: return false
    }
  }
}

extension Predicate.Comparison {
  func holds(_ a: Int64, _ b: Int64) -> Bool {
    switch self {
    case .equal: a == b
    case .notEqual: a != b
    case .less: a < b
    case .lessOrEqual: a <= b
    case .greater: a > b
    case .greaterOrEqual: a >= b
    }
  }
}
