internal import Primitives
internal import SQLSyntax

/// A comparison of something that is made of a column, put as one of the column itself: an index on the column finds
/// `at >= date '2026-05-05' AND at < date '2026-05-05' + 1`, and does not find `at::date = '2026-05-05'`.
struct BareComparison {
  /// The column of a node, as SQL wants it; nil for anything else.
  let column: (JSON) -> String?
  /// The columns' types by their names in SQL; empty where nobody can be asked. Those of an enumeration are "enum".
  let types: [String: String]

  /// What is compared, and with what.
  private struct Bound {
    var sign: String
    var value: ComparedValue
    var isNullToo = false
  }

  private static let mirrored = ["=": "=", "<": ">", ">": "<", "<=": ">=", ">=": "<="]
  private static let whole: Set<String> = ["int2", "int4", "int8"]
  private static let wider: Set<String> = ["int4", "int8", "numeric", "float8"]
  private static let texts: Set<String> = ["text", "varchar"]
  /// Layers around a column; nobody writes more.
  private static let depthMax = 8

  /// The same rows by the column itself, as SQL. Nil where the column is compared itself, and where it cannot be put so.
  func sql(_ node: JSON) -> String? {
    if let pair = Self.notDistinct(node), let column = column(pair.left),
      let value = ComparedValue(pair.right), value.sql != "NULL"
    {
      return "\(column) = \(value.besideColumn)"
    }
    let body = node["A_Expr"]
    let sign = body["name"].elements.first?["String"]["sval"].text ?? ""
    if body["kind"].text == "AEXPR_OP_ANY", sign == "=" { return anyOf(body) }
    guard body["kind"].text == "AEXPR_OP", let mirrored = Self.mirrored[sign] else { return nil }
    if let value = ComparedValue(body["rexpr"]) {
      return sql(body["lexpr"], Bound(sign: sign, value: value))
    }
    guard let value = ComparedValue(body["lexpr"]) else { return nil }
    return sql(body["rexpr"], Bound(sign: mirrored, value: value))
  }

  private func sql(_ made: JSON, _ bound: Bound) -> String? {
    guard column(made) == nil, let (column, bounds) = peeled(made, [bound], depth: 0) else { return nil }
    let parts = bounds.map { bound in
      let plain = "\(column) \(bound.sign) \(bound.value.besideColumn)"
      return bound.isNullToo ? "(\(plain) OR \(column) IS NULL)" : plain
    }
    return parts.joined(separator: " AND ")
  }

  /// `NOT (a IS DISTINCT FROM b)`, as the server prints it.
  private static func notDistinct(_ node: JSON) -> (left: JSON, right: JSON)? {
    guard node["BoolExpr"]["boolop"].text == "NOT_EXPR" else { return nil }
    let body = (node["BoolExpr"]["args"].elements.first ?? .null)["A_Expr"]
    guard body["kind"].text == "AEXPR_DISTINCT" else { return nil }
    return (body["lexpr"], body["rexpr"])
  }

  /// `id::text = ANY ('{5,6}'::text[])`: the list's text is one of the column's type, too.
  private func anyOf(_ body: JSON) -> String? {
    let made = body["lexpr"]
    guard let column = column(made["TypeCast"]["arg"]), self.column(made) == nil,
      let type = types[column], let cast = ComparedValue.castType(made),
      Self.texts.contains(cast) && hasOwnText(type) || Self.whole.contains(type) && Self.wider.contains(cast),
      let list = body["rexpr"]["TypeCast"]["arg"]["A_Const"]["sval"]["sval"].text
    else { return nil }
    return "\(column) = ANY (\(SQLSyntax.literal(list)))"
  }

  /// Whether each value has one text, and one alone.
  private func hasOwnText(_ type: String) -> Bool {
    Self.whole.contains(type) || ["uuid", "enum", "oid", "bool"].contains(type)
  }

  // MARK: Layers

  /// Takes off what is made of the column, layer by layer, and what it is compared with follows.
  private func peeled(_ made: JSON, _ bounds: [Bound], depth: Int) -> (String, [Bound])? {
    if depth > 0, let column = column(made) { return (column, bounds) }
    guard depth < Self.depthMax, let (kind, body) = made.members.first.map({ ($0.key, $0.value) }) else {
      return nil
    }
    let layer: (inner: JSON, bounds: [Bound])?
    switch kind {
    case "TypeCast": layer = cast(made, bounds)
    case "FuncCall": layer = call(body, bounds)
    case "A_Expr" where body["kind"].text == "AEXPR_OP": layer = operation(body, bounds)
    case "CoalesceExpr": layer = coalesce(body, bounds)
    default: layer = nil
    }
    return layer.flatMap { peeled($0.inner, $0.bounds, depth: depth + 1) }
  }

  private func type(of node: JSON) -> String? { column(node).flatMap { types[$0] } }

  /// What is cut off downwards is a range of it: `step` is added to its beginning to have its end.
  private static func truncated(_ bounds: [Bound], _ step: String) -> [Bound] {
    bounds.flatMap { bound -> [Bound] in
      let end = bound.value.plus(step)
      return switch bound.sign {
      case "=": [Bound(sign: ">=", value: bound.value), Bound(sign: "<", value: end)]
      case ">": [Bound(sign: ">=", value: end)]
      case "<=": [Bound(sign: "<", value: end)]
      default: [bound]
      }
    }
  }

  private func cast(_ made: JSON, _ bounds: [Bound]) -> (JSON, [Bound])? {
    let inner = made["TypeCast"]["arg"]
    let known = type(of: inner)
    guard let type = ComparedValue.castType(made) else { return nil }
    switch type {
    case "date": return dated(inner, bounds)
    case "timestamp", "timestamptz":
      // PostgreSQL compares dates and both kinds of timestamps with each other.
      return known.map { ["date", "timestamp", "timestamptz"].contains($0) } ?? true ? (inner, bounds) : nil
    case _ where Self.wider.contains(type):
      let isWhole = known.map(Self.whole.contains) ?? ["numeric", "float8"].contains(type)
      guard isWhole, column(inner) != nil else { return nil }
      return Self.all(bounds, Self.whole).map { (inner, $0) }
    case _ where Self.texts.contains(type):
      guard let known, hasOwnText(known), bounds.allSatisfy({ $0.sign == "=" && $0.value.literal != nil })
      else { return nil }
      return (
        inner,
        bounds.map { bound in
          Bound(sign: "=", value: ComparedValue(literal: bound.value.literal ?? "", type: "text"))
        }
      )
    default: return nil
    }
  }

  private func dated(_ inner: JSON, _ bounds: [Bound]) -> (JSON, [Bound])? {
    if let known = type(of: inner), !["timestamp", "timestamptz"].contains(known) { return nil }
    let dates = bounds.map { Bound(sign: $0.sign, value: $0.value.cast(to: "date")) }
    return (inner, Self.truncated(dates, "1"))
  }

  /// As bounds of a whole number; nil where one has none that says the same.
  private static func whole(_ bound: Bound) -> Bound? {
    guard let literal = bound.value.literal else {
      // What has no value yet is asked for in the column's type.
      return bound.sign == "="
        ? Bound(sign: "=", value: ComparedValue("(\(bound.value.sql))::int8", type: "int8")) : nil
    }
    if let integer = bound.value.integer {
      return Bound(sign: bound.sign, value: ComparedValue(number: integer))
    }
    guard let number = Double(literal), let below = Int64(exactly: number.rounded(.down)),
      let above = Int64(exactly: number.rounded(.up))
    else { return nil }
    switch bound.sign {
    case "<", "<=": return Bound(sign: "<=", value: ComparedValue(number: below))
    case ">", ">=": return Bound(sign: ">=", value: ComparedValue(number: above))
    default: return nil
    }
  }

  /// All of them, or nil.
  private static func all(_ bounds: [Bound], _ change: (Bound) -> Bound?) -> [Bound]? {
    let changed = bounds.compactMap(change)
    return changed.count == bounds.count ? changed : nil
  }

  // MARK: Functions

  private static let steps = [
    "second": "1 second", "minute": "1 minute", "hour": "1 hour", "day": "1 day", "week": "1 week",
    "month": "1 month", "quarter": "3 months", "year": "1 year",
  ]

  private func call(_ body: JSON, _ bounds: [Bound]) -> (JSON, [Bound])? {
    let name = body["funcname"].elements.last?["String"]["sval"].text ?? ""
    let arguments = body["args"].elements
    guard let last = arguments.last, arguments.count <= 2 else { return nil }
    let first = arguments.count == 2 ? ComparedValue(arguments[0]) : nil
    switch (name, arguments.count) {
    case ("date", 1): return dated(last, bounds)
    case ("lower", 1), ("upper", 1):
      // citext has no case; the server casts it for functions of text.
      let inner = last["TypeCast"]["arg"].members.isEmpty ? last : last["TypeCast"]["arg"]
      return type(of: inner) == "citext" && bounds.allSatisfy { $0.sign == "=" } ? (inner, bounds) : nil
    case ("date_trunc", 2):
      guard let step = first?.literal.flatMap({ Self.steps[$0.lowercased()] }) else { return nil }
      let type = self.type(of: last)
      let times = Self.all(bounds) { bound in
        guard let type = bound.value.type ?? type else { return nil }
        return Bound(sign: bound.sign, value: bound.value.cast(to: type))
      }
      return times.map { (last, Self.truncated($0, "interval '\(step)'")) }
    case ("extract", 2), ("date_part", 2):
      let field = first?.literal?.lowercased()
      if field == "epoch", type(of: last) ?? "timestamptz" == "timestamptz" {
        return (
          last,
          bounds.map { bound in
            Bound(
              sign: bound.sign, value: ComparedValue("to_timestamp(\(bound.value.sql))", type: "timestamptz"))
          }
        )
      }
      guard field == "year" else { return nil }
      return Self.all(bounds, Self.year).map { (last, Self.truncated($0, "interval '1 year'")) }
    case ("to_char", 2): return printed(arguments, bounds)
    case ("timezone", 2):
      guard let zone = first else { return nil }
      return (
        last,
        bounds.map { bound in
          let time = bound.value.type == "timestamptz" ? bound.value : bound.value.cast(to: "timestamp")
          return Bound(
            sign: bound.sign, value: ComparedValue("(\(time.operand) AT TIME ZONE \(zone.operand))"))
        }
      )
    case ("age", 2): return difference(arguments[0], arguments[1], bounds)
    default: return nil
    }
  }

  /// A year's first day.
  private static func year(_ bound: Bound) -> Bound? {
    guard bound.value.literal != nil else {
      return Bound(
        sign: bound.sign, value: ComparedValue("make_date((\(bound.value.sql))::int, 1, 1)", type: "date"))
    }
    guard let year = bound.value.integer, (1000...9998).contains(year) else { return nil }
    return Bound(sign: bound.sign, value: ComparedValue(literal: "\(year)-01-01", type: "date"))
  }

  /// `to_char(at, 'YYYY-MM') = '2026-05'`
  private func printed(_ arguments: [JSON], _ bounds: [Bound]) -> (JSON, [Bound])? {
    let formats = [
      "YYYY-MM-DD": ("", "1"), "YYYY-MM": ("-01", "interval '1 month'"),
      "YYYY": ("-01-01", "interval '1 year'"),
    ]
    guard let format = ComparedValue(arguments[1])?.literal?.uppercased(), let (rest, step) = formats[format]
    else { return nil }
    let dates = Self.all(bounds) { bound in
      guard let text = bound.value.literal, text.utf8.count == format.utf8.count,
        text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2D })
      else { return nil }
      return Bound(sign: bound.sign, value: ComparedValue(literal: text + rest, type: "date"))
    }
    return dates.map { (arguments[0], Self.truncated($0, step)) }
  }

  // MARK: Arithmetic

  private func operation(_ body: JSON, _ bounds: [Bound]) -> (JSON, [Bound])? {
    let sign = body["name"].elements.first?["String"]["sval"].text ?? ""
    let (left, right) = (body["lexpr"], body["rexpr"])
    switch sign {
    case "+":
      if let constant = ComparedValue(right) { return (left, Self.moved(bounds, "-", constant)) }
      return ComparedValue(left).map { (right, Self.moved(bounds, "-", $0)) }
    case "-": return difference(left, right, bounds)
    case "*", "/":
      // Whole numbers lose their fractions, and equality would not survive rounding.
      guard let constant = ComparedValue(right), constant.type == "numeric" || constant.type == "float8",
        let number = constant.literal.flatMap(Double.init), number > 0,
        bounds.allSatisfy({ $0.sign != "=" && $0.value.literal != nil }),
        types[column(left) ?? ""] != "float4"
      else { return nil }
      return (
        left,
        bounds.map { bound in
          let value = bound.value.cast(to: "numeric")
          // Two whole constants would be divided as such.
          let other = constant.integer.map { "\($0).0" } ?? constant.operand
          return Bound(sign: bound.sign, value: ComparedValue(value, sign == "*" ? "/" : "*", other))
        }
      )
    default: return nil
    }
  }

  private func difference(_ left: JSON, _ right: JSON, _ bounds: [Bound]) -> (JSON, [Bound])? {
    if let constant = ComparedValue(right) { return (left, Self.moved(bounds, "+", constant)) }
    guard let constant = ComparedValue(left) else { return nil }
    let turned = bounds.map { bound in
      Bound(
        sign: Self.mirrored[bound.sign] ?? bound.sign,
        value: ComparedValue(constant, "-", bound.value.operand))
    }
    return (right, turned)
  }

  private static func moved(_ bounds: [Bound], _ sign: String, _ constant: ComparedValue) -> [Bound] {
    bounds.map { bound in
      if let a = bound.value.integer, let b = constant.integer, bound.value.type != "float8" {
        let (sum, isTooLarge) = sign == "+" ? a.addingReportingOverflow(b) : a.subtractingReportingOverflow(b)
        if !isTooLarge { return Bound(sign: bound.sign, value: ComparedValue(number: sum)) }
      }
      // PostgreSQL adds a date to a number by a function in SQL; where one runs, HypoPG hides its indexes.
      if sign == "+", ["date", "timestamp", "timestamptz"].contains(constant.type) {
        return Bound(sign: bound.sign, value: ComparedValue(constant, sign, bound.value.operand))
      }
      return Bound(sign: bound.sign, value: ComparedValue(bound.value, sign, constant.operand))
    }
  }

  /// `coalesce(a, 0) = 7` is never true of a NULL, `coalesce(a, 0) = 0` always.
  private func coalesce(_ body: JSON, _ bounds: [Bound]) -> (JSON, [Bound])? {
    let arguments = body["args"].elements
    guard arguments.count == 2, column(arguments[0]) != nil, let rest = ComparedValue(arguments[1]) else {
      return nil
    }
    let changed = Self.all(bounds) { bound in
      guard let isTrue = Self.holds(rest, bound.sign, bound.value) else { return nil }
      return Bound(sign: bound.sign, value: bound.value, isNullToo: isTrue)
    }
    return changed.map { (arguments[0], $0) }
  }

  /// Whether a comparison of two constants is true; nil where nobody knows.
  private static func holds(_ left: ComparedValue, _ sign: String, _ right: ComparedValue) -> Bool? {
    if let infinite = left.literal, infinite == "infinity" || infinite == "-infinity",
      right.literal != infinite
    {
      return sign == "=" ? false : sign.hasPrefix(">") == (infinite == "infinity")
    }
    guard let a = left.literal, let b = right.literal else { return nil }
    if let a = left.integer, let b = right.integer {
      switch sign {
      case "=": return a == b
      case "<": return a < b
      case "<=": return a <= b
      case ">": return a > b
      default: return a >= b
      }
    }
    // Texts differ where their types do not know two texts for one value.
    return sign == "=" && (left.type == nil || left.type == "text") ? a == b : nil
  }
}
