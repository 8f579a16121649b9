import Glibc
import TestSupport
import Testing

@testable import Commands

@Suite struct ShippedDirectoryTests {
  @Test func theInstalledDirectoryLiesBesideTheBinary() {
    let places = ShippedDirectory.migrations.places(binary: "/nonexistent/bin/ironforge")
    #expect(places == ["migrations", "/nonexistent/share/ironforge/migrations"])
    #expect(ShippedDirectory.fixtures.places(binary: nil) == ["fixtures"])
  }

  @Test func aBuiltBinaryFindsItsSourceTree() throws {
    let places = ShippedDirectory.fixtures.places(binary: try Ironforge.path())
    #expect(places.last == Repository.path("fixtures"))
  }

  @Test func anInstalledBinaryFindsWhatCameWithItOrSaysWhereItLooked() async throws {
    let directory = try TemporaryDirectory()
    for name in ["bin", "share", "share/ironforge"] { #expect(mkdir(directory.file(name), 0o755) == 0) }
    let copy = try await Program("/bin/cp", [try Ironforge.path(), directory.file("bin/ironforge")]).run()
    #expect(copy.exitCode == 0)
    try await withDatabase { database in
      let arguments = ["migrate", "status", "--database-url", database.url]
      let program = Program(directory.file("bin/ironforge"), arguments, directory: directory.path)
      let lost = try await program.run()
      #expect(lost.exitCode == 78)
      #expect(lost.stderr.contains("no directory of migrations was found"))
      #expect(lost.stderr.contains(directory.file("share/ironforge/migrations")))
      #expect(lost.stderr.contains("--dir DIR"))
      #expect(symlink(Repository.path("migrations"), directory.file("share/ironforge/migrations")) == 0)
      let found = try await program.run()
      #expect(found.exitCode == 10)
      #expect(found.stdout.contains("ledger"))
      #expect(mkdir(directory.file("migrations"), 0o755) == 0)
      let own = try await program.run()
      #expect(own.exitCode == 0)
    }
  }
}
