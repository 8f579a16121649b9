import Glibc
import Primitives

/// The lock under which a sandbox is started, stopped and deleted: flock(2) on a file, so that the kernel frees it
/// when its holder dies.
struct DirectoryLock: ~Copyable {
  private let descriptor: Int32

  /// Waits for the lock until `deadline`, then throws `busy`.
  static func acquire(in directory: String, deadline: Deadline) async throws -> DirectoryLock {
    let path = directory + "/.ironforge/sandbox.lock"
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw SandboxFailure.fileSystem(operation: "open", path: path, errorNumber: errno)
    }
    let lock = DirectoryLock(descriptor: descriptor)
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else {
        throw SandboxFailure.fileSystem(operation: "lock", path: path, errorNumber: errno)
      }
      guard !deadline.hasPassed else { throw SandboxFailure.busy(directory: directory) }
      try await Task.sleep(for: .milliseconds(20))
    }
    return lock
  }

  deinit {
    close(descriptor)
  }
}
