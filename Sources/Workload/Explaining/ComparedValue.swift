internal import Primitives
internal import SQLSyntax

/// What a column is compared with: an expression without columns.
struct ComparedValue: Equatable {
  /// As SQL that keeps its type wherever it stands.
  var sql: String
  /// `date`, `timestamptz`, `numeric`, …, where the text tells it.
  var type: String?
  /// The text of a constant.
  var literal: String?
  /// Whether it needs brackets beside an operator.
  private var isSum = false

  init(_ sql: String, type: String? = nil, literal: String? = nil) {
    self.sql = sql
    self.type = type
    self.literal = literal
  }

  /// `a + b`, `a - b`, …
  init(_ left: ComparedValue, _ sign: String, _ right: String, type: String? = nil) {
    self.init("\(left.operand) \(sign) \(right)", type: type)
    isSum = true
  }

  /// As it stands beside an operator.
  var operand: String { isSum ? "(\(sql))" : sql }

  /// A string that takes the type of what it is compared with.
  init(literal: String, type: String) {
    self.init("\(type) \(SQLSyntax.literal(literal))", type: type, literal: literal)
  }

  init(number: Int64) { self.init(String(number), type: "int8", literal: String(number)) }

  /// Types whose constants read well as `date '2026-05-05'`.
  private static let timeTypes: Set<String> = ["date", "timestamp", "timestamptz", "interval"]
  private static let numberTypes: Set<String> = ["int2", "int4", "int8", "numeric", "float4", "float8"]

  /// Nil for what has columns, or is not known.
  init?(_ node: JSON) {
    let constant = node["TypeCast"]["arg"]["A_Const"]
    if case .object = node["TypeCast"], let text = Self.text(constant), let type = Self.castType(node) {
      if Self.numberTypes.contains(type), Double(text) != nil {
        self.init(text.hasPrefix("-") ? "(\(text))" : text, type: type, literal: text)
      } else if Self.timeTypes.contains(type) {
        self.init(literal: text, type: type)
      } else {
        self.init(SQLSyntax.literal(text), type: type, literal: text)
      }
      return
    }
    if let text = Self.text(node["A_Const"]) {
      let kind = node["A_Const"].members.first?.key
      let type = kind == "ival" ? "int8" : kind == "fval" ? "numeric" : nil
      self.init(type == nil ? SQLSyntax.literal(text) : text, type: type, literal: text)
      return
    }
    if node["SQLValueFunction"]["op"].text == "SVFOP_CURRENT_DATE" {
      self.init("CURRENT_DATE", type: "date")
      return
    }
    // The names of types and constants that people write.
    if let type = Self.castType(node), Self.timeTypes.contains(type) || Self.numberTypes.contains(type),
      let inner = ComparedValue(node["TypeCast"]["arg"])
    {
      self.init("(\(inner.sql))::\(type)", type: type)
      return
    }
    let sum = node["A_Expr"]
    let sign = sum["name"].elements.first?["String"]["sval"].text ?? ""
    if sum["kind"].text == "AEXPR_OP", sign == "+" || sign == "-", let left = ComparedValue(sum["lexpr"]),
      let right = ComparedValue(sum["rexpr"])
    {
      let isDay = left.type == "date" && right.type == "int8"
      self.init(left, sign, right.operand, type: isDay ? "date" : nil)
      return
    }
    guard let sql = ExpressionText(parameters: true, column: { _ in nil }).sql(node) else { return nil }
    let isNow = node["FuncCall"]["funcname"].elements.first?["String"]["sval"].text == "now"
    self.init(sql, type: isNow ? "timestamptz" : Self.castType(node))
  }

  private static func text(_ constant: JSON) -> String? {
    if case .object = constant["sval"] { return constant["sval"]["sval"].text ?? "" }
    if case .object = constant["ival"] { return String(constant["ival"]["ival"].integer ?? 0) }
    return constant["fval"]["fval"].text
  }

  /// The plain name of the type that a cast is to; nil where there is none, or with modifiers, or an array.
  static func castType(_ node: JSON) -> String? {
    let type = node["TypeCast"]["typeName"]
    guard type["typmods"].elements.isEmpty, type["arrayBounds"].elements.isEmpty else { return nil }
    return type["names"].elements.last?["String"]["sval"].text
  }

  /// As it stands beside a column, whose type a plain constant takes.
  var besideColumn: String {
    guard let literal, let type else { return sql }
    return ["date", "timestamp", "timestamptz", "text"].contains(type) ? SQLSyntax.literal(literal) : sql
  }

  /// The whole number that it is.
  var integer: Int64? {
    guard let literal, let number = Double(literal), let whole = Int64(exactly: number) else { return nil }
    return whole
  }

  /// It and a step more.
  func plus(_ step: String) -> ComparedValue { ComparedValue(self, "+", step, type: type) }

  /// As a value of that type, where it may be another one.
  func cast(to other: String) -> ComparedValue {
    type == other ? self : ComparedValue("(\(sql))::\(other)", type: other)
  }
}
