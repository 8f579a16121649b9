import Glibc

/// The C library's sentence for an error number.
func errorText(_ number: Int32) -> String {
  var buffer = [CChar](repeating: 0, count: 256)
  guard strerror_r(number, &buffer, buffer.count) == 0 else { return "error \(number)" }
  return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// Small files of the sandbox: state, configuration, process ids. None is larger than `sizeLimit`.
enum Files {
  static let sizeLimit = 64 * 1024

  /// The whole file as text, or nil when there is none.
  static func read(_ path: String) throws(SandboxFailure) -> String? {
    try read(path, fromEnd: false)
  }

  /// The last `sizeLimit` bytes of a log; empty when there is none.
  static func readEnd(_ path: String) throws(SandboxFailure) -> String {
    try read(path, fromEnd: true) ?? ""
  }

  private static func read(_ path: String, fromEnd: Bool) throws(SandboxFailure) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw .fileSystem(operation: "read", path: path, errorNumber: errno)
    }
    defer { close(descriptor) }
    // Fails on a file shorter than that, which is then read from its beginning.
    if fromEnd { lseek(descriptor, -off_t(sizeLimit), SEEK_END) }
    var bytes = [UInt8](repeating: 0, count: sizeLimit)
    var filled = 0
    while filled < sizeLimit {
      let count = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress?.advanced(by: filled), sizeLimit - filled)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .fileSystem(operation: "read", path: path, errorNumber: errno)
      }
      if count == 0 { break }
      filled += count
    }
    return String(decoding: bytes[..<filled], as: UTF8.self)
  }

  /// Puts `text` in place of the file, atomically, readable by all and owned by the caller.
  static func replace(_ path: String, with text: String) throws(SandboxFailure) {
    let temporary = "\(path).\(getpid())"
    unlink(temporary)
    // O_EXCL and O_NOFOLLOW: root writes into directories of the unprivileged user, who must not be able to
    // point the write elsewhere by a link.
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw .fileSystem(operation: "write", path: temporary, errorNumber: errno)
    }
    var failed: Int32 = 0
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count, failed == 0 {
      let count = bytes[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count >= 0 {
        written += count
      } else if errno != EINTR {
        failed = errno
      }
    }
    // The umask of the caller must not hide the configuration from the server's user.
    if failed == 0, fchmod(descriptor, 0o644) != 0 { failed = errno }
    if close(descriptor) != 0, failed == 0 { failed = errno }
    if failed == 0, rename(temporary, path) != 0 { failed = errno }
    guard failed == 0 else {
      unlink(temporary)
      throw .fileSystem(operation: "write", path: path, errorNumber: failed)
    }
  }

  /// Removes a file that may be missing.
  static func remove(_ path: String) throws(SandboxFailure) {
    guard unlink(path) == 0 || errno == ENOENT else {
      throw .fileSystem(operation: "remove", path: path, errorNumber: errno)
    }
  }

  /// Makes a directory, or finds it there; a symbolic link or another user's directory is refused.
  static func makeDirectory(
    _ path: String, mode: mode_t, owner: ServerAccount
  ) throws(SandboxFailure) {
    if mkdir(path, mode) == 0 {
      guard chmod(path, mode) == 0 else {
        throw .fileSystem(operation: "set the mode of", path: path, errorNumber: errno)
      }
      guard !owner.isOther || lchown(path, owner.userID, owner.groupID) == 0 else {
        throw .fileSystem(operation: "give away", path: path, errorNumber: errno)
      }
      return
    }
    guard errno == EEXIST else {
      throw .fileSystem(operation: "create", path: path, errorNumber: errno)
    }
    var status = stat()
    guard lstat(path, &status) == 0 else {
      throw .fileSystem(operation: "look at", path: path, errorNumber: errno)
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw .foreignDirectory(path: path) }
    if status.st_uid == owner.userID { return }
    // A crash between mkdir and lchown leaves the directory ours; finish the job.
    guard owner.isOther, status.st_uid == geteuid() else { throw .foreignDirectory(path: path) }
    guard chmod(path, mode) == 0, lchown(path, owner.userID, owner.groupID) == 0 else {
      throw .fileSystem(operation: "give away", path: path, errorNumber: errno)
    }
  }

  static func exists(_ path: String) -> Bool {
    access(path, F_OK) == 0
  }

  static func isExecutable(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
  }

  /// Absolute, without symbolic links; fails when the directory does not exist.
  static func realPath(_ path: String) throws(SandboxFailure) -> String {
    guard let resolved = realpath(path, nil) else {
      throw .fileSystem(operation: "find", path: path, errorNumber: errno)
    }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
