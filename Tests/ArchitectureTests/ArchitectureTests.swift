import FoundationEssentials
import Testing

/// The rules of the house, read off the sources.
@Suite struct ArchitectureTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private static func text(of path: String) throws -> String {
    String(decoding: try Data(contentsOf: root.appending(path: path)), as: UTF8.self)
  }

  private static func sources() throws -> [SourceFile] {
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
    #expect(try Self.sources().flatMap { $0.importViolations(.ironforge) } == [])
    #expect(Layers.ironforge.violations(ofManifest: try Self.text(of: "Package.swift")) == [])
  }

  @Test func filesAndFunctionsAreShort() throws {
    let sources = try Self.sources()
    #expect(sources.flatMap(\.lengthViolations) == [])
    #expect(sources.flatMap(\.functionViolations) == [])
  }

  @Test func namesSaySomething() throws {
    #expect(try Self.sources().flatMap(\.nameViolations) == [])
  }

  @Test func nothingIsLeftOver() throws {
    #expect(try Self.sources().flatMap(\.leftoverViolations) == [])
  }
}
