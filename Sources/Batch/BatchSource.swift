internal import Primitives

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The bytes of a batch file, read several times and the same each time.
///
/// The first reading computes the SHA-256. What cannot be read twice (standard input from a pipe) is written to a
/// temporary file without a name meanwhile. A file is kept open, and every later reading compares each block with the
/// first one before a byte of it is handed over: a file that is edited while it is read is an error, and no row of
/// the edited text is ever sent.
public final class BatchSource {
  /// As the user named it, for messages.
  public let name: String
  /// Absolute, without symbolic links; nil where it has no path, such as standard input.
  let path: String?
  /// Known after the first reading.
  private(set) var digest: SHA256.Digest?

  private let descriptor: Int32
  private let isOwned: Bool
  /// Where the text begins: standard input may have been read from by somebody before.
  private let base: Int64?
  private var spool: SpoolFile?
  private let shouldStop: () -> Bool

  private var hash = SHA256()
  /// A hash of each block, from the first reading; eight bytes for every 128 KB.
  private var blocks: [Int] = []
  private var block = [UInt8](repeating: 0, count: blockSize)
  private var blockNumber = 0
  private var unread = 0..<0
  private var isAtEnd = false

  private static let blockSize = 128 * 1024

  /// Opens a file; `-` is standard input.
  ///
  /// - Parameter shouldStop: asked while a pipe keeps us waiting; true ends the reading.
  /// - Throws: `input_unreadable`.
  public init(_ argument: String, shouldStop: @escaping () -> Bool = { false }) throws {
    self.shouldStop = shouldStop
    let isStandardInput = argument == "-"
    name = isStandardInput ? "standard input" : argument
    isOwned = !isStandardInput
    descriptor = isStandardInput ? STDIN_FILENO : open(argument, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      base = nil
      path = nil
      throw Self.unreadable(name, errno)
    }
    var status = stat()
    let isRegular = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    base = isRegular ? max(0, Int64(lseek(descriptor, 0, SEEK_CUR))) : nil
    if isRegular, !isStandardInput, let resolved = realpath(argument, nil) {
      path = String(cString: resolved)
      free(resolved)
    } else {
      path = nil
    }
    if status.st_mode & S_IFMT == S_IFDIR { throw Self.unreadable(name, EISDIR) }
    if !isRegular { spool = try SpoolFile() }
  }

  deinit { if isOwned, descriptor >= 0 { close(descriptor) } }

  /// How the file is written, by its first byte that is not blank; for an empty one by its name.
  ///
  /// - Throws: `InputError` for a JSON array.
  func format() throws -> BatchFormat {
    if unread.isEmpty, !isAtEnd { try readBlock() }
    var text = block[unread]
    if text.starts(with: [0xEF, 0xBB, 0xBF]) { text = text.dropFirst(3) }
    let first = text.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
    switch first {
    case UInt8(ascii: "{"): return .ndjson
    case UInt8(ascii: "["):
      throw InputError(
        file: name, line: 1, "a JSON array cannot be read as a stream",
        hint: "write one object a line, without brackets and commas around: jq -c '.[]'")
    default: return name.hasSuffix(".ndjson") || name.hasSuffix(".jsonl") ? .ndjson : .csv
    }
  }

  /// Fills the front of `buffer`; 0 at the end.
  ///
  /// - Throws: `input_unreadable`, `input_changed`, `output_failed` for the temporary file, `input_stopped`.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    if unread.isEmpty, !isAtEnd { try readBlock() }
    let count = min(unread.count, buffer.count)
    buffer.copyBytes(from: block[unread.prefix(count)])
    unread = unread.lowerBound + count..<unread.upperBound
    return count
  }

  /// Goes back to the beginning, after a whole reading.
  func rewind() {
    blockNumber = 0
    unread = 0..<0
    isAtEnd = false
  }

  private func readBlock() throws {
    let isFirstReading = digest == nil
    let count = try fill(isFirstReading: isFirstReading)
    let text = block[..<count]
    if isFirstReading {
      hash.update(text)
      try spool?.append(text)
      blocks.append(Self.hash(text))
      if count < Self.blockSize { digest = hash.finalize() }
    } else if blockNumber >= blocks.count || blocks[blockNumber] != Self.hash(text) {
      throw changed()
    }
    blockNumber += 1
    unread = 0..<count
    isAtEnd = count < Self.blockSize
  }

  /// Reads a whole block; less at the end only.
  private func fill(isFirstReading: Bool) throws -> Int {
    var filled = 0
    while filled < Self.blockSize {
      let offset = Int64(blockNumber) * Int64(Self.blockSize) + Int64(filled)
      let count = try block.withUnsafeMutableBytes { bytes in
        let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[filled...])
        if let base { return pread(descriptor, rest.baseAddress, rest.count, off_t(base + offset)) }
        if let spool, !isFirstReading {
          return pread(spool.descriptor, rest.baseAddress, rest.count, off_t(offset))
        }
        try waitForInput()
        return systemRead(descriptor, rest)
      }
      if count == 0 { break }
      if count > 0 {
        filled += count
      } else if errno != EINTR, errno != EAGAIN {
        throw Self.unreadable(name, errno)
      }
    }
    return filled
  }

  /// Whoever writes into the pipe may take as long as he wants; we stay ready to stop.
  private func waitForInput() throws {
    while true {
      if shouldStop() {
        throw SimpleFailure(
          .unexpected, code: "input_stopped", message: "stopped while reading \(name); nothing was sent")
      }
      var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let count = systemPoll(&poll, 100)
      if count > 0 { return }
      guard count == 0 || errno == EINTR else { throw Self.unreadable(name, errno) }
    }
  }

  private func changed() -> SimpleFailure {
    SimpleFailure(
      .malformedInput, code: "input_changed",
      message: "\(name) was changed while it was read; no changed row was sent",
      hint:
        "put the file back as it was and run the same command again: rows that are done are not done twice")
  }

  private static func hash(_ bytes: ArraySlice<UInt8>) -> Int {
    var hasher = Hasher()
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    hasher.combine(bytes.count)
    return hasher.finalize()
  }

  private static func unreadable(_ name: String, _ code: Int32) -> SimpleFailure {
    SimpleFailure(
      .malformedInput, code: "input_unreadable",
      message: "cannot read \(name): \(String(cString: strerror(code)))")
  }
}

/// A temporary file that has no name, so that it goes with the process.
private final class SpoolFile {
  let descriptor: Int32
  private let directory: String

  init() throws(SimpleFailure) {
    directory = getenv("TMPDIR").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    var template = Array("\(directory)/ironforge-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw Self.failure(directory, errno) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    unlink(template)
  }

  deinit { close(descriptor) }

  func append(_ bytes: ArraySlice<UInt8>) throws(SimpleFailure) {
    var rest = bytes
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { systemWrite(descriptor, $0) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR {
        throw Self.failure(directory, errno)
      }
    }
  }

  private static func failure(_ directory: String, _ code: Int32) -> SimpleFailure {
    SimpleFailure(
      .unexpected, code: "output_failed",
      message: "cannot write a temporary file in \(directory): \(String(cString: strerror(code)))",
      hint:
        "standard input is read twice and kept there meanwhile; set TMPDIR to a directory with more space, or "
        + "name a file")
  }
}

// Inside types with methods of these names, the functions of libc need their module's name.
private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
  read(descriptor, buffer.baseAddress, buffer.count)
}
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
  write(descriptor, bytes.baseAddress, bytes.count)
}
private func systemPoll(_ descriptor: inout pollfd, _ milliseconds: Int32) -> Int32 {
  poll(&descriptor, 1, milliseconds)
}
