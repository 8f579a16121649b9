public import Postgres
internal import Primitives

/// An index to be rebuilt, or a leftover of an earlier rebuild to be dropped.
public struct BloatedIndex: Sendable {
  public let oid: UInt32
  public let name: RelationName
  /// OID of its table.
  public let table: UInt32
  /// The role that owns it.
  public let owner: String
  /// Whether the role that asked has the owner's rights.
  public let isOwned: Bool
  public let sizeBytes: Int64
  /// By the audit's own figures; all of a leftover.
  public let wastedBytes: Int64
  /// Why, as the audit says it.
  public let reason: String
  /// Whether an interrupted REINDEX CONCURRENTLY left it.
  public let isLeftover: Bool

  /// What the audit would rebuild because of its size, and what it would drop as a leftover. Doubtful ones are not among them.
  /// In a transaction.
  ///
  /// - Throws: `PostgresError`.
  public static func find(_ session: Session, thresholds: Thresholds = Thresholds()) throws -> [BloatedIndex]
  {
    let store = UsageStore(session)
    let isReadable = if case .readable = try store.presence() { true } else { false }
    let ledger = isReadable ? try store.load() : UsageLedger()
    let catalog = try CatalogReader(session).read(bloatBytes: max(1, thresholds.bloatWasteBytes))
    return find(in: catalog.with(ledger), thresholds)
  }

  static func find(in catalog: Catalog, _ thresholds: Thresholds) -> [BloatedIndex] {
    let context = RuleContext(catalog, thresholds)
    let findings =
      BloatRule(context: context, measured: [:]).apply().filter { $0.verdict == .rebuild }
      + InvalidRule(context: context).apply().filter { finding in
        finding.verdict == .drop && finding.reasons.contains { $0.code == "reindex_leftover" }
      }
    let indexes = Dictionary(
      catalog.indexes.values.map { (RelationKey($0.name.schema, $0.name.name), $0) },
      uniquingKeysWith: { first, _ in first })
    return findings.compactMap { finding in
      // An index has the schema of its table.
      guard let name = finding.index, let index = indexes[RelationKey(finding.table.schema, name)] else {
        return nil
      }
      let table = catalog.tables[index.table]
      return BloatedIndex(
        oid: index.oid, name: index.name, table: index.table, owner: table?.owner ?? "",
        isOwned: table?.isOwned ?? true, sizeBytes: index.sizeBytes,
        wastedBytes: finding.evidence["wasted_bytes"].integer.map { Int64($0) } ?? index.sizeBytes,
        reason: finding.reasons.map(\.sentence).joined(separator: "; "), isLeftover: finding.kind == .invalid)
    }
  }

  private struct RelationKey: Hashable {
    let schema: String
    let name: String

    init(_ schema: String, _ name: String) {
      self.schema = schema
      self.name = name
    }
  }
}

extension Catalog {
  /// With the fewest bytes for each entry that the ledger has seen in the files that the indexes have now.
  fileprivate func with(_ ledger: UsageLedger) -> Catalog {
    let known = Dictionary(
      ledger.indexes.values.map { ($0.identity.oid, $0) }, uniquingKeysWith: { first, _ in first })
    let indexes = self.indexes.values.map { index in
      var index = index
      if let entry = known[index.oid], entry.identity.relfilenode == index.relfilenode {
        index.bestBytesPerTuple = entry.best?.bytesPerTuple
      }
      return index
    }
    return Catalog(
      tables: Array(tables.values), indexes: indexes, foreignKeys: foreignKeys, facts: facts)
  }
}
