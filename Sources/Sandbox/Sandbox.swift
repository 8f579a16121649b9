import Glibc
import Primitives

/// A private PostgreSQL and Redis that belong to one directory, reachable through Unix sockets only.
///
/// Everything lies under `.ironforge/` of the directory (or, where that cannot work, under `/tmp`). Root starts the
/// servers as the user `postgres`, or else `nobody`; anybody else starts them as himself. Several processes may
/// call any function at once: a file lock puts them in order.
///
/// ```swift
/// let sandbox = try Sandbox(directory: ".")
/// let status = try await sandbox.up()
/// print(status.addresses?.databaseURL ?? "")
/// ```
///
/// Every function throws `SandboxFailure`, or `CancellationError` when its task is cancelled.
public struct Sandbox: Sendable {
  /// The directory, absolute and without symbolic links.
  public let directory: String
  var search = ServerSearch.current()

  /// The sandbox of a directory that exists; nothing is started.
  public init(directory: String) throws(SandboxFailure) {
    self.directory = try Files.realPath(directory)
  }

  /// Where the servers of a directory's sandbox answer, or nil when none runs. Made for the start of every
  /// command: it reads small files, starts no process and takes well under a millisecond.
  public static func running(in directory: String) throws(SandboxFailure) -> SandboxAddresses? {
    guard let state = try StateFile.read(in: directory), state.isReady else { return nil }
    let layout = state.layout
    guard PostgresServer.postmaster(of: layout) != nil || SocketProbe.listener(of: layout.redisSocket) != nil
    else { return nil }
    return SandboxAddresses(
      layout: layout, postgres: Files.exists(layout.postgresLog), redis: Files.exists(layout.redisLog))
  }

  /// Starts what does not run yet and returns when it can be used. A second call changes nothing.
  ///
  /// The database is `ironforge`, its owner the role `ironforge`, a superuser here. `pg_stat_statements` and HypoPG
  /// are created in it when the server has them.
  public func up(_ options: SandboxOptions = SandboxOptions()) async throws -> SandboxStatus {
    try check(options)
    let deadline = Deadline.after(options.timeout)
    let lock = try await lockDirectory(deadline: deadline)
    defer { withExtendedLifetime(lock) {} }
    return try await start(options, deadline: deadline)
  }

  /// Stops both servers, keeps the data. Not running is fine.
  public func down(timeout: Duration = .seconds(60)) async throws -> SandboxStatus {
    // Without a state file there is nothing to stop, and no reason to leave a directory behind.
    guard try StateFile.read(in: directory) != nil else { return try status() }
    let deadline = Deadline.after(timeout)
    let lock = try await lockDirectory(deadline: deadline)
    defer { withExtendedLifetime(lock) {} }
    let stopped = try await stop(deadline: deadline)
    var status = try status()
    status.stopped = stopped
    return status
  }

  /// Stops the servers, deletes their data, and starts afresh.
  public func reset(_ options: SandboxOptions = SandboxOptions()) async throws -> SandboxStatus {
    try check(options)
    let deadline = Deadline.after(options.timeout)
    let lock = try await lockDirectory(deadline: deadline)
    defer { withExtendedLifetime(lock) {} }
    try await erase(deadline: deadline)
    return try await start(options, deadline: deadline)
  }

  /// Stops the servers and deletes their data and logs; `.ironforge` itself and its lock file remain.
  public func destroy(timeout: Duration = .seconds(60)) async throws {
    guard try StateFile.read(in: directory) != nil else { return }
    let deadline = Deadline.after(timeout)
    let lock = try await lockDirectory(deadline: deadline)
    defer { withExtendedLifetime(lock) {} }
    try await erase(deadline: deadline)
  }

  /// What runs at this moment; asks the sockets, starts no process.
  public func status() throws(SandboxFailure) -> SandboxStatus {
    guard let state = try StateFile.read(in: directory) else {
      return SandboxStatus(directory: directory, servers: [], addresses: nil)
    }
    let layout = state.layout
    let postgres = SandboxStatus.Server(
      server: .postgres, processID: PostgresServer.postmaster(of: layout), socket: layout.postgresSocket,
      log: layout.postgresLog, data: layout.postgresData)
    let redis = SandboxStatus.Server(
      server: .redis, processID: SocketProbe.listener(of: layout.redisSocket), socket: layout.redisSocket,
      log: layout.redisLog, data: layout.redisDirectory)
    return SandboxStatus(
      directory: directory, servers: [postgres, redis],
      addresses: try Self.running(in: directory))
  }

  /// Where the running servers answer.
  ///
  /// - Throws: `SandboxFailure.notRunning`.
  public func env() throws(SandboxFailure) -> SandboxAddresses {
    guard let addresses = try Self.running(in: directory) else { throw .notRunning(directory: directory) }
    return addresses
  }

  /// The directory of the PostgreSQL programs (`psql`, `pg_ctl`, `pgbench`) that the sandbox uses, or nil before
  /// its first `up`.
  public func programs() throws(SandboxFailure) -> String? {
    try StateFile.read(in: directory)?.programs
  }
}

extension Sandbox {
  private func check(_ options: SandboxOptions) throws {
    // The upper bounds are PostgreSQL's own (guc.c): 2^18 - 1 connections; buffers of 8 KiB in an Int32.
    guard (10...262_143).contains(options.maxConnections) else {
      throw SandboxFailure.invalidOption(name: "max_connections", value: String(options.maxConnections))
    }
    guard (1...8_388_607).contains(options.sharedBuffersMiB) else {
      throw SandboxFailure.invalidOption(name: "shared_buffers", value: "\(options.sharedBuffersMiB)MB")
    }
  }

  private func lockDirectory(deadline: Deadline) async throws -> DirectoryLock {
    let path = directory + "/.ironforge"
    // Only created with a mode; an existing one keeps its owner's choice, and `Layout` copes with it.
    if mkdir(path, 0o755) == 0 {
      // A strict umask must not keep the servers' user out.
      guard chmod(path, 0o755) == 0 else {
        throw SandboxFailure.fileSystem(operation: "set the mode of", path: path, errorNumber: errno)
      }
    } else if errno != EEXIST {
      throw SandboxFailure.fileSystem(operation: "create", path: path, errorNumber: errno)
    }
    return try await DirectoryLock.acquire(in: directory, deadline: deadline)
  }

  private func start(_ options: SandboxOptions, deadline: Deadline) async throws -> SandboxStatus {
    let account = try ServerAccount.current()
    let known = try StateFile.read(in: directory)
    // What the state file says holds as long as its home is there: the data must not be lost sight of because
    // the mode of a parent directory changed.
    let layout =
      known.map(\.layout).flatMap { Files.exists($0.home) ? $0 : nil }
      ?? Layout.choose(for: directory, account: account)
    var started: [SandboxServer] = []
    try layout.create(account: account)
    if options.servers.contains(.postgres) {
      let ready = known?.isReady == true
      if try await startPostgres(
        layout: layout, account: account, wasReady: ready, options: options, deadline: deadline)
      {
        started.append(.postgres)
      }
    } else if known == nil {
      try StateFile(layout: layout, programs: "", isReady: true).write(in: directory)
    }
    if options.servers.contains(.redis),
      !SocketProbe.redisAnswers(at: layout.redisSocket, deadline: .after(.seconds(2)))
    {
      let server = RedisServer(layout: layout, account: account)
      // One that listens and does not answer is stopped or stuck; a second beside it would be worse.
      _ = try await server.stop(deadline: deadline)
      try await server.start(program: try search.redis(), deadline: deadline)
      started.append(.redis)
    }
    var status = try status()
    status.started = started
    return status
  }

  /// Returns whether the server had to be started.
  private func startPostgres(
    layout: Layout, account: ServerAccount, wasReady: Bool, options: SandboxOptions, deadline: Deadline
  ) async throws -> Bool {
    let server = PostgresServer(layout: layout, account: account)
    let runs = PostgresServer.postmaster(of: layout) != nil
    if runs, wasReady { return false }
    let programs = try search.postgres(forData: try PostgresServer.dataVersion(in: layout))
    // Written before anything runs, so that `down` finds the servers of an `up` that was killed half-way.
    var state = StateFile(layout: layout, programs: programs.directory, isReady: false)
    try state.write(in: directory)
    if !runs {
      try await server.initialize(programs: programs, durable: options.durable, deadline: deadline)
      try await server.start(programs: programs, options: options, deadline: deadline)
    }
    try await server.prepareDatabase(programs: programs, deadline: deadline)
    state.isReady = true
    try state.write(in: directory)
    return !runs
  }

  private func stop(deadline: Deadline) async throws -> [SandboxServer] {
    guard let state = try StateFile.read(in: directory) else { return [] }
    let account = try ServerAccount.current()
    var stopped: [SandboxServer] = []
    if try await PostgresServer(layout: state.layout, account: account).stop(deadline: deadline) {
      stopped.append(.postgres)
    }
    if try await RedisServer(layout: state.layout, account: account).stop(deadline: deadline) {
      stopped.append(.redis)
    }
    return stopped
  }

  private func erase(deadline: Deadline) async throws {
    let state: StateFile?
    do {
      state = try StateFile.read(in: directory)
    } catch SandboxFailure.malformedState {
      // `reset` is the way out of a state file that nobody understands; the data is where it would be put now.
      state = StateFile(
        layout: Layout.choose(for: directory, account: try .current()), programs: "", isReady: false)
      try state?.write(in: directory)
    }
    guard let state else { return }
    _ = try await stop(deadline: deadline)
    let account = try ServerAccount.current()
    for path in Set([state.layout.home, state.layout.sockets]) where Files.exists(path) {
      // Only a directory that `up` made is deleted, whatever the state file says.
      try Files.makeDirectory(path, mode: 0o700, owner: account)
      let caller = ServerAccount(userID: geteuid(), groupID: getegid(), isOther: false)
      try await runProgram("/bin/rm", ["-rf", "--", path], as: caller, in: "/", deadline: deadline)
    }
    try Files.remove(StateFile.path(in: directory))
  }
}
