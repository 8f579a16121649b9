import ArgumentParser
import FoundationEssentials
import TestSupport
import Testing

@testable import Commands

/// What `make install` puts on a machine is true: each command line is one, and the example configuration is the defaults.
@Suite struct PackageTests {
  private func files(_ directory: String) throws -> [String] {
    let path = Repository.path("scripts/package/\(directory)")
    return try FileManager.default.contentsOfDirectory(atPath: path).sorted().map { "\(path)/\($0)" }
  }

  @Test func everyCommandOfUnitsAndCrontabParses() throws {
    let lineOfCommand = #/ExecStart=@bindir@/ironforge (?<unit>.*)|^[0-9*].* ironforge (?<cron>.*)$/#
    var count = 0
    for file in try files("systemd") + files("examples")
    where [".service", "crontab"].contains(where: file.hasSuffix) {
      let text = try String(contentsOfFile: file, encoding: .utf8).replacing("\\\n", with: " ")
      for line in text.split(separator: "\n") {
        guard let match = line.firstMatch(of: lineOfCommand),
          let command = match.output.unit ?? match.output.cron
        else { continue }
        let arguments = command.replacing("%i", with: "expire-holds").split(separator: " ").map(String.init)
        #expect(throws: Never.self, "\(file): \(command)") { _ = try RootCommand.parseAsRoot(arguments) }
        count += 1
      }
    }
    #expect(count > 12)
  }

  @Test func everyTimerHasItsService() throws {
    let names = try files("systemd").compactMap { $0.split(separator: "/").last.map(String.init) }
    for timer in names where timer.hasSuffix(".timer") {
      let name = timer.dropLast(".timer".count)
      let template = name.split(separator: "@").first.map { "\($0)@.service" }
      #expect(names.contains("\(name).service") || template.map(names.contains) == true, "\(timer)")
    }
  }

  @Test func theExampleConfigurationIsTheDefaults() async throws {
    let directory = try TemporaryDirectory("package")
    let example = Repository.path("scripts/package/examples/config.toml")
    let shown = try await Ironforge.run(
      ["config", "show", "--json", "--config", example], cwd: directory.path)
    let defaults = try await Ironforge.run(["config", "show", "--json"], cwd: directory.path)
    #expect(shown.exitCode == 0)
    let values = { (text: String) in text.replacing(#/"(file|origin|line)":[^,}]*/#, with: "") }
    #expect(values(shown.stdout) == values(defaults.stdout))
    #expect(shown.stdout.contains("config.toml"))
  }
}
