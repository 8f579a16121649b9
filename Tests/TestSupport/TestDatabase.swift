import Primitives
import Synchronization

/// A database that is built once a process and copied for every test.
public struct DatabaseTemplate: Sendable {
  /// Lower-case letters, digits and underscores; the same name must always mean the same content.
  public let name: String
  /// Fills the empty database. No connection to it may stay open.
  public let build: @Sendable (TestDatabase) async throws -> Void

  /// A template with its builder.
  public init(_ name: String, build: @escaping @Sendable (TestDatabase) async throws -> Void) {
    self.name = name
    self.build = build
  }

  var databaseName: String { "template_\(name)" }
}

/// A database of one test on the shared server.
public struct TestDatabase: Sendable {
  /// The database's name.
  public let name: String
  /// Its server.
  public let address: PostgresAddress

  /// libpq URI with the role.
  public var url: String { address.url(database: name) }

  private static let sequence = Atomic<Int>(0)

  /// Creates a database; the caller drops it. `withDatabase` is the usual way.
  public static func create(template: DatabaseTemplate? = nil) async throws -> TestDatabase {
    let address = try await SharedPostgres.shared.address()
    if let template { try await SharedPostgres.shared.prepare(template) }
    let number = sequence.wrappingAdd(1, ordering: .relaxed).newValue
    let database = TestDatabase(name: "test_\(number)", address: address)
    try await address.sql(
      "create database \(database.name) template \(template?.databaseName ?? "template0")",
      database: "postgres")
    return database
  }

  /// Sends statements through psql; see `PostgresAddress.sql`.
  @discardableResult
  public func sql(_ text: String, timeout: Duration = .seconds(60)) async throws -> [[String]] {
    try await address.sql(text, database: name, timeout: timeout)
  }

  /// Removes the database, and whoever is still connected to it.
  public func drop() async throws {
    try await address.sql("drop database if exists \(name) with (force)", database: "postgres")
  }
}

/// Lends a fresh database to `body` and drops it afterwards, also when `body` fails.
public func withDatabase<R: Sendable>(
  template: DatabaseTemplate? = nil, isolation: isolated (any Actor)? = #isolation,
  _ body: (TestDatabase) async throws -> R
) async throws -> R {
  let database = try await TestDatabase.create(template: template)
  let result: R
  do {
    result = try await body(database)
  } catch {
    // The reason of the test's failure counts; the watchdog removes a database that cannot be dropped.
    _ = await Result.init(catching: database.drop)
    throw error
  }
  try await database.drop()
  return result
}

extension Result where Failure == any Error, Success: Sendable {
  init(catching body: @Sendable () async throws -> Success) async {
    do {
      self = .success(try await body())
    } catch {
      self = .failure(error)
    }
  }
}

/// Whether the server of the tests has an extension to create, for `.enabled`: the programs of other versions come without some.
public func serverOffers(_ name: String) async throws -> Bool {
  let address = try await SharedPostgres.shared.address()
  let rows = try await address.sql(
    "select 1 from pg_available_extensions where name = '\(name)'", database: "postgres")
  return rows == [["1"]]
}
