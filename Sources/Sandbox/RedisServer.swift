import Glibc
import Primitives

/// The Redis of a sandbox. It is a cache: nothing of it is written to disk.
struct RedisServer: Sendable {
  let layout: Layout
  let account: ServerAccount

  /// Starts the server and returns when it answers.
  func start(program: String, deadline: Deadline) async throws {
    let path = layout.redisDirectory + "/redis.conf"
    try Files.replace(path, with: configuration)
    try await runProgram(program, [path], as: account, in: layout.redisDirectory, deadline: deadline)
    while !SocketProbe.redisAnswers(at: layout.redisSocket, deadline: deadline) {
      guard !deadline.hasPassed else {
        throw SandboxFailure.timedOut(waitingFor: "Redis to answer", log: layout.redisLog)
      }
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  /// Stops the server; returns whether it ran.
  func stop(deadline: Deadline) async throws -> Bool {
    guard let number = SocketProbe.listener(of: layout.redisSocket) else { return false }
    // It has nothing to save, so one that takes longer is stuck.
    let patience = Deadline.after(min(deadline.remaining / 2, .seconds(2)))
    for (signal, limit) in [(SIGTERM, patience), (SIGKILL, deadline)] {
      try ProcessSignal.send(signal, to: number)
      while !limit.hasPassed {
        if SocketProbe.listener(of: layout.redisSocket) == nil { return true }
        try await Task.sleep(for: .milliseconds(10))
      }
    }
    throw SandboxFailure.timedOut(waitingFor: "Redis to stop", log: layout.redisLog)
  }

  private var configuration: String {
    """
    # Written by `ironforge sandbox up` at every start.
    port 0
    unixsocket "\(layout.redisSocket)"
    unixsocketperm 700
    daemonize yes
    dir "\(layout.redisDirectory)"
    logfile "\(layout.redisLog)"
    pidfile "\(layout.redisDirectory)/redis.pid"
    save ""
    appendonly no

    """
  }
}
