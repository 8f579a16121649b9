import Glibc
import Synchronization

/// Cleans up after this process, however it ends: a child holds the reading end of a pipe whose writing end only
/// this process has. When the kernel closes that end, the child kills every process that works in the tests'
/// directory (the servers and left-over commands) and deletes the directory.
final class Watchdog: Sendable {
  static let shared = Watchdog()

  private let state = Mutex<String?>(nil)

  /// The directory under which this process keeps everything; made, and watched, at the first call.
  func root() throws -> String {
    try state.withLock { root in
      if let root { return root }
      let made = try TemporaryDirectory.make(prefix: "/tmp/ironforge-tests-\(getpid())-")
      try Self.watch(made)
      root = made
      return made
    }
  }

  // The pid files find the servers where /proc/PID/cwd of another user cannot be read; SIGQUIT lets the
  // postmaster take its children and its shared memory with it.
  private static let script = """
    trap '' HUP INT TERM QUIT
    cat >/dev/null
    signal() {
      for file in $(find "$ROOT" -name postmaster.pid -o -name redis.pid); do
        kill -CONT "$(head -n 1 "$file")"; kill "$1" "$(head -n 1 "$file")"
      done
      for process in /proc/[0-9]*; do
        case "$(readlink "$process/cwd")" in
        "$ROOT"/*) kill -CONT "${process#/proc/}"; kill "$1" "${process#/proc/}" ;;
        esac
      done
    }
    signal -QUIT; sleep 0.5; signal -KILL; sleep 0.2
    rm -rf -- "$ROOT"
    """

  private static func watch(_ root: String) throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw TestFailure("pipe: errno \(errno)") }
    // The writing end must not reach any child, or the watchdog would outwait it.
    guard fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0, fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0 else {
      throw TestFailure("fcntl: errno \(errno)")
    }
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
      close(ends[0])
    }
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
    // The runner reads our output to its end; a watchdog that held it open would hang the run.
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    // A process group of its own: Ctrl-C in the terminal must not reach it.
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    posix_spawnattr_setpgroup(&attributes, 0)
    var arguments: [UnsafeMutablePointer<CChar>?] =
      ["sh", "-c", script].map { (text: String) in strdup(text) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] =
      ["ROOT=\(root)", "PATH=/usr/local/bin:/usr/bin:/bin"].map { (text: String) in strdup(text) } + [nil]
    defer { (arguments + environment).forEach { free($0) } }
    var process: pid_t = 0
    let result = posix_spawn(&process, "/bin/sh", &actions, &attributes, &arguments, &environment)
    guard result == 0 else { throw TestFailure("Cannot start the watchdog: error \(result).") }
  }
}
