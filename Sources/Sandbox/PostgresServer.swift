import Glibc
import Primitives

/// The PostgreSQL of a sandbox.
struct PostgresServer: Sendable {
  let layout: Layout
  let account: ServerAccount

  /// The major version that made the data directory, or nil when there is none.
  static func dataVersion(in layout: Layout) throws(SandboxFailure) -> String? {
    guard let text = try Files.read(layout.postgresData + "/PG_VERSION") else { return nil }
    return text.split(whereSeparator: \.isNewline).first.map(String.init)
  }

  /// The postmaster's process id, or nil when it does not run. Reads two small files and starts no process.
  ///
  /// `postmaster.pid` alone proves nothing: after `kill -9` or a reboot it is left behind, and its number may
  /// belong to another process by now. The command line of ours names the data directory.
  static func postmaster(of layout: Layout) -> pid_t? {
    guard let number = recordedPostmaster(of: layout), isPostmaster(number, of: layout) else { return nil }
    return number
  }

  private static func recordedPostmaster(of layout: Layout) -> pid_t? {
    // A file that cannot be read is a server that cannot be used from here either.
    guard let text = (try? Files.read(layout.postgresData + "/postmaster.pid")) ?? nil,
      let line = text.split(whereSeparator: \.isNewline).first, let number = pid_t(line), number > 0
    else { return nil }
    return number
  }

  private static func isPostmaster(_ number: pid_t, of layout: Layout) -> Bool {
    // A process that has ended has no command line, and is no postmaster.
    guard let command = (try? Files.read("/proc/\(number)/cmdline")) ?? nil else { return false }
    return command.split(separator: "\0").contains { $0 == layout.postgresData }
  }

  /// Makes the data directory unless it is there. A crash half-way leaves a directory under another name, which
  /// the next attempt removes.
  func initialize(programs: PostgresPrograms, durable: Bool, deadline: Deadline) async throws {
    guard try Self.dataVersion(in: layout) == nil else { return }
    let unfinished = layout.postgresData + ".unfinished"
    try await removeTree(unfinished, deadline: deadline)
    // `trust` is safe: the sockets lie in a directory that only this user (and root) can enter.
    var arguments = [
      "-D", unfinished, "--username=ironforge", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
      "--data-checksums",
    ]
    if !durable { arguments.append("--no-sync") }
    try await runProgram(
      programs.path(of: "initdb"), arguments, as: account, in: layout.home, deadline: deadline)
    guard rename(unfinished, layout.postgresData) == 0 else {
      throw SandboxFailure.fileSystem(
        operation: "create", path: layout.postgresData, errorNumber: errno)
    }
  }

  /// Starts the server and returns when it accepts connections.
  func start(
    programs: PostgresPrograms, options: SandboxOptions, deadline: Deadline
  ) async throws {
    try Files.replace(
      layout.postgresData + "/postgresql.conf", with: configuration(programs: programs, options: options))
    try removeForeignProcessID()
    let seconds = max(1, deadline.remaining.components.seconds)
    let arguments = [
      "start", "-w", "-s", "-t", String(seconds), "-D", layout.postgresData, "-l", layout.postgresLog,
    ]
    var attemptsLeft = 5
    while true {
      do {
        try await runProgram(
          programs.path(of: "pg_ctl"), arguments, as: account, in: layout.home, deadline: deadline)
        return
      } catch let failure as SandboxFailure {
        // After `kill -9` of the postmaster its backends hold the shared memory until they notice; PostgreSQL
        // rightly refuses to start until then.
        attemptsLeft -= 1
        guard case .programFailed(let program, let status, _) = failure else { throw failure }
        guard attemptsLeft > 0, !deadline.hasPassed else {
          let log = try Files.readEnd(layout.postgresLog)
          throw SandboxFailure.programFailed(program: program, status: status, output: lastLines(of: log))
        }
        try await Task.sleep(for: .milliseconds(300))
      }
    }
  }

  /// Creates the database and its extensions, as far as they are missing.
  func prepareDatabase(programs: PostgresPrograms, deadline: Deadline) async throws {
    try await runProgram(
      programs.path(of: "psql"),
      [
        "--no-psqlrc", "--quiet", "--tuples-only", "--set=ON_ERROR_STOP=1", "--host=\(layout.sockets)",
        "--port=\(Layout.postgresPort)", "--username=ironforge", "--dbname=postgres", "--file=-",
      ], as: account, in: layout.home, input: Self.preparation, deadline: deadline)
  }

  private static let preparation = """
    select 'create database ironforge'
    where not exists (select from pg_database where datname = 'ironforge') \\gexec
    \\connect ironforge
    set client_min_messages = warning;
    -- Only what the installed server offers; pg_stat_statements works only where it could be preloaded.
    select format('create extension if not exists %I', name)
    from pg_available_extensions
    where name = 'hypopg'
      or name = 'pg_stat_statements'
        and current_setting('shared_preload_libraries') like '%pg_stat_statements%' \\gexec
    """

  /// Stops the server; returns whether it ran. Waits for the shutdown checkpoint, then insists.
  func stop(deadline: Deadline) async throws -> Bool {
    guard let number = Self.postmaster(of: layout) else { return false }
    // SIGINT is PostgreSQL's fast shutdown, SIGQUIT the immediate one (postgres(1), "Shutting Down the Server").
    let half = Deadline.after(deadline.remaining / 2)
    for (signal, limit) in [(SIGINT, half), (SIGQUIT, deadline)] {
      try ProcessSignal.send(signal, to: number)
      while !limit.hasPassed {
        if Self.postmaster(of: layout) == nil { return true }
        try await Task.sleep(for: .milliseconds(20))
      }
    }
    throw SandboxFailure.timedOut(waitingFor: "PostgreSQL to stop", log: layout.postgresLog)
  }

  // PostgreSQL refuses to start while any live process has the number in the old postmaster.pid (or in the
  // socket's lock file), even one that came to it by chance after a reboot.
  private func removeForeignProcessID() throws(SandboxFailure) {
    guard let number = Self.recordedPostmaster(of: layout), !Self.isPostmaster(number, of: layout),
      kill(number, 0) == 0 || errno == EPERM
    else { return }
    try Files.remove(layout.postgresData + "/postmaster.pid")
    try Files.remove(layout.postgresSocket + ".lock")
  }

  private func configuration(programs: PostgresPrograms, options: SandboxOptions) -> String {
    var lines = [
      "# Written by `ironforge sandbox up` at every start; use ALTER SYSTEM for settings of your own.",
      "listen_addresses = ''",
      "unix_socket_directories = '\(layout.sockets)'",
      "unix_socket_permissions = 0700",
      "port = \(Layout.postgresPort)",
      "max_connections = \(options.maxConnections)",
      "shared_buffers = \(options.sharedBuffersMiB)MB",
      "max_wal_size = 2GB",
      "checkpoint_completion_target = 0.9",
      "wal_compression = on",
      "random_page_cost = 1.1",
      "autovacuum = on",
      "track_io_timing = on",
      "log_line_prefix = '%m [%p] %q%u@%d '",
      "log_lock_waits = on",
      "log_timezone = 'UTC'",
      "timezone = 'UTC'",
      "lc_messages = 'C.UTF-8'",
      "default_text_search_config = 'pg_catalog.english'",
    ]
    if programs.hasStatStatements {
      lines.append("shared_preload_libraries = 'pg_stat_statements'")
      lines.append("pg_stat_statements.max = \(options.trackedStatements)")
    }
    if !options.durable { lines += ["fsync = off", "full_page_writes = off"] }
    return lines.joined(separator: "\n") + "\n"
  }

  private func removeTree(_ path: String, deadline: Deadline) async throws {
    guard Files.exists(path) else { return }
    try await runProgram("/bin/rm", ["-rf", "--", path], as: account, in: "/", deadline: deadline)
  }
}
