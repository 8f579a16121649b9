import Testing

/// The checker on small inputs: every rule can fail.
@Suite struct RulesTests {
  private func file(_ text: String, target: String = "Ledger") -> SourceFile {
    SourceFile(path: "x.swift", target: target, text: text)
  }

  @Test(arguments: [
    ("let a = \"{\" // }", "let a =        "),
    ("a /* { /* } */ { */ b", "a                     b"),
    ("f(#\"\"{\"\\(\"#)", "f(         )"),
    ("\"\\(g { \"}\" } + \"(\")\" + h", "                     + h"),
    ("\"a\\\"{\" {", "        {"),
    ("\"\"\"\n { \"\" \\\"\"\"\n\"\"\" }", "   \n         \n    }"),
  ])
  func literalsAndCommentsAreBlanked(source: String, code: String) {
    #expect(Array(SwiftText.code(of: source)).count == source.count)
    #expect(SwiftText.code(of: source).filter { !$0.isWhitespace } == code.filter { !$0.isWhitespace })
  }

  @Test func anImportThatPointsUpIsFound() {
    let text = "import Wallet\npublic import struct Commands.X\n@testable import CLibpq\nimport Foundation\n"
    let found = file(text).importViolations(.ironforge)
    #expect(found.map(\.line) == [2, 3, 4])
    #expect(found.first?.text == "Ledger must not import Commands")
    #expect(file("import Glibc\nimport Postgres // import Commands\n").importViolations(.ironforge) == [])
    #expect(file("", target: "Unknown").importViolations(.ironforge).count == 1)
  }

  @Test func aManifestThatPointsUpIsFound() {
    let manifest = """
      func layer(_ name: String) {}
        layer("Primitives"),
        layer("Wallet", ["Primitives"]),
        layer("Bench", ["Primitives", .product(name: "Histogram", package: "hdrhistogram-swift")]),
        layer(
          "Postgres",
          ["CLibpq", "Ledger"]),
      """
    let found = Layers.ironforge.violations(ofManifest: manifest)
    #expect(found == [Violation(file: "Package.swift", line: 5, text: "Postgres must not depend on Ledger")])
  }

  @Test func aCycleIsFound() {
    #expect(Layers(["A": ["B"], "B": ["C"], "C": ["A"]]).cycle == "A")
    #expect(Layers(["A": ["B"], "B": ["C"], "C": []]).cycle == nil)
  }

  @Test func aLongFileIsFound() {
    let limit = SourceFile.lineLimit
    #expect(file(String(repeating: "//\n", count: limit)).lengthViolations == [])
    #expect(file(String(repeating: "//\n", count: limit + 1)).lengthViolations.count == 1)
  }

  @Test func aLongFunctionIsFound() {
    let body = String(repeating: "  x(\"}\") // }\n", count: SourceFile.functionLineLimit - 1)
    let long = file("func long(\n  a: () -> Void = { b() }\n) {\n\(body)}\n")
    #expect(long.functionViolations.map(\.line) == [1])
    let short = String(repeating: "  y { }\n", count: SourceFile.functionLineLimit - 2)
    #expect(file("init() {\n\(short)}\nfunc g() {\n\(short)}\n").functionViolations == [])
    // Requirements have no body, calls of `init` are no declarations.
    let filler = String(repeating: "  //\n", count: 100)
    let requirements =
      "protocol P {\n  func a()\n  init(b: Int)\n}\nstruct S {\n\(filler)  let x = Y.init()\n\(filler)}\n"
    #expect(file(requirements).functions.isEmpty)
    #expect(file("init() {\n\(filler)}\n").functionViolations.count == 1)
    #expect(file("subscript(i: Int) -> Int {\n\(filler)}\n").functionViolations.count == 1)
  }

  @Test func emptyNamesAreFound() {
    let text =
      "struct JSONHelper {}\nclass PoolManager {}\nenum Utils {}\nstruct Utilization {}\n// struct Helper\n"
    #expect(file(text).nameViolations.map(\.line) == [1, 2, 3])
  }

  @Test func leftoversAreFound() {
    let text = """
      // TODO: later
      try! f()
      x as! Int
      fatalError("no")
      let s = "try! as! fatalError()"
      x as? Int
      a != b
      if try !done() {}
      """
    #expect(file(text).leftoverViolations.map(\.line) == [1, 2, 3, 4])
  }
}
