internal import Primitives
internal import SQLSyntax

/// What is known while a section is read from its first statement to its last.
struct SectionState {
  private(set) var columns: ColumnTypes
  /// Whether the statement at hand is in a transaction with others.
  private var isTransactional: Bool
  /// Tables and views that the section has made: empty, and unknown to everybody.
  private var new: Set<String> = []
  private var newIndexes: Set<String> = []
  /// Tables that the open transaction has locked exclusively.
  private var locked: [String] = []
  /// Constraints that the open transaction has added without validation.
  private var unvalidated: Set<String> = []
  /// Tables of which a constraint was validated, as a NOT NULL that follows may rest on.
  private var validated: Set<String> = []

  init(isTransactional: Bool, columns: ColumnTypes) {
    self.isTransactional = isTransactional
    self.columns = columns
  }

  /// What a statement does that hurts. Remembers what the statement makes.
  mutating func findings(of statement: SyntaxNode) -> [LintMatch] {
    let members = statement.members
    switch statement.type {
    case "TransactionStmt": return follow(members["kind"].text)
    case "CreateStmt": return create(members)
    case "CreateTableAsStmt":
      new.insert(name(members["into"]["rel"]))
      return []
    case "IndexStmt": return index(members)
    case "DropStmt": return drop(members)
    case "AlterTableStmt": return alter(members)
    case "RenameStmt": return rename(members)
    case "AlterObjectSchemaStmt": return move(members)
    case "ReindexStmt": return reindex(members)
    case "RefreshMatViewStmt":
      let view = name(members["relation"])
      if members["concurrent"].boolean == true || members["skipData"].boolean == true || isNew(view) {
        return []
      }
      return [
        match(.refreshNotConcurrent, view, "REFRESH locks \(view) against reading until it is filled anew")
      ]
    case "VacuumStmt", "ClusterStmt": return rewrite(statement)
    case "LockStmt": return lock(members)
    case "TruncateStmt": return truncate(members)
    case "UpdateStmt", "DeleteStmt": return write(statement)
    default: return []
    }
  }

  private mutating func follow(_ kind: String?) -> [LintMatch] {
    isTransactional = kind == "TRANS_STMT_BEGIN" || kind == "TRANS_STMT_START"
    locked = []
    unvalidated = []
    return []
  }

  // MARK: Names

  /// `public.t`; a name without a schema means schema public, as everywhere in migrations.
  func name(_ relation: JSON) -> String {
    "\(relation["schemaname"].text ?? "public").\(relation["relname"].text ?? "")"
  }

  private func name(ofList object: JSON) -> String {
    let parts = object.node?.members["items"].elements.map { $0["String"]["sval"].text ?? "" } ?? []
    return (parts.count == 1 ? ["public"] + parts : parts).joined(separator: ".")
  }

  func isNew(_ table: String) -> Bool { new.contains(table) }

  func match(_ rule: LintRule, _ object: String?, _ message: String, at location: Int? = nil) -> LintMatch {
    LintMatch(rule: rule, object: object, message: message, location: location)
  }

  // MARK: Locks

  /// Notes an exclusive lock; a finding where the transaction holds one on another table.
  mutating func lockExclusively(_ table: String, at location: Int? = nil) -> [LintMatch] {
    if isNew(table) || !isTransactional || locked.contains(table) { return [] }
    defer { locked.append(table) }
    guard locked.count == 1, let first = locked.first else { return [] }
    return [
      match(
        .severalExclusiveLocks, table,
        "the transaction waits for \(table) while it holds \(first) exclusively, which everybody else waits for",
        at: location)
    ]
  }

  private mutating func lock(_ members: JSON) -> [LintMatch] {
    // SHARE is 5, ACCESS EXCLUSIVE 8 (lockdefs.h).
    guard let mode = members["mode"].integer, mode >= 5 else { return [] }
    let tables = members["relations"].elements.map { name($0.node?.members ?? .null) }.filter { !isNew($0) }
    return tables.flatMap { table in
      [match(.lockTable, table, "LOCK TABLE keeps others from \(table) until COMMIT")]
        + (mode == 8 ? lockExclusively(table) : [])
    }
  }

  private mutating func truncate(_ members: JSON) -> [LintMatch] {
    let tables = members["relations"].elements.map { name($0.node?.members ?? .null) }.filter { !isNew($0) }
    var found = tables.flatMap { lockExclusively($0) }
    if members["behavior"].text == "DROP_CASCADE", let table = tables.first {
      found.append(
        match(
          .truncateCascade, table, "TRUNCATE … CASCADE empties every table that refers to \(table) as well"))
    }
    return found
  }

  private mutating func write(_ statement: SyntaxNode) -> [LintMatch] {
    let table = name(statement.members["relation"])
    let source = statement.type == "UpdateStmt" ? "fromClause" : "usingClause"
    guard statement.members["whereClause"] == .null, statement.members[source] == .null, !isNew(table) else {
      return []
    }
    let verb = statement.type == "UpdateStmt" ? "UPDATE" : "DELETE"
    return [
      match(
        .wholeTableWrite, table,
        "\(verb) writes every row of \(table) in one transaction, and keeps them locked")
    ]
  }

  // MARK: Tables

  private mutating func create(_ members: JSON) -> [LintMatch] {
    let table = name(members["relation"])
    // A partition of a table in use is attached to it, with the lock of CREATE … PARTITION OF: short, and unavoidable.
    new.insert(table)
    var found: [LintMatch] = []
    for element in members["tableElts"].elements.compactMap(\.node) where element.type == "ColumnDef" {
      remember(element.members, of: table)
      found += choices(element.members, table)
    }
    return found
  }

  mutating func remember(_ column: JSON, of table: String) {
    guard let name = column["colname"].text else { return }
    columns[table, name] = ColumnType(column["typeName"])
  }

  /// Choices of types that are dear to correct later.
  func choices(_ column: JSON, _ table: String) -> [LintMatch] {
    let type = ColumnType(column["typeName"])
    let place = column["location"].integer
    let name = "\(table).\(column["colname"].text ?? "")"
    var found: [LintMatch] = []
    switch type.name {
    case "timestamp":
      found.append(match(.timestampWithoutTimeZone, table, "\(name) has no time zone", at: place))
    case "bpchar": found.append(match(.charColumn, table, "\(name) is padded with blanks", at: place))
    case "json": found.append(match(.jsonColumn, table, "\(name) is json", at: place))
    default: break
    }
    let isKey = column["constraints"].elements.contains {
      $0.node?.members["contype"].text == "CONSTR_PRIMARY"
    }
    if isKey, ["int2", "int4", "serial", "serial2", "serial4", "smallserial"].contains(type.name) {
      let bits = type.name.contains("2") || type.name == "smallserial" ? 16 : 32
      found.append(match(.integerKey, table, "the key \(name) has \(bits) bits", at: place))
    }
    return found
  }

  private mutating func index(_ members: JSON) -> [LintMatch] {
    let table = name(members["relation"])
    let schema = members["relation"]["schemaname"].text ?? "public"
    if let index = members["idxname"].text { newIndexes.insert("\(schema).\(index)") }
    // ON ONLY a partitioned table: nothing is built, and it is what adds an index to a large one without locks.
    if isNew(table) || members["relation"]["inh"].boolean != true { return [] }
    if members["concurrent"].boolean == true {
      guard isTransactional else { return [] }
      return [match(.concurrentlyInTransaction, table, "CREATE INDEX CONCURRENTLY fails in a transaction")]
    }
    return [
      match(
        .indexNotConcurrent, table, "CREATE INDEX keeps everybody from writing to \(table) until it is built")
    ]
  }

  private mutating func drop(_ members: JSON) -> [LintMatch] {
    let objects = members["objects"].elements.map(name(ofList:))
    let isConcurrent = members["concurrent"].boolean == true
    switch members["removeType"].text {
    case "OBJECT_INDEX":
      if isConcurrent {
        return isTransactional
          ? [
            match(.concurrentlyInTransaction, objects.first, "DROP INDEX CONCURRENTLY fails in a transaction")
          ] : []
      }
      return objects.filter { !newIndexes.contains($0) }.map {
        match(
          .indexDropNotConcurrent, $0,
          "DROP INDEX \($0) waits for every statement on its table, and keeps new ones waiting behind it")
      }
    case "OBJECT_TABLE":
      let old = objects.filter { !isNew($0) }
      return old.map {
        match(.dropTable, $0, "DROP TABLE \($0) loses its rows, and programs that name it fail")
      }
        + old.flatMap { lockExclusively($0) }
    case "OBJECT_SCHEMA" where members["behavior"].text == "DROP_CASCADE":
      return members["objects"].elements.compactMap { $0["String"]["sval"].text }.map {
        match(
          .dropTable, $0,
          "DROP SCHEMA \($0) CASCADE loses the rows of all its tables, and programs that name them fail")
      }
    default: return []
    }
  }

  private mutating func rename(_ members: JSON) -> [LintMatch] {
    let table = name(members["relation"])
    guard !isNew(table) else {
      if members["renameType"].text == "OBJECT_TABLE", let name = members["newname"].text {
        new.insert("\(members["relation"]["schemaname"].text ?? "public").\(name)")
      }
      return []
    }
    switch members["renameType"].text {
    case "OBJECT_COLUMN":
      let column = members["subname"].text ?? ""
      return [match(.rename, table, "programs that run now name the column \(column) of \(table), and fail")]
        + lockExclusively(table)
    case "OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW":
      return [match(.rename, table, "programs that run now name \(table), and fail")] + lockExclusively(table)
    default: return []
    }
  }

  /// ALTER … SET SCHEMA gives another qualified name, and takes the lock of a renaming.
  private mutating func move(_ members: JSON) -> [LintMatch] {
    let table = name(members["relation"])
    guard ["OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW"].contains(members["objectType"].text ?? "") else {
      return []
    }
    guard !isNew(table) else {
      new.insert("\(members["newschema"].text ?? "").\(members["relation"]["relname"].text ?? "")")
      return []
    }
    return [match(.rename, table, "programs that run now look for \(table) there, and fail")]
      + lockExclusively(table)
  }

  private func reindex(_ members: JSON) -> [LintMatch] {
    let isConcurrent = members["params"].elements.contains {
      $0.node?.members["defname"].text == "concurrently"
    }
    let object = members["relation"] == .null ? members["name"].text : name(members["relation"])
    if isConcurrent {
      return isTransactional
        ? [match(.concurrentlyInTransaction, object, "REINDEX CONCURRENTLY fails in a transaction")] : []
    }
    if let object, isNew(object) || newIndexes.contains(object) { return [] }
    return [
      match(
        .reindexNotConcurrent, object, "REINDEX keeps others from \(object ?? "its tables") until it is done")
    ]
  }

  private mutating func rewrite(_ statement: SyntaxNode) -> [LintMatch] {
    let options = statement.members["options"].elements.compactMap(\.node)
    if statement.type == "VacuumStmt", !options.contains(where: { $0.members["defname"].text == "full" }) {
      return []
    }
    let tables =
      statement.type == "ClusterStmt"
      ? [statement.members["relation"]]
      : statement.members["rels"].elements.map { $0.node?.members["relation"] ?? .null }
    let command = statement.type == "ClusterStmt" ? "CLUSTER" : "VACUUM FULL"
    if tables.isEmpty || tables == [.null] {
      return [match(.tableRewrite, nil, "\(command) writes every table anew, each behind an exclusive lock")]
    }
    let names = tables.map { name($0) }
    return names.filter { !isNew($0) }.map { table in
      match(.tableRewrite, table, "\(command) writes \(table) anew, and nobody can read it meanwhile")
    }
  }

  // MARK: ALTER TABLE

  private mutating func alter(_ members: JSON) -> [LintMatch] {
    let table = name(members["relation"])
    guard ["OBJECT_TABLE", "OBJECT_MATVIEW"].contains(members["objtype"].text ?? "") else { return [] }
    var found: [LintMatch] = []
    for command in members["cmds"].elements.compactMap(\.node) {
      found += alter(table, command.members)
    }
    return found
  }

  private mutating func alter(_ table: String, _ command: JSON) -> [LintMatch] {
    let definition = command["def"].node?.members ?? .null
    let rules = AlterTableRules(table: table, state: self)
    let found =
      isNew(table) ? [] : rules.findings(of: command, definition, isTransactional, unvalidated, validated)
    var more: [LintMatch] = []
    switch command["subtype"].text {
    case "AT_AddColumn":
      remember(definition, of: table)
      more += choices(definition, table)
    case "AT_AlterColumnType":
      if let column = command["name"].text { columns[table, column] = ColumnType(definition["typeName"]) }
    case "AT_AddConstraint":
      if definition["skip_validation"].boolean == true, let name = definition["conname"].text {
        unvalidated.insert("\(table)\u{0}\(name)")
      }
    case "AT_ValidateConstraint": validated.insert(table)
    default: break
    }
    if AlterTableRules.isExclusive(command["subtype"].text) {
      more += lockExclusively(table, at: definition["location"].integer)
    }
    return found + more
  }
}
