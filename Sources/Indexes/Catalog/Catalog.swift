/// The indexes of one database with their tables, read in one snapshot.
///
/// System schemas, temporary tables and what extensions own are not in it.
public struct Catalog: Sendable {
  public let tables: [UInt32: Table]
  public let indexes: [UInt32: Index]
  public let foreignKeys: [ForeignKey]
  public let facts: StatisticsFacts
  /// By name of their tables, then of their own.
  public let sortedIndexes: [Index]
  private let indexesOfTable: [UInt32: [UInt32]]
  private let childrenOfIndex: [UInt32: [UInt32]]
  private let childrenOfTable: [UInt32: [UInt32]]

  init(tables: [Table], indexes: [Index], foreignKeys: [ForeignKey] = [], facts: StatisticsFacts) {
    self.tables = Dictionary(tables.map { ($0.oid, $0) }) { first, _ in first }
    self.indexes = Dictionary(indexes.map { ($0.oid, $0) }) { first, _ in first }
    self.foreignKeys = foreignKeys
    self.facts = facts
    indexesOfTable = Dictionary(grouping: indexes.map(\.oid).sorted()) { [known = self.indexes] oid in
      known[oid]?.table ?? 0
    }
    // Names are moved about, not the indexes themselves.
    let names = indexes.map { [known = self.tables] index in
      (table: known[index.table]?.name ?? index.name, name: index.name, oid: index.oid)
    }
    sortedIndexes = names.sorted { ($0.table, $0.name) < ($1.table, $1.name) }
      .compactMap { [known = self.indexes] in known[$0.oid] }
    var ofIndex: [UInt32: [UInt32]] = [:]
    for index in indexes {
      if let parent = index.parent { ofIndex[parent, default: []].append(index.oid) }
    }
    childrenOfIndex = ofIndex
    var ofTable: [UInt32: [UInt32]] = [:]
    for table in tables {
      if let parent = table.parent { ofTable[parent, default: []].append(table.oid) }
    }
    childrenOfTable = ofTable
  }

  /// By name.
  public var sortedTables: [Table] { tables.values.sorted { $0.name < $1.name } }

  /// The indexes of one table, by OID.
  public func indexes(of table: UInt32) -> [Index] {
    indexesOfTable[table, default: []].compactMap { indexes[$0] }
  }

  /// The name of the table that an index belongs to.
  public func tableName(_ index: Index) -> RelationName { tables[index.table]?.name ?? index.name }

  /// The index and all that are attached below it, the index first. A partition's index cannot be dropped by itself:
  /// it goes with its root.
  public func tree(of index: Index) -> [Index] {
    var found: [Index] = []
    var open = [index.oid]
    while let next = open.popLast() {
      guard let index = indexes[next] else { continue }
      found.append(index)
      open += childrenOfIndex[next, default: []].sorted(by: >)
    }
    return found
  }

  /// Whether all that is attached below the index is in the catalog; indexes of locked partitions are not.
  func isTreeComplete(_ index: Index) -> Bool {
    tree(of: index).allSatisfy { $0.attachedCount <= childrenOfIndex[$0.oid, default: []].count }
  }

  /// Whether no partition of the table is locked, at any depth.
  func isTreeOpen(_ table: Table) -> Bool {
    ([table] + partitions(of: table)).allSatisfy { $0.lockedPartitionCount == 0 }
  }

  /// The uppermost index that this one is attached to; itself when it is to none.
  public func root(of index: Index) -> Index {
    var root = index
    while let parent = root.parent, let above = indexes[parent] { root = above }
    return root
  }

  /// Partitions of the table at any depth, without itself; those that only hold others included.
  public func partitions(of table: Table) -> [Table] {
    var found: [Table] = []
    var open = childrenOfTable[table.oid, default: []]
    while let next = open.popLast() {
      guard let table = tables[next] else { continue }
      found.append(table)
      open += childrenOfTable[next, default: []]
    }
    return found.sorted { $0.name < $1.name }
  }

  /// Usage of an index and all that are attached below it.
  public func usage(ofTree index: Index) -> IndexUsage {
    tree(of: index).reduce(IndexUsage()) { $0 + $1.usage }
  }

  /// What the ledger remembers of an index and all that are attached below it.
  func history(ofTree index: Index) -> IndexHistory? {
    let histories = tree(of: index).map(\.history)
    guard let first = histories.first ?? nil else { return nil }
    return histories.dropFirst().reduce(first) { $0 + ($1 ?? IndexHistory()) }
  }

  /// Bytes of an index and all that are attached below it.
  public func sizeBytes(ofTree index: Index) -> Int64 {
    tree(of: index).reduce(0) { $0 + $1.sizeBytes }
  }

  /// The part of it that is about these tables.
  public func narrowed(to names: Set<RelationName>) -> Catalog {
    let chosen = tables.values.filter { names.contains($0.name) }
    let oids = Set(chosen.map(\.oid))
    return Catalog(
      tables: chosen, indexes: indexes.values.filter { oids.contains($0.table) },
      foreignKeys: foreignKeys.filter { oids.contains($0.table) }, facts: facts)
  }

  /// The table with the sizes, rows and counters of its partitions added.
  public func summed(_ table: Table) -> Table {
    var sum = table
    for partition in partitions(of: table) {
      sum.sizeBytes += partition.sizeBytes
      // The parent's own estimate counts its partitions already.
      if table.rows == nil, !partition.isPartitioned, let rows = partition.rows {
        sum.rows = (sum.rows ?? 0) + rows
      }
      sum.counters = sum.counters + partition.counters
    }
    return sum
  }
}
