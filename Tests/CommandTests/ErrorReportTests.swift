import ArgumentParser
import Primitives
import Testing

@testable import Commands

@Suite struct ErrorReportTests {
  @Test func aFailureIsTheObjectOfTheContract() {
    let failure = SimpleFailure(
      .refused, code: "insufficient_funds", message: "The wallet holds 3.", hint: "Send less.",
      isRetryable: true)
    #expect(
      ErrorReport(failure).json.description == """
        {"error":{"code":"insufficient_funds","message":"The wallet holds 3.","hint":"Send less.","retryable":true,\
        "exit_code":4}}
        """)
  }

  @Test func anUnforeseenErrorExits1() {
    struct Odd: Error {}
    let report = ErrorReport(Odd())
    #expect(report.code == "unexpected")
    #expect(report.exitCode == 1)
  }

  @Test(arguments: [FailureKind.found, .partial, .configuration, .targetMissed])
  func anExitCodeIsThatOfItsKind(kind: FailureKind) {
    #expect(ExitCode(kind).rawValue == kind.rawValue)
  }

  @Test(arguments: [
    (
      ["config", "shwo"], CommandPath(names: ["config"], unknown: "shwo", suggestion: "ironforge config show")
    ),
    (["config", "show", "x"], CommandPath(names: ["config", "show"])), (["--bad"], CommandPath()),
    (["zzzzzz"], CommandPath(unknown: "zzzzzz")), (["help", "x"], CommandPath()),
  ])
  func theWordsOfACommandLineAreFollowed(arguments: [String], path: CommandPath) {
    #expect(commandPath(arguments) == path)
  }

  /// A command that its words name is parsed alone; all else goes through the whole tree.
  @Test(arguments: [
    (["config", "show", "--json"], "ConfigShow", ["--json"]),
    (["transfer", "--from", "a"], "TransferSend", ["--from", "a"]), (["transfer"], "TransferSend", []),
    (["transfer", "batch", "x.csv"], "TransferBatch", ["x.csv"]), (["transfer", "help"], nil, []),
    (["config"], nil, []), (["config", "shwo"], nil, []), (["--json", "config", "show"], nil, []),
    ([], nil, []),
  ])
  func theFirstWordsNameACommand(arguments: [String], type: String?, rest: [String]) {
    let named = namedCommand(arguments)
    #expect(named.map { String(describing: $0.command) } == type)
    #expect(named?.arguments ?? [] == rest)
  }
}
