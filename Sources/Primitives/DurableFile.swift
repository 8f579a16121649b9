#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// An output file that appears whole or not at all, and is on disk when it does.
///
/// ```swift
/// let file = try DurableFile("outcome.csv")
/// try file.write { $0 += "line,key\r\n".utf8 }
/// try file.commit()
/// ```
///
/// The bytes go into a file without a name in the same directory (`O_TMPFILE`), so that even `kill -9` leaves nothing
/// behind; on file systems that have no such files into a hidden one with a temporary name. `commit` flushes it,
/// gives it its name, replacing what had it, and flushes the directory. A file that is let go of without `commit`
/// leaves the path as it was.
///
/// A symbolic link is followed, and the mode of a file that is replaced is kept. What is no regular file (a pipe, a
/// terminal, `/dev/null`) is written to as it is.
public final class DurableFile {
  /// As the user named it.
  public let path: String
  /// The file that is replaced, with symbolic links resolved.
  private let target: Target
  private var descriptor: Int32
  private var place: Place
  private var buffer: [UInt8] = []
  /// Why it can no longer become whole.
  private var failed: SimpleFailure?

  private static let bufferSize = 64 * 1024

  /// Where the bytes are until `commit`.
  private enum Place {
    /// Nowhere by name.
    case unnamed
    /// Under a temporary name, full path.
    case temporary(String)
    /// In the device or pipe itself.
    case direct
    /// Committed, or given up.
    case ended
  }

  /// A path taken apart.
  private struct Target {
    let directory: String
    let name: String
    var path: String { directory == "/" ? "/" + name : directory + "/" + name }
  }

  /// Opens the file. The path stays as it is until `commit`; what would refuse it then, refuses it now where that can
  /// be known: a directory that is not there or not writable, a file that is not writable.
  ///
  /// - Throws: `output_failed`.
  public convenience init(_ path: String) throws(SimpleFailure) {
    try self.init(path, takesUnnamed: true)
  }

  /// - Parameter takesUnnamed: false as on a file system without files that have no name.
  init(_ path: String, takesUnnamed: Bool) throws(SimpleFailure) {
    self.path = path
    let resolved = try Self.resolve(path)
    target = resolved
    var status = stat()
    let exists = stat(resolved.path, &status) == 0
    if exists, status.st_mode & S_IFMT != S_IFREG {
      descriptor = open(resolved.path, O_WRONLY | O_CLOEXEC | O_NOCTTY)
      place = .direct
      guard descriptor >= 0 else { throw Self.failure(path, errno) }
      return
    }
    if exists, access(resolved.path, W_OK) != 0 { throw Self.failure(path, errno) }
    if takesUnnamed, let unnamed = Self.openUnnamed(resolved) {
      (descriptor, place) = unnamed
    } else {
      (descriptor, place) = try Self.openTemporary(resolved, path)
    }
    // What is replaced may be secret; what is new gets what the umask leaves.
    guard !exists || fchmod(descriptor, status.st_mode & 0o7777) == 0 else {
      let code = errno
      discard()
      throw Self.failure(path, code)
    }
  }

  deinit { discard() }

  /// Whether nobody has seen what was written so far; false for a pipe, a terminal or a device.
  public var canBeDiscarded: Bool {
    if case .direct = place { return false }
    return true
  }

  /// Lets `body` append bytes, and writes when enough have come together.
  ///
  /// - Throws: `output_failed`, as when the disk is full; and what `body` throws.
  public func write(_ body: (inout [UInt8]) throws -> Void) throws {
    try body(&buffer)
    if buffer.count >= Self.bufferSize { try flush() }
  }

  /// Makes the file what its path names, on disk.
  ///
  /// - Throws: `output_failed`; the path is then as it was, unless only the flush of its directory failed.
  public func commit() throws(SimpleFailure) {
    try flush()
    switch place {
    case .ended: return
    case .direct: break
    case .unnamed, .temporary:
      try check(fsync(descriptor))
      try name()
      try flushDirectory()
    }
    place = .ended
    let isClosed = close(descriptor) == 0
    descriptor = -1
    if !isClosed, errno != EINTR { throw Self.failure(path, errno) }
  }

  /// Gives the file up; the path stays as it was. Harmless when repeated, and after `commit`.
  public func discard() {
    if case .temporary(let temporary) = place { unlink(temporary) }
    place = .ended
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    buffer = []
  }

  private func flush() throws(SimpleFailure) {
    if let failed { throw failed }
    var written = 0
    while written < buffer.count {
      let count = buffer.withUnsafeBytes { bytes in
        let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
        #if canImport(Glibc)
          return Glibc.write(descriptor, rest.baseAddress, rest.count)
        #else
          return Musl.write(descriptor, rest.baseAddress, rest.count)
        #endif
      }
      if count >= 0 {
        written += count
      } else if errno != EINTR {
        let failure = Self.failure(path, errno)
        failed = failure
        throw failure
      }
    }
    buffer.removeAll(keepingCapacity: true)
  }

  /// Puts the file under its name. A link cannot replace a file, so one that is there costs a temporary name for the
  /// moment between link and rename.
  private func name() throws(SimpleFailure) {
    if case .unnamed = place {
      if link(to: target.path) { return }
      guard errno == EEXIST else { throw Self.failure(path, errno) }
      let temporary = try Self.temporaryName(target, path) { link(to: $0) }
      place = .temporary(temporary)
    }
    if case .temporary(let temporary) = place { try check(rename(temporary, target.path)) }
    place = .ended
  }

  private func link(to name: String) -> Bool {
    linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0
  }

  private func flushDirectory() throws(SimpleFailure) {
    let directory = open(target.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else {
      // A directory may be writable and not readable; then there is nothing to flush it by.
      if errno == EACCES { return }
      throw Self.failure(path, errno)
    }
    defer { close(directory) }
    // EINVAL: the file system has no such thing to do.
    guard fsync(directory) == 0 || errno == EINVAL else { throw Self.failure(path, errno) }
  }

  private func check(_ result: Int32) throws(SimpleFailure) {
    if result != 0 { throw Self.failure(path, errno) }
  }

  private static func openUnnamed(_ target: Target) -> (Int32, Place)? {
    // Without /proc it could never be given a name.
    guard access("/proc/self/fd", X_OK) == 0 else { return nil }
    // O_TMPFILE of <bits/fcntl-linux.h>, which is not imported.
    let flags = 0o20000000 | O_DIRECTORY | O_RDWR | O_CLOEXEC
    let descriptor = open(target.directory, flags, 0o666)
    return descriptor >= 0 ? (descriptor, .unnamed) : nil
  }

  private static func openTemporary(_ target: Target, _ path: String) throws(SimpleFailure) -> (Int32, Place)
  {
    var descriptor: Int32 = -1
    let name = try temporaryName(target, path) {
      descriptor = open($0, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      return descriptor >= 0
    }
    return (descriptor, .temporary(name))
  }

  /// Tries hidden names beside the target until `take` could have one.
  private static func temporaryName(
    _ target: Target, _ path: String, _ take: (String) -> Bool
  ) throws(SimpleFailure) -> String {
    for _ in 0..<100 {
      // Short enough beside any name: 255 bytes is the most that file systems take.
      let name = "\(target.directory)/.ironforge-\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp"
      if take(name) { return name }
      if errno != EEXIST { throw failure(path, errno) }
    }
    throw failure(path, EEXIST)
  }

  /// The path with its links followed; its last part need not exist.
  private static func resolve(_ path: String) throws(SimpleFailure) -> Target {
    var path = path
    let original = path
    // As many links as the kernel follows (MAXSYMLINKS).
    for _ in 0..<40 {
      let parts = split(path)
      guard !parts.name.isEmpty, parts.name != ".", parts.name != ".." else {
        throw failure(original, EISDIR)
      }
      guard let directory = realpath(parts.directory, nil) else { throw failure(original, errno) }
      let target = Target(directory: String(cString: directory), name: parts.name)
      free(directory)
      var status = stat()
      guard lstat(target.path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return target }
      // What a link in /proc names may have no path: it can only be opened.
      if stat(target.path, &status) == 0, status.st_mode & S_IFMT != S_IFREG { return target }
      guard let next = linkText(target.path) else { throw failure(original, errno) }
      path = next.hasPrefix("/") ? next : "\(target.directory)/\(next)"
    }
    throw failure(original, ELOOP)
  }

  private static func split(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return (".", path) }
    let directory = String(path[..<slash])
    return (directory.isEmpty ? "/" : directory, String(path[path.utf8.index(after: slash)...]))
  }

  private static func linkText(_ path: String) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      guard let start = buffer.baseAddress else { return nil }
      let count = readlink(path, start, buffer.count)
      guard count >= 0 else { return nil }
      return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  private static func failure(_ path: String, _ code: Int32) -> SimpleFailure {
    let hint =
      switch code {
      case ENOSPC, EDQUOT: "free space there or name a file elsewhere, then run the same command again"
      case ENOENT, ENOTDIR: "create the directory first"
      case EISDIR: "name a file"
      default: "name a file that can be written"
      }
    return SimpleFailure(
      .unexpected, code: "output_failed", message: "cannot write \(path): \(String(cString: strerror(code)))",
      hint: hint)
  }
}
