import Primitives
import TestSupport
import Testing

@testable import Indexes

/// The rules of redundancy on a server's own catalog, and the statements that they print.
@Suite(.timeLimit(.minutes(3))) struct TrapSetTests {
  @Test func findsAllThatIsRedundantAndNothingElse() async throws {
    try await withDatabase(template: Traps.template) { database in
      let catalog = try await readCatalog(database.url).trusted
      let findings = Audit(catalog).report().findings.filter {
        $0.kind == .redundant || $0.kind == .duplicate
      }
      let superfluous = findings.filter { $0.verdict != .keep }.map { finding in
        "\(finding.kind.rawValue) \(finding.table.name).\(finding.index ?? "") < \(survivor(finding))"
      }
      #expect(Set(superfluous).subtracting(Traps.superfluous) == [])
      #expect(Traps.superfluous.subtracting(superfluous) == [])
      #expect(superfluous.count == Traps.superfluous.count)
      let kept = findings.filter { $0.verdict == .keep }.map { finding in
        let codes = finding.reasons.map(\.code).filter { $0 != "covered_by" && $0 != "duplicate_of" }
        return "\(finding.table.name).\(finding.index ?? "") \(codes.joined(separator: " "))"
      }
      #expect(Set(kept) == Traps.kept)
      let review = findings.filter { $0.verdict == .review }.map(\.index)
      #expect(review == ["unique_twice"])
    }
  }

  @Test func whatEnforcesSomethingIsNeverToBeDropped() async throws {
    try await withDatabase(template: Traps.template) { database in
      let catalog = try await readCatalog(database.url).trusted
      let dropped = Set(Audit(catalog).report().findings.filter { $0.verdict == .drop }.compactMap(\.index))
      #expect(dropped.count > 20)
      let untouchable = try await database.sql(
        """
        select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid
        where i.indisunique or i.indisexclusion or i.indisreplident or i.indisclustered or c.relispartition
        """
      ).compactMap(\.first)
      #expect(untouchable.count > 8)
      #expect(dropped.intersection(untouchable) == [])
    }
  }

  /// Carries every drop out and takes it back; then all indexes are what they were.
  @Test func everyDropRunsAndItsUndoRestoresTheIndex() async throws {
    try await withDatabase(template: Traps.template) { database in
      try await database.sql("alter index expression_lower alter column 1 set statistics 1234")
      let before = try await readCatalog(database.url).trusted
      let drops = Audit(before).report().findings.filter { $0.verdict == .drop }
      #expect(drops.count > 20)
      var done: Set<String> = []
      for finding in drops where done.insert("\(finding.table.schema).\(finding.index ?? "")").inserted {
        try await database.sql(try #require(finding.ddl))
        try await database.sql(try #require(finding.undoDDL))
      }
      let after = try await readCatalog(database.url)
      let (old, new) = (descriptions(before), descriptions(after))
      #expect(old.keys.sorted() == new.keys.sorted())
      for (name, description) in old { #expect(new[name] == description) }
    }
  }

  @Test func theSameAuditHasTheSameIdsInACopyOfTheDatabase() async throws {
    // What was used while the tables were made is another matter.
    let first = try await withDatabase(template: Traps.template) { database in
      Audit(try await readCatalog(database.url)).report().findings.filter { $0.kind != .unused }
    }
    let second = try await withDatabase { database in
      try await database.sql("create table occupies_oids (id int primary key)")
      try await database.sql(Traps.schema)
      try await database.sql("drop table occupies_oids")
      return Audit(try await readCatalog(database.url)).report().findings.filter { $0.kind != .unused }
    }
    #expect(Set(first.map(\.id)).count == first.count)
    let differing = Set(first.map(\.id)).symmetricDifference(second.map(\.id))
    #expect(
      (first + second).filter { differing.contains($0.id) }.map { "\($0.kind) \($0.index ?? "")" } == [])
  }

  private func survivor(_ finding: Finding) -> String {
    guard case .object(let members) = finding.evidence,
      case .string(let name)? = members.first(where: { $0.key == "survivor" })?.value
    else { return "nobody" }
    return name
  }

  private func describe(_ conjunct: Predicate.Conjunct) -> String {
    if case .isOneOf(let constants) = conjunct.test {
      return "\(conjunct.subject) in \(constants.map(\.text.description).sorted())"
    }
    return "\(conjunct)"
  }

  /// All that a person could see of an index.
  private func descriptions(_ catalog: Catalog) -> [String: [String]] {
    var found: [String: [String]] = [:]
    for index in catalog.indexes.values {
      let parent = index.parent.flatMap { catalog.indexes[$0]?.name.description } ?? ""
      // The server may print a condition in another way when it has read its own text of it.
      let condition = index.predicate.map { " WHERE " + $0 } ?? ""
      let conjuncts = Predicate(parsing: index.predicate).conjuncts.map { describe($0) }
      found[index.name.description] = [
        String(index.definition.dropLast(condition.count)), conjuncts.sorted().joined(separator: " and "),
        index.comment ?? "", index.tablespace ?? "", "\(index.statisticsTargets)", parent,
        "\(index.storage) \(index.isClustered) \(index.isValid)",
      ]
    }
    return found
  }
}
