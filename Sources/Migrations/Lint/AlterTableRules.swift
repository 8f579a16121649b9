internal import Primitives
internal import SQLSyntax

/// What one command of an ALTER TABLE does to a table that is in use.
struct AlterTableRules {
  let table: String
  let state: SectionState

  /// Commands with a lock that lets others read or write (ALTER TABLE, and `AlterTableGetLockLevel`).
  private static let gentle: Set<String> = [
    "AT_ValidateConstraint", "AT_SetStatistics", "AT_SetOptions", "AT_ResetOptions", "AT_SetRelOptions",
    "AT_ResetRelOptions", "AT_ClusterOn", "AT_DropCluster", "AT_AttachPartition", "AT_EnableTrig",
    "AT_EnableTrigAll", "AT_EnableTrigUser", "AT_DisableTrig", "AT_DisableTrigAll", "AT_DisableTrigUser",
  ]

  static func isExclusive(_ subtype: String?) -> Bool {
    subtype.map { !gentle.contains($0) } ?? false
  }

  private func match(_ rule: LintRule, _ message: String, at place: Int? = nil) -> LintMatch {
    LintMatch(rule: rule, object: table, message: message, location: place)
  }

  func findings(
    of command: JSON, _ definition: JSON, _ isTransactional: Bool, _ unvalidated: Set<String>,
    _ validated: Set<String>
  ) -> [LintMatch] {
    let name = command["name"].text ?? ""
    switch command["subtype"].text {
    case "AT_AddColumn": return addColumn(definition)
    case "AT_DropColumn":
      return [match(.dropColumn, "dropping \(table).\(name) loses it, and programs that name it fail")]
    case "AT_SetNotNull":
      // The server rests on a CHECK that is proven; one that was validated here probably says it.
      if validated.contains(table) { return [] }
      return [match(.setNotNull, "SET NOT NULL reads all of \(table) while nobody can read or write it")]
    case "AT_AlterColumnType": return changeType(of: name, definition)
    case "AT_AddConstraint": return addConstraint(definition)
    case "AT_ValidateConstraint":
      guard isTransactional, unvalidated.contains("\(table)\u{0}\(name)") else { return [] }
      return [
        match(
          .validateInSameTransaction,
          "\(name) was added in the same transaction, so its lock on \(table) stays while all rows are read")
      ]
    case "AT_AddIdentity": return []
    case "AT_SetLogged", "AT_SetUnLogged", "AT_SetTableSpace", "AT_SetAccessMethod":
      return [match(.tableRewrite, "this writes \(table) anew, and nobody can read or write it meanwhile")]
    case "AT_AttachPartition":
      let partition = state.name(definition["name"])
      if state.isNew(partition) || validated.contains(partition) { return [] }
      return [match(.attachPartitionScans, "ATTACH PARTITION reads all of \(partition) while it is locked")]
    case "AT_DetachPartition":
      if definition["concurrent"].boolean == true { return [] }
      return [
        match(.detachPartition, "DETACH PARTITION keeps everybody from \(table), all partitions included")
      ]
    case "AT_DisableTrig", "AT_DisableTrigAll", "AT_DisableTrigUser":
      return [match(.disableTrigger, "rows of \(table) that are written meanwhile escape the triggers")]
    default: return []
    }
  }

  // MARK: Columns

  private func addColumn(_ column: JSON) -> [LintMatch] {
    let name = "\(table).\(column["colname"].text ?? "")"
    let place = column["location"].integer
    let constraints = column["constraints"].elements.compactMap(\.node?.members)
    let kinds = Set(constraints.compactMap { $0["contype"].text })
    let fallback = constraints.first { $0["contype"].text == "CONSTR_DEFAULT" }?["raw_expr"]
    var found: [LintMatch] = []
    let type = ColumnType(column["typeName"])
    if ColumnType.serials.contains(type.name) || kinds.contains("CONSTR_IDENTITY") {
      found.append(
        match(.addColumnRewrites, "\(name) counts, so every row of \(table) is written anew", at: place))
    } else if kinds.contains("CONSTR_GENERATED") {
      found.append(
        match(.addColumnRewrites, "\(name) is stored, so every row of \(table) is written anew", at: place))
    } else if let fallback, let function = Self.volatileFunction(in: fallback) {
      found.append(
        match(
          .addColumnRewrites,
          "\(function)() may give each row another value, so every row of \(table) is written anew", at: place
        ))
    }
    let isFilled =
      fallback != nil || ColumnType.serials.contains(type.name)
      || !kinds.isDisjoint(with: ["CONSTR_IDENTITY", "CONSTR_GENERATED"])
    if kinds.contains("CONSTR_NOTNULL") || kinds.contains("CONSTR_PRIMARY"), !isFilled {
      found.append(
        match(
          .addColumnNotNull, "\(name) is NOT NULL without a default: it fails if \(table) has a row",
          at: place))
    }
    if kinds.contains("CONSTR_UNIQUE") || kinds.contains("CONSTR_PRIMARY") {
      found.append(
        match(
          .constraintBuildsIndex, "the index of \(name) is built while nobody can read or write \(table)",
          at: place))
    }
    // Without a default every row is NULL there, and the server knows that it refers to nothing.
    if kinds.contains("CONSTR_FOREIGN"), fallback != nil {
      found.append(
        match(.foreignKeyValidates, "the reference of every row of \(table) is looked up", at: place))
    }
    if kinds.contains("CONSTR_CHECK") {
      found.append(match(.checkValidates, "the CHECK of \(name) reads all of \(table)", at: place))
    }
    return found
  }

  /// Functions that are evaluated once for a whole statement (`pg_proc.provolatile` `i` or `s`) and are common in defaults.
  private static let steady: Set<String> = [
    "now", "transaction_timestamp", "statement_timestamp", "timezone", "date_trunc", "date_part", "extract",
    "to_timestamp",
    "to_char", "to_date", "make_date", "make_interval", "make_timestamptz", "lower", "upper", "md5", "concat",
    "format",
    "jsonb_build_object", "jsonb_build_array", "json_build_object", "json_build_array", "to_jsonb",
    "array_fill", "abs",
    "round", "floor", "ceil", "coalesce", "length", "repeat", "encode", "decode", "current_setting",
    "current_database",
  ]

  private static func volatileFunction(in expression: JSON) -> String? {
    let calls = expression.nodes { $0.type == "FuncCall" }
    let names = calls.compactMap { $0.members["funcname"].elements.last?["String"]["sval"].text }
    return names.first { !steady.contains($0) }
  }

  private func changeType(of column: String, _ definition: JSON) -> [LintMatch] {
    let new = ColumnType(definition["typeName"])
    let old = state.columns[table, column]
    // USING computes each row anew, unless it is the column itself; under another collation every index is sorted anew.
    let isPlain = definition["raw_default"] == .null && definition["collClause"] == .null
    if isPlain, let old, old.isWidened(to: new) { return [] }
    let was = old.map { " from \($0.name)" } ?? ""
    return [
      match(
        .columnTypeChange,
        "changing \(table).\(column)\(was) to \(new.name) can write every row and build every index on it anew",
        at: definition["location"].integer)
    ]
  }

  // MARK: Constraints

  private func addConstraint(_ constraint: JSON) -> [LintMatch] {
    let place = constraint["location"].integer
    let isValidated = constraint["skip_validation"].boolean != true
    switch constraint["contype"].text {
    case "CONSTR_FOREIGN" where isValidated:
      let parent = state.name(constraint["pktable"])
      return [
        match(
          .foreignKeyValidates,
          "the reference of every row is looked up while nobody can write to \(table) or \(parent)", at: place
        )
      ]
    case "CONSTR_CHECK" where isValidated:
      return [
        match(.checkValidates, "every row of \(table) is read while nobody can read or write it", at: place)
      ]
    case "CONSTR_UNIQUE" where constraint["indexname"].text == nil,
      "CONSTR_PRIMARY" where constraint["indexname"].text == nil, "CONSTR_EXCLUSION":
      return [
        match(.constraintBuildsIndex, "its index is built while nobody can read or write \(table)", at: place)
      ]
    default: return []
    }
  }
}
