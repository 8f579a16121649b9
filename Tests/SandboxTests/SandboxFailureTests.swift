import Glibc
import Primitives
import TestSupport
import Testing

@testable import Sandbox

/// What the sandbox says when it cannot do its work.
@Suite struct SandboxFailureTests {
  @Test func missingServersNameTheirPackage() throws {
    var search = ServerSearch(chosen: nil, path: ["/nonexistent"])
    search.packagedPostgres = "/nonexistent"
    search.packagedRedis = []
    let postgres = #expect(throws: SandboxFailure.self) { try search.postgres(forData: nil) }
    #expect(postgres?.kind == .configuration)
    #expect(postgres?.hint == "Install it: apt-get install postgresql")
    let redis = #expect(throws: SandboxFailure.self) { try search.redis() }
    #expect(redis?.hint == "Install it: apt-get install redis-server")

    search.chosen = "/nowhere"
    let chosen = #expect(throws: SandboxFailure.self) { try search.postgres(forData: nil) }
    #expect(chosen?.message.contains("IRONFORGE_PG_BIN (/nowhere)") == true)
  }

  @Test func upWithoutAServerFailsAndLeavesNothingRunning() async throws {
    let temporary = try TemporaryDirectory("missing")
    var sandbox = try Sandbox(directory: temporary.path)
    sandbox.search.chosen = "/nowhere"
    let unequipped = sandbox
    await #expect(throws: SandboxFailure.self) { try await unequipped.up() }
    #expect(try Sandbox.running(in: temporary.path) == nil)
    try await sandbox.destroy()
  }

  @Test func linksInThePathAreFollowed() throws {
    let temporary = try TemporaryDirectory("links")
    let installed = try ServerSearch.current().postgres(forData: nil)
    for program in ["postgres", "initdb"] {
      #expect(symlink(installed.path(of: program), temporary.file(program)) == 0)
    }
    let search = ServerSearch(chosen: nil, path: [temporary.path])
    #expect(try search.postgres(forData: nil) == installed)
  }

  @Test func dataOfAnotherVersionIsNotTouched() throws {
    let search = ServerSearch.current()
    let installed = try search.postgres(forData: nil)
    #expect(try search.postgres(forData: installed.version) == installed)
    let failure = #expect(throws: SandboxFailure.self) { try search.postgres(forData: "9") }
    #expect(failure?.hint?.contains("postgresql-9") == true)
  }

  @Test func optionsOutOfRangeAreRefused() async throws {
    let temporary = try TemporaryDirectory("options")
    let sandbox = try Sandbox(directory: temporary.path)
    for options in [SandboxOptions(maxConnections: 1), SandboxOptions(sharedBuffersMiB: 0)] {
      let failure = await #expect(throws: SandboxFailure.self) { try await sandbox.up(options) }
      #expect(failure?.kind == .usage)
    }
    #expect(access(temporary.file(".ironforge"), F_OK) != 0)
  }

  @Test func aDirectoryThatDoesNotExistIsNamed() {
    let failure = #expect(throws: SandboxFailure.self) { try Sandbox(directory: "/nonexistent/x") }
    #expect(failure?.message == "Cannot find /nonexistent/x: No such file or directory.")
  }

  @Test func aForeignDirectoryIsNotUsed() throws {
    let temporary = try TemporaryDirectory("foreign")
    let target = temporary.file("target")
    #expect(mkdir(target, 0o700) == 0)
    let link = temporary.file("link")
    #expect(symlink(target, link) == 0)
    let account = try ServerAccount.current()
    #expect(throws: SandboxFailure.foreignDirectory(path: link)) {
      try Files.makeDirectory(link, mode: 0o700, owner: account)
    }
    if geteuid() == 0 {
      // Neither root's nor the account's.
      #expect(lchown(target, account.userID + 1, account.groupID) == 0)
      #expect(throws: SandboxFailure.foreignDirectory(path: target)) {
        try Files.makeDirectory(target, mode: 0o700, owner: account)
      }
    }
  }

  @Test(arguments: ["", "ironforge-sandbox=2\nhome=/a\n", "ironforge-sandbox=1\nhome=/a\n", "garbage"])
  func aBrokenStateFileIsReportedAndResetGetsOut(text: String) async throws {
    let temporary = try TemporaryDirectory("state")
    #expect(mkdir(temporary.file(".ironforge"), 0o755) == 0)
    let path = try temporary.write(text, to: ".ironforge/sandbox.state")
    #expect(throws: SandboxFailure.malformedState(path: path)) {
      try Sandbox.running(in: temporary.path)
    }
    let sandbox = try Sandbox(directory: temporary.path)
    let status = try await sandbox.reset(SandboxOptions(servers: [.redis]))
    #expect(status.started == [.redis])
    try await sandbox.destroy()
  }

  @Test func theStateFileReadsBack() {
    let state = StateFile(
      layout: Layout(home: "/a/ü b", sockets: "/tmp/x=y"), programs: "/p", isReady: true)
    #expect(StateFile(text: state.text) == state)
  }
}
