import FoundationEssentials
import Testing

/// The rules of the house, read off the sources.
@Suite struct ArchitectureTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private static func text(of path: String) throws -> String {
    String(decoding: try Data(contentsOf: root.appending(path: path)), as: UTF8.self)
  }

  private static let read = Result { try readSources() }

  private static func sources() throws -> [SourceFile] { try read.get() }

  private static func readSources() throws -> [SourceFile] {
    let directory = root.appending(path: "Sources").path
    return try FileManager.default.subpathsOfDirectory(atPath: directory).sorted()
      .filter { $0.hasSuffix(".swift") }.map { path in
        let target = String(path.prefix { $0 != "/" })
        return SourceFile(path: "Sources/\(path)", target: target, text: try text(of: "Sources/\(path)"))
      }
  }

  @Test func everyTargetIsRead() throws {
    let targets = Set(try Self.sources().map(\.target))
    #expect(targets == Layers.ironforge.targets)
  }

  @Test func arrowsPointDown() throws {
    #expect(Layers.ironforge.cycle == nil)
    let imports = try Self.sources().flatMap { $0.importViolations(.ironforge) }
    #expect(imports == [])
    let manifest = Layers.ironforge.violations(ofManifest: try Self.text(of: "Package.swift"))
    #expect(manifest == [])
  }

  @Test func filesAndFunctionsAreShort() throws {
    let files = try Self.sources().flatMap(\.lengthViolations)
    #expect(files == [])
    let functions = try Self.sources().flatMap(\.functionViolations)
    #expect(functions == [])
  }

  @Test func namesSaySomething() throws {
    let found = try Self.sources().flatMap(\.nameViolations)
    #expect(found == [])
  }

  @Test func nothingIsLeftOver() throws {
    let found = try Self.sources().flatMap(\.leftoverViolations)
    #expect(found == [])
  }
}
