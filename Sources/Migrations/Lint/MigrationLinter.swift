internal import Postgres
internal import Primitives
internal import SQLSyntax

/// Names what migrations do that hurts a database in use.
///
/// Statements are read by PostgreSQL's own grammar, no database is asked. A table that a file has made is empty and nobody
/// uses it, so whatever the same file does to it is fine. Types of columns are remembered from file to file, so that
/// widening a `varchar` is told from rewriting a table.
public struct MigrationLinter {
  private var columns = ColumnTypes()

  public init() {}

  /// Lints one file; those that come before it should have been given before.
  ///
  /// A file without `-- migrate:` lines is read as a script for psql: each statement by itself, unless BEGIN stands there;
  /// psql's own commands and the data of COPY are passed over.
  ///
  /// - Throws: `MigrationError.malformed`, with the line, for what is no migration or no SQL.
  public mutating func lint(file name: String, content: [UInt8]) throws -> [LintFinding] {
    var content = try MigrationFile.normalized(content, name)
    let pieces: [SQLSplitter.Piece]
    do throws(SQLTextError) {
      if !SQLSplitter.hasDirectives(content) { content = try PsqlScript.statements(in: content) }
      pieces = try SQLSplitter.split(content)
    } catch {
      let line = 1 + content.prefix(error.offset).count { $0 == 0x0A }
      throw MigrationError.malformed(file: name, line: line, error.reason)
    }
    var isMigration = false
    var statements: [SQLStatement] = []
    for piece in pieces {
      switch piece {
      case .directive: isMigration = true
      case .statement(let statement): statements.append(statement)
      }
    }
    var allowances = try LintAllowances(content, file: name)
    var findings: [LintFinding] = []
    if isMigration {
      let file = try MigrationFile(lenientName: name, content: content)
      findings += try lint(file.up, of: name, isRevert: false, &allowances)
      if let down = file.down {
        // What a revert does to types is undone work: the next file builds on the up section.
        var reverting = self
        findings += try reverting.lint(down, of: name, isRevert: true, &allowances)
      }
    } else {
      let script = MigrationFile.Section(statements: statements, isTransactional: false)
      findings += try lint(script, of: name, isRevert: false, &allowances)
    }
    findings += allowances.unused.map {
      LintFinding(
        file: name, line: $0.line, rule: .unusedAllowance, object: nil,
        message: "\($0.rule.rawValue) is allowed here, and the statement does nothing of the kind")
    }
    return findings.sorted { $0.line < $1.line }
  }

  private mutating func lint(
    _ section: MigrationFile.Section, of file: String, isRevert: Bool, _ allowances: inout LintAllowances
  ) throws -> [LintFinding] {
    var state = SectionState(isTransactional: section.isTransactional, columns: columns)
    var findings: [LintFinding] = []
    var previous = 0
    for statement in section.statements {
      let lines = LineIndex(statement.text)
      let last = statement.line + lines.breaks
      for parsed in try Self.parse(statement, file) {
        guard let node = parsed.tree.node else { continue }
        for found in state.findings(of: node) where !isRevert || found.rule.holdsForReverts {
          let line = statement.line + lines.breaks(before: found.location ?? 0)
          if allowances.allows(found.rule, after: previous, first: statement.line, last: last) { continue }
          findings.append(
            LintFinding(
              file: file, line: line, rule: found.rule, object: found.object, message: found.message))
        }
      }
      previous = last
    }
    columns = state.columns
    return findings
  }

  private static func parse(_ statement: SQLStatement, _ file: String) throws -> [ParsedStatement] {
    do throws(SQLSyntaxError) {
      return try SQLSyntax.parse(statement.text)
    } catch {
      let line = statement.line + max(0, error.line - 1)
      throw MigrationError.malformed(file: file, line: line, "\(error.reason), as PostgreSQL 15 reads it")
    }
  }
}

/// What a rule has found in a statement.
struct LintMatch {
  let rule: LintRule
  let object: String?
  let message: String
  /// In the statement, in bytes.
  var location: Int?
}
