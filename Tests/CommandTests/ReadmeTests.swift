import FoundationEssentials
import TestSupport
import Testing

/// The README is true: every command in its `console` blocks is run, in order, in one directory; it exits as the
/// README says (0, or what `# exits …` below it allows), and output that is shown is output that comes.
@Suite struct ReadmeTests {
  @Test func everyCommandDoesWhatTheReadmeSays() async throws {
    try await ServerSlots.shared.withSlot { try await runEveryCommand() }
  }

  private func runEveryCommand() async throws {
    let blocks = try Self.blocks()
    #expect(blocks.count > 5)
    let directory = try TemporaryDirectory("readme")
    let binary = try Ironforge.path()
    // The service's port may be another program's.
    let port = try PrivateRedis.freePort()
    // The first block shows the result of one that stands further down, where the sandbox is up.
    for step in blocks.dropFirst().flatMap(Self.steps) {
      let named =
        step.command.hasPrefix("curl ")
        ? step.command
        : step.command.replacing("ironforge", with: "'\(binary)'", maxReplacements: 1)
      let command = named.replacing(":8088", with: ":\(port)")
      let result = try await Ironforge.program([], cwd: directory.path).shell(command).run()
      #expect(step.exitCodes.contains(result.exitCode), "\(step.command)\n\(result.stderr)")
      if !step.output.isEmpty {
        let printed = Self.lines(result.stdout) + Self.lines(result.stderr)
        #expect(step.output.map(Self.masked) == printed.map(Self.masked), "\(step.command)")
      }
    }
    _ = try await Ironforge.run(["sandbox", "down"], cwd: directory.path)
  }

  @Test func theFirstBlockShowsRealOutput() async throws {
    try await ServerSlots.shared.withSlot { try await runFirstBlock() }
  }

  private func runFirstBlock() async throws {
    let blocks = try Self.blocks()
    let shown = try #require(blocks.first.flatMap { Self.steps($0).first })
    let directory = try TemporaryDirectory("readme")
    for arguments in [["sandbox", "up"], ["migrate", "up"], ["fixtures", "load"]] {
      let result = try await Ironforge.run(arguments, cwd: directory.path)
      try #require(result.exitCode == 0, "\(result.stderr)")
    }
    let command = shown.command.replacing("ironforge", with: "'\(try Ironforge.path())'", maxReplacements: 1)
    let result = try await Ironforge.program([], cwd: directory.path).shell(command).run()
    #expect(result.exitCode == 0)
    #expect(Self.lines(result.stdout).map(Self.masked) == shown.output.map(Self.masked))
    _ = try await Ironforge.run(["sandbox", "down"], cwd: directory.path)
  }

  private struct Step {
    var command: String
    var exitCodes: [Int32] = [0]
    var output: [String] = []
  }

  private static func blocks() throws -> [[String]] {
    let text = try String(contentsOfFile: Repository.path("README.md"), encoding: .utf8)
    return text.components(separatedBy: "```console\n").dropFirst().map { part in
      (part.components(separatedBy: "\n```").first ?? "").components(separatedBy: "\n")
    }
  }

  private static func steps(_ block: [String]) -> [Step] {
    var steps: [Step] = []
    for line in block {
      if line.hasPrefix("$ ") {
        steps.append(Step(command: String(line.dropFirst(2))))
      } else if line.hasPrefix("# exits "), !steps.isEmpty {
        steps[steps.count - 1].exitCodes = line.split(separator: " ").compactMap { Int32($0) }
      } else if !steps.isEmpty {
        steps[steps.count - 1].output.append(line)
      }
    }
    return steps
  }

  private static func lines(_ text: String) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
  }

  /// A line without what is another one on each run: identifiers and times.
  private static func masked(_ line: String) -> String {
    line.split(separator: " ", omittingEmptySubsequences: false).map { word in
      let isIdentifier = word.count == 36 && word.filter { $0 == "-" }.count == 4
      let isTime = word.hasSuffix("Z") && word.contains("T") && word.contains(":")
      return isIdentifier ? "<id>" : isTime ? "<time>" : String(word)
    }.joined(separator: " ").trimmingSuffix(" ")
  }
}

extension String {
  fileprivate func trimmingSuffix(_ character: Character) -> String {
    var text = self[...]
    while text.last == character { text.removeLast() }
    return String(text)
  }
}

extension Program {
  /// The same surroundings, for a line that a shell runs.
  fileprivate func shell(_ line: String) -> Program {
    var program = self
    program.path = "/bin/sh"
    program.arguments = ["-c", line]
    return program
  }
}
