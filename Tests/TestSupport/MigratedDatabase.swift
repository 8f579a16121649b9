import Migrations
import Postgres

extension DatabaseTemplate {
  /// A database with all migrations of the repository applied, and nothing in it.
  public static let migrated = DatabaseTemplate("migrated") { database in
    let session = try Session(connecting: ConnectionString(database.url))
    // A template can only be copied while nobody is connected to it.
    defer { session.close() }
    try Migrator(session: session, files: MigrationDirectory(path: Repository.path("migrations")).files())
      .up()
  }
}

/// The source tree that the tests belong to.
public enum Repository {
  /// The absolute path of a file or directory of the repository.
  public static func path(_ name: String) -> String {
    // …/Tests/TestSupport/MigratedDatabase.swift
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return "/\(root)/\(name)"
  }
}
