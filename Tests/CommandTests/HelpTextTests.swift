import ArgumentParser
import Testing

@testable import Commands

/// Help is wrapped to the terminal's width by the parser; text that was broken by hand as well would end in stumps.
@Suite struct HelpTextTests {
  @Test func noParagraphIsBrokenByHand() {
    var open: [any ParsableCommand.Type] = [RootCommand.self]
    var count = 0
    while let command = open.popLast() {
      open += command.configuration.subcommands
      count += 1
      let broken = Self.broken(command.configuration.discussion)
      #expect(broken == nil, "\(command): \(broken ?? "")")
      #expect(!command.configuration.abstract.contains("\n"))
    }
    #expect(count > 50)
  }

  /// A line of prose that goes on in the next line; lists and examples are indented or begin with a dash.
  private static func broken(_ text: String) -> String? {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let isProse = { (line: Substring) in line.first.map { $0 != " " && $0 != "-" } ?? false }
    return zip(lines, lines.dropFirst()).first { isProse($0) && isProse($1) }.map { String($0.0) }
  }
}
