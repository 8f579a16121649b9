public import Primitives

/// Writes an expression of a parse tree as SQL, as far as an index could stand on it: functions, casts and operators over
/// columns of one table and constants.
public struct ExpressionText {
  private let column: (JSON) -> String?
  private let hasParameters: Bool

  /// - Parameters:
  ///   - parameters: whether `$1` and `CURRENT_DATE` may stand in it, where it is a value and no key.
  ///   - column: the column that a `ColumnRef` names, as SQL wants it; nil where it is none of the table in question.
  public init(parameters: Bool = false, column: @escaping (JSON) -> String?) {
    self.column = column
    hasParameters = parameters
  }

  private static let clocks = [
    "SVFOP_CURRENT_DATE": "CURRENT_DATE", "SVFOP_CURRENT_TIMESTAMP": "CURRENT_TIMESTAMP",
    "SVFOP_LOCALTIMESTAMP": "LOCALTIMESTAMP",
  ]

  /// Nil for what it does not know: aggregates, subqueries, …
  public func sql(_ node: JSON) -> String? {
    guard let (kind, body) = node.members.first.map({ ($0.key, $0.value) }) else { return nil }
    switch kind {
    case "ColumnRef": return column(body)
    case "A_Const": return Self.constant(body)
    case "FuncCall": return call(body)
    case "TypeCast": return cast(body)
    case "A_Expr" where body["kind"].text == "AEXPR_OP": return operation(body)
    case "ParamRef" where hasParameters: return "$\(body["number"].integer ?? 0)"
    case "SQLValueFunction" where hasParameters: return Self.clocks[body["op"].text ?? ""]
    case "CoalesceExpr": return list(body["args"]).map { "COALESCE(\($0))" }
    default: return nil
    }
  }

  /// A constant as a literal, without its type.
  private static func constant(_ body: JSON) -> String? {
    if body["isnull"].boolean == true { return "NULL" }
    if case .object = body["sval"] { return SQLSyntax.literal(body["sval"]["sval"].text ?? "") }
    if case .object = body["ival"] { return String(body["ival"]["ival"].integer ?? 0) }
    if case .object = body["fval"] { return body["fval"]["fval"].text }
    if case .object = body["boolval"] { return body["boolval"]["boolval"].boolean == true ? "true" : "false" }
    return nil
  }

  private func list(_ nodes: JSON) -> String? {
    let parts = nodes.elements.map(sql)
    return parts.contains { $0 == nil } ? nil : parts.compactMap { $0 }.joined(separator: ", ")
  }

  private func call(_ body: JSON) -> String? {
    // Anything beyond a plain call makes it an aggregate or a window.
    let plain: Set<String> = ["funcname", "args", "funcformat", "location"]
    guard body.members.allSatisfy({ plain.contains($0.key) }), let arguments = list(body["args"]) else {
      return nil
    }
    let names = body["funcname"].elements.compactMap { $0["String"]["sval"].text }
    guard !names.isEmpty else { return nil }
    return names.map(SQLSyntax.quoted).joined(separator: ".") + "(\(arguments))"
  }

  private func cast(_ body: JSON) -> String? {
    guard let inner = sql(body["arg"]), let type = Self.typeName(body["typeName"]) else { return nil }
    return "(\(inner))::\(type)"
  }

  private func operation(_ body: JSON) -> String? {
    let names = body["name"].elements.compactMap { $0["String"]["sval"].text }
    guard names.count == 1, let sign = names.first, let right = sql(body["rexpr"]) else { return nil }
    guard case .object = body["lexpr"] else { return "(\(sign) \(right))" }
    return sql(body["lexpr"]).map { "(\($0) \(sign) \(right))" }
  }

  private static func typeName(_ body: JSON) -> String? {
    let names = body["names"].elements.compactMap { $0["String"]["sval"].text }
    guard !names.isEmpty, body["setof"].boolean != true else { return nil }
    let modifiers = body["typmods"].elements.map { constant($0["A_Const"]) }
    guard !modifiers.contains(where: { $0 == nil }) else { return nil }
    let list = modifiers.isEmpty ? "" : "(\(modifiers.compactMap { $0 }.joined(separator: ", ")))"
    let dimensions = String(repeating: "[]", count: body["arrayBounds"].elements.count)
    return names.map(SQLSyntax.quoted).joined(separator: ".") + list + dimensions
  }
}
