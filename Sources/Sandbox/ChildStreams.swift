import CSpawn
import Primitives

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The three pipes of a child, and the loop that serves them.
struct ChildStreams: Sendable {
  /// Our ends: where the child's input goes, and where its output comes from.
  private let toChild: Int32
  private let fromChild: [Int32]
  private let childEnds: [Int32]
  private let input: [UInt8]
  private let outputLimit: Int

  init(_ command: ChildProcess.Command) throws {
    var ends: [Int32] = []
    for _ in 0..<3 {
      var pair: [Int32] = [0, 0]
      guard pipe(&pair) == 0 else {
        let code = errno
        for descriptor in ends { _ = Glibc.close(descriptor) }
        throw cannotStart("a program", code)
      }
      ends += pair
    }
    // A child started by somebody else's code must not hold them open.
    for descriptor in ends { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    toChild = ends[1]
    fromChild = [ends[2], ends[4]]
    childEnds = [ends[0], ends[3], ends[5]]
    input = command.input
    outputLimit = command.outputLimit
    for descriptor in [toChild] + fromChild { _ = fcntl(descriptor, F_SETFL, O_NONBLOCK) }
  }

  /// Starts the program and closes its ends of the pipes here.
  func spawn(_ command: ChildProcess.Command) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (stream, descriptor) in childEnds.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(stream))
    }
    // Whatever another thread has opened meanwhile stays here.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    if let directory = command.directory { posix_spawn_file_actions_addchdir_np(&actions, directory) }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var all = sigset_t()
    var none = sigset_t()
    sigfillset(&all)
    sigemptyset(&none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

    var processID = pid_t()
    let arguments = ([command.path] + command.arguments).map { strdup($0) }
    let environment = command.environment.map { strdup($0) }
    defer { for text in arguments + environment { free(text) } }
    let status = posix_spawn(
      &processID, command.path, &actions, &attributes, arguments + [nil], environment + [nil])
    for descriptor in childEnds { close(descriptor) }
    guard status == 0 else {
      for descriptor in [toChild] + fromChild { close(descriptor) }
      throw cannotStart(command.path, status)
    }
    return processID
  }

  /// Feeds the child, keeps its output, and reaps it. Ends when the child has ended, even where a process that
  /// it left behind holds its output open.
  ///
  /// - Parameter beforeReaping: called while the child's number is still its own.
  func supervise(_ processID: pid_t, _ deadline: Deadline, beforeReaping: () -> Void) -> ChildProcess.Outcome
  {
    var writing = input.isEmpty ? -1 : toChild
    if input.isEmpty { close(toChild) }
    var written = 0
    var open = fromChild
    var kept: [[UInt8]] = [[], []]
    var isTruncated = false
    var isTimedOut = false
    while true {
      var polled = ([writing] + open).map { descriptor in
        pollfd(fd: descriptor, events: Int16(descriptor == writing ? POLLOUT : POLLIN), revents: 0)
      }
      // A child can end without closing its output; hence the short waits.
      _ = poll(&polled, 3, min(20, deadline.hasPassed ? 20 : max(1, deadline.pollMilliseconds & 0x7FFF_FFFF)))
      if deadline.hasPassed, !isTimedOut {
        isTimedOut = true
        kill(processID, SIGKILL)
      }
      if writing >= 0, polled[0].revents != 0 { feed(&writing, &written) }
      for index in 0..<2 where open[index] >= 0 {
        if drain(open[index], &kept[index], &isTruncated) { close(&open[index]) }
      }
      if let exitCode = reap(processID, beforeReaping) {
        for index in 0..<2 where open[index] >= 0 {
          _ = drain(open[index], &kept[index], &isTruncated)
          close(&open[index])
        }
        if writing >= 0 { close(&writing) }
        return ChildProcess.Outcome(
          exitCode: exitCode, stdout: kept[0], stderr: kept[1], isTruncated: isTruncated,
          isTimedOut: isTimedOut)
      }
    }
  }

  private func close(_ descriptor: inout Int32) {
    _ = Glibc.close(descriptor)
    descriptor = -1
  }

  private func close(_ descriptor: Int32) {
    _ = Glibc.close(descriptor)
  }

  /// Writes what the pipe takes; closes it when all is written or the child reads no further.
  private func feed(_ descriptor: inout Int32, _ written: inout Int) {
    let count = input.withUnsafeBytes { raw in
      // A broken pipe is an answer here, not a signal.
      withSignalBlocked(SIGPIPE) {
        write(descriptor, raw.baseAddress?.advanced(by: written), raw.count - written)
      }
    }
    if count > 0 { written += count }
    if written == input.count || (count < 0 && errno != EAGAIN && errno != EINTR) { close(&descriptor) }
  }

  /// Reads all that is there; true at the end of the stream.
  private func drain(_ descriptor: Int32, _ kept: inout [UInt8], _ isTruncated: inout Bool) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count == 0 { return true }
      if count < 0 {
        if errno == EINTR { continue }
        return errno != EAGAIN
      }
      let room = max(0, outputLimit - kept.count)
      if count > room { isTruncated = true }
      kept += buffer[..<min(count, room)]
    }
  }

  /// The exit code as a shell reports it; nil while the child runs.
  private func reap(_ processID: pid_t, _ beforeReaping: () -> Void) -> Int32? {
    var information = siginfo_t()
    guard waitid(P_PID, id_t(processID), &information, WEXITED | WNOHANG | WNOWAIT) == 0,
      information.si_signo == SIGCHLD
    else { return nil }
    beforeReaping()
    var status: Int32 = 0
    while waitpid(processID, &status, 0) < 0, errno == EINTR {}
    // WIFEXITED and its kin are macros: the low seven bits are the signal, the next byte is the exit code.
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }
}

/// Runs `body` while this thread does not get `signal`, and takes back one that came.
private func withSignalBlocked<R>(_ signal: Int32, _ body: () -> R) -> R {
  var set = sigset_t()
  var before = sigset_t()
  sigemptyset(&set)
  sigaddset(&set, signal)
  pthread_sigmask(SIG_BLOCK, &set, &before)
  let result = body()
  let code = errno
  var immediately = timespec()
  _ = sigtimedwait(&set, nil, &immediately)
  pthread_sigmask(SIG_SETMASK, &before, nil)
  errno = code
  return result
}
