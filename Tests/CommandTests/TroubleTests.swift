import Primitives
import TestSupport
import Testing

/// What a person meets at three in the morning: each is a sentence that helps, with its exit code.
@Suite struct TroubleTests {
  private static let transfer = [
    "transfer", "--from", "a@b/x", "--to", "a@b/y", "--amount", "1", "--currency", "USD", "--key", "k",
  ]

  @Test func aDeadServerIsSaidAtOnce() async throws {
    for url in ["postgresql://127.0.0.1:1/none", "postgresql:///none?host=/nonexistent"] {
      let start = monotonicNanoseconds()
      let result = try await Ironforge.run(
        Self.transfer + ["--json"], env: ["IRONFORGE_DATABASE_URL": .some(url)])
      #expect(result.exitCode == 69 && value("code", in: result.stderr) == "database_unreachable")
      #expect(result.stdout == "" && result.stderr.contains("\"retryable\":true,\"exit_code\":69}}"))
      // Far below the connect time-outs and the retry budget that a wait would show, and yet enough for a machine
      // that runs all other tests too.
      #expect(monotonicNanoseconds() - start < 30_000_000_000, "nothing listens there: no wait, no retry")
    }
  }

  @Test func withoutConfigurationTheSandboxIsTheHint() async throws {
    let directory = try TemporaryDirectory("empty")
    let result = try await Ironforge.run(Self.transfer, cwd: directory.path)
    #expect(result.exitCode == 78 && result.stdout == "")
    #expect(result.stderr.contains("ironforge sandbox up"))
  }

  /// Whatever is wrong with the URL, and however it is written.
  @Test(arguments: [
    "postgresql://user:SECRET@127.0.0.1:1/db", "postgresql://user:a@SECRET@127.0.0.1:1/db",
    "postgresql://user:a/SECRET@127.0.0.1:1/db", "postgresql://user:1/SECRET@127.0.0.1:1/db",
    "postgresql://user:a:SECRET@127.0.0.1:1/db", "postgresql://user:a%SECRET@127.0.0.1:1/db",
    "postgresql://user:a?SECRET@127.0.0.1:1/db", "postgresql://user:1?SECRET=1@127.0.0.1:1/db",
    "postgresql://user:a#SECRET@127.0.0.1:1/db", "postgresql://user:[SECRET@127.0.0.1:1/db",
    "postgresql://user:SECRET@no.such.host.invalid/db", "postgresql://user:SECRET",
    "postgresql://user:SECRET@",
    "postgresql:/user:SECRET@127.0.0.1:1/db", "postgres//user:SECRET@127.0.0.1/db",
    "user:SECRET@127.0.0.1/db",
    "mysql://user:SECRET@127.0.0.1/db", "host=127.0.0.1 port=1 password=SECRET user=u",
    "host=127.0.0.1 port=1 password='a SECRET", "host=127.0.0.1 port=1 password=a SECRET",
    "password=SECRET port=x",
    "postgresql://127.0.0.1:1/db?password=SECRET", "postgresql://127.0.0.1:1/db?password=SECRET&nonsense=1",
    "postgresql://127.0.0.1:1/db?passwort=SECRET", "postgresql://u:SECRET@127.0.0.1:port/db", "SECRET",
  ])
  func aPasswordIsNeverEchoed(url: String) async throws {
    for format in ["text", "json"] {
      for arguments in [Self.transfer, ["config", "show"], ["config", "check"], ["ledger", "verify"]] {
        for environment in [[:], ["PGCONNECT_TIMEOUT": "3"]] {
          // Once as an option, once from the environment.
          let asOption = environment.isEmpty
          let result = try await Ironforge.run(
            arguments + ["-o", format] + (asOption ? ["--database-url", url] : []),
            env: asOption ? [:] : ["IRONFORGE_DATABASE_URL": .some(url)])
          #expect(
            !result.stdout.contains("SECRET") && !result.stderr.contains("SECRET"), "\(arguments): \(result)")
          if arguments[0] != "config" { #expect([69, 78].contains(result.exitCode), "\(result)") }
        }
      }
    }
  }

  @Test func aMissingPrivilegeIsNamed() async throws {
    try await withTown { town in
      try await town.database.sql(
        """
        drop role if exists town_writer; create role town_writer login;
        grant select on users, wallets, currencies, assets, transfers, transactions, hold_resolutions to town_writer;
        grant update on assets to town_writer;
        """)
      let writer = town.database.url.replacing("user=ironforge", with: "user=town_writer")
      let before = try await town.contents()
      let result = try await town.send("k", url: writer)
      #expect(result.exitCode == 77 && value("code", in: result.stderr) == "insufficient_privilege")
      #expect(result.stderr.contains("assets") || result.stderr.contains("transfers"))
      let frozen = try await town.run("wallet", "freeze", "ada@example.com/main", url: writer)
      #expect(frozen.exitCode == 77 && frozen.stderr.contains("permission denied for table wallets"))
      #expect(try await town.contents() == before)
      try await town.database.sql("drop owned by town_writer; drop role town_writer")
    }
  }

  @Test func anUnmigratedDatabaseSaysWhatToRun() async throws {
    try await withDatabase { database in
      for arguments in [
        Self.transfer, ["wallet", "list"], ["ledger", "verify"], ["transfer", "resolve", "k"],
      ] {
        let result = try await Ironforge.run(arguments, env: ["IRONFORGE_DATABASE_URL": .some(database.url)])
        #expect(result.exitCode == 78, "\(result)")
        #expect(result.stderr.contains("hint: apply the migrations first: ironforge migrate up"))
      }
    }
  }

  @Test func aReadOnlyServerIsCalledThat() async throws {
    try await withTown { town in
      let url = town.database.url + "&options=-c%20default_transaction_read_only%3Don"
      let before = try await town.contents()
      for result in [
        try await town.send("k", url: url),
        try await town.run("wallet", "freeze", "ada@example.com/main", "--json", url: url),
        try await town.run("transfer", "resolve", "k", "--json", url: url),
      ] {
        #expect(result.exitCode == 78 && value("code", in: result.stderr) == "read_only_server", "\(result)")
      }
      #expect(try await town.run("wallet", "list", url: url).exitCode == 0)
      #expect(try await town.contents() == before)
    }
  }

  @Test func aHeldLockIsSaidWithWhatToDo() async throws {
    try await withTown { town in
      #expect(try await town.send("first").exitCode == 0)
      let directory = try TemporaryDirectory("config")
      let file = try directory.write("[database]\nlock_timeout_secs = 1\n", to: "ironforge.toml")
      let holder = Program(
        "\(town.database.address.programs)/psql", [town.database.url, "-qf", "-"],
        stdin: "begin; select from assets for update; select pg_advisory_lock(1); select pg_sleep(120);")
      let running = try await holder.start()
      let deadline = Deadline.after(.seconds(30))
      let held =
        "select count(*) from pg_locks where locktype = 'advisory' and objid = 1 and granted and database = (select oid from pg_database where datname = current_database())"
      while try await town.database.sql(held) != [["1"]], !deadline.hasPassed {}
      let result = try await town.run(
        "transfer", "--from", "ada@example.com/bank", "--to", "ada@example.com/main", "--amount", "1",
        "--currency",
        "USD", "--key", "second", "--json", "--config", file)
      #expect(result.exitCode == 75 && value("code", in: result.stderr) == "lock_timeout", "\(result)")
      #expect(result.stderr.contains("\"retryable\":true"))
      #expect(result.stderr.contains("another transaction holds the lock; try again"))
      try running.signal(9)
      _ = try await running.finish()
      try await town.database.sql(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
      )
      #expect(value("code", in: try await town.send("second").stdout) == "created")
    }
  }
}

@Suite struct HelpTests {
  /// Every command that `--help` of its parent names, from the root down.
  private static func commands(_ path: [String] = []) async throws -> [[String]] {
    let help = try await Ironforge.run(path + ["--help"])
    #expect(help.exitCode == 0 && help.stderr == "", "\(path)")
    #expect(help.stdout.contains("EXAMPLES:\n"), "\(path)")
    var found = [path]
    guard let list = help.stdout.firstRange(of: "SUBCOMMANDS:\n") else { return found }
    for line in help.stdout[list.upperBound...].split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty { break }
      // Two blanks before a name, more before the rest of a text.
      guard line.hasPrefix("  "), !line.hasPrefix("   ") else { continue }
      found += try await commands(path + [String(line.dropFirst(2).prefix { $0 != " " })])
    }
    return found
  }

  @Test func everyCommandHasExamples() async throws {
    let all = try await Self.commands().map { $0.joined(separator: " ") }
    for expected in [
      "transfer", "transfer send", "transfer resolve", "transfer show", "transfer list", "wallet create",
      "wallet list",
      "wallet show", "wallet balance", "wallet history", "wallet rename", "wallet freeze", "wallet unfreeze",
      "wallet close", "user create", "user show", "user list", "currency add", "currency list",
      "ledger verify",
      "migrate up", "sandbox up", "config show", "bench",
    ] { #expect(all.contains(expected)) }
    let fish = try await Ironforge.run(["--generate-completion-script", "fish"]).stdout
    for name in all where !name.isEmpty {
      #expect(fish.contains(name.split(separator: " ").last ?? ""), "\(name) is not completed")
    }
  }
}
