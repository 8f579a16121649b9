import TestSupport
import Testing

@Suite struct CommandLineTests {
  @Test func versionAndHelpGoToStdout() async throws {
    let version = try await Ironforge.run(["--version"])
    #expect(version.exitCode == 0)
    #expect(version.stdout.hasPrefix("ironforge 0.1.0"))
    #expect(version.stdout.contains("libpq 1"))
    #expect(version.stdout.hasSuffix("libpg_query for PostgreSQL 15.1\n"))
    #expect(try await Ironforge.run(["config", "show", "--version"]).stdout == version.stdout)
    for arguments in [
      [], ["--help"], ["config"], ["config", "show", "--help"], ["help", "config", "check"],
    ] {
      let help = try await Ironforge.run(arguments)
      #expect(help.exitCode == 0)
      #expect(help.stdout.contains("EXAMPLES:"), "no examples in the help of \(arguments)")
      #expect(help.stderr == "")
    }
  }

  @Test(arguments: [
    (["confg"], "unknown command 'confg'", "ironforge config`"),
    (["config", "shwo"], "unknown command 'shwo'", "ironforge config show`"),
    (["config", "show", "--jsno"], "--json", "ironforge config show --help"),
    (["config", "show", "-o", "xml"], "xml", "ironforge config show --help"),
    (["config", "show", "more"], "more", "ironforge config show --help"),
  ])
  func aWrongCommandLineExits64AndSaysWhatWasMeant(
    arguments: [String], message: String, hint: String
  ) async throws {
    let result = try await Ironforge.run(arguments)
    #expect(result.exitCode == 64)
    #expect(result.stdout == "")
    #expect(result.stderr.hasPrefix("error: "))
    #expect(result.stderr.contains(message))
    #expect(result.stderr.contains(hint))
  }

  @Test(arguments: [["--json"], ["-o", "json"], ["--output=json"], ["--output", "json"]])
  func aWrongCommandLineIsAnObjectWhereJSONIsAskedFor(format: [String]) async throws {
    let result = try await Ironforge.run(["config", "show", "--nonsense"] + format)
    #expect(result.exitCode == 64)
    #expect(
      result.stderr.hasPrefix(#"{"error":{"code":"usage_error","message":"Unknown option '--nonsense'"#))
    #expect(result.stderr.hasSuffix("\"retryable\":false,\"exit_code\":64}}\n"))
  }

  @Test func twoFormatsContradictEachOther() async throws {
    let result = try await Ironforge.run(["config", "show", "--json", "-o", "csv"])
    #expect(result.exitCode == 64)
    #expect(result.stderr.contains("--json and --output csv contradict each other."))
    #expect(try await Ironforge.run(["config", "check", "--json", "-o", "json"]).exitCode == 0)
  }

  @Test(arguments: [
    ("bash", "complete "), ("zsh", "#compdef ironforge"), ("fish", "complete -c 'ironforge'"),
  ])
  func completionsAreMadeForEachShell(shell: String, expected: String) async throws {
    let result = try await Ironforge.run(["--generate-completion-script", shell])
    #expect(result.exitCode == 0)
    #expect(result.stdout.contains(expected))
    #expect(result.stdout.contains("config"))
    if shell == "bash" {
      let check = try await Program("/bin/bash", ["-n"], stdin: result.stdout).run()
      #expect(check.exitCode == 0, "\(check.stderr)")
    }
  }

  /// Runs the command line in a shell; `$0` is the command.
  private func shell(_ line: String) async throws -> ProgramResult {
    try await Program("/bin/bash", ["-c", line, try Ironforge.path()]).run()
  }

  @Test func aReaderThatGoesAwayEndsTheProgramQuietly() async throws {
    let result = try await shell(#""$0" config show --json | true; echo "${PIPESTATUS[0]}""#)
    #expect(result.stdout == "0\n")
    #expect(result.stderr == "")
    #expect(try await shell(#""$0" --help | true; echo "${PIPESTATUS[0]}""#).stdout == "0\n")
  }

  @Test func aFullDiskIsAnError() async throws {
    let result = try await shell(#""$0" config show > /dev/full"#)
    #expect(result.exitCode == 1)
    #expect(result.stderr.contains("No space left on device"))
    #expect(try await shell(#""$0" --version > /dev/full"#).exitCode == 1)
    #expect(try await shell(#""$0" config show >&-"#).exitCode == 1)
  }

  @Test func aClosedStderrHarmsNothing() async throws {
    #expect(try await shell(#""$0" config show --bad 2>&-"#).exitCode == 64)
    #expect(try await shell(#""$0" config check 2> /dev/full"#).exitCode == 0)
  }

  @Test func nothingIsColouredOffATerminal() async throws {
    let result = try await Ironforge.run(["config", "show", "--bad"], env: ["TERM": "xterm"])
    #expect(!result.stderr.contains("\u{1B}"))
    #expect(try await !Ironforge.run(["config", "show"], env: ["TERM": "xterm"]).stdout.contains("\u{1B}"))
  }
}
