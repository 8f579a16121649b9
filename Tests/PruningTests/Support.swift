import Postgres
import Primitives
import TestSupport

@testable import Indexes
@testable import Pruning

/// A table with a redundant index and an unused one that a statement would miss.
let shop = DatabaseTemplate("pruning_shop") { database in
  try await database.sql(
    """
    create schema "Sales";
    create table "Sales"."Orders" (id int primary key, customer int, placed date, note text);
    insert into "Sales"."Orders" select n, n % 500, date '2020-01-01' + n % 1000, 'note ' || n
      from generate_series(1, 20000) n;
    create index "Orders by customer" on "Sales"."Orders" (customer);
    create index orders_customer_placed on "Sales"."Orders" (customer, placed);
    create index orders_placed on "Sales"."Orders" (placed);
    analyze;
    """)
}

extension TestDatabase {
  /// Lends a session on a thread that may block.
  func onSession<R: Sendable>(
    role: String = "ironforge", _ body: @escaping @Sendable (Session) throws -> R
  ) async throws -> R {
    let url = url.replacing("user=ironforge", with: "user=\(role)")
    return try await blocking {
      let session = try Session(connecting: ConnectionString(url))
      defer { session.close() }
      return try body(session)
    }
  }

  /// A plan with no wish about the age of statistics.
  func plan(
    _ statements: [String], role: String = "ironforge", undo: [UndoFile.Entry] = [],
    _ change: @escaping @Sendable (inout PruneRequest) -> Void = { _ in }
  ) async throws -> PrunePlan {
    try await onSession(role: role) { session in
      var request = PruneRequest()
      change(&request)
      let known = statements.enumerated().map { number, text in
        ObservedStatement(id: "\(number)", text: text, calls: 7)
      }
      return try Pruner(request, ServerFacts(session), audit: audited).plan(
        on: session, statements: known, undo: undo)
    }
  }
}

/// The audit of a database as if it were large, and had been there and been written since 1970.
@Sendable func audited(_ session: Session) throws -> (catalog: Catalog, report: IndexAuditReport) {
  let read = try CatalogReader(session).read()
  var facts = read.facts
  facts.since = Timestamp(microseconds: 0)
  let tables = read.tables.values.map { table in
    var table = table
    table.counters.inserted += 1
    table.sizeBytes = max(table.sizeBytes, 2 << 20)
    return table
  }
  let indexes = read.indexes.values.map { index in
    var index = index
    index.madeAt = Timestamp(microseconds: 0)
    return index
  }
  let catalog = Catalog(tables: tables, indexes: indexes, foreignKeys: read.foreignKeys, facts: facts)
  return (catalog, Audit(catalog).report())
}

extension PrunePlan {
  /// Index, why it stays, and the statements that get dearer.
  var lines: [String] {
    items.map { item in
      ([item.restoration.index.name, item.heldBack?.rawValue ?? "drop"] + item.proof.worse.map(\.id))
        .joined(separator: " ")
    }
  }
}
