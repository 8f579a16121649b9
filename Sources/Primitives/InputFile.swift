#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file, or standard input, that is read from its beginning to its end.
public final class InputFile {
  /// As the user named it.
  public let name: String
  private let descriptor: Int32
  private let isOwned: Bool

  /// Opens a file for reading; `-` is standard input.
  ///
  /// - Throws: `input_unreadable`, of kind `malformedInput`.
  public init(_ path: String) throws(SimpleFailure) {
    if path == "-" {
      name = "standard input"
      descriptor = STDIN_FILENO
      isOwned = false
      return
    }
    name = path
    isOwned = true
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.unreadable(path, errno) }
  }

  deinit { if isOwned { close(descriptor) } }

  /// Whether something has this path.
  public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Fills the front of `buffer`, which is not empty.
  ///
  /// - Returns: how many bytes were read; 0 at the end.
  /// - Throws: `input_unreadable`.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SimpleFailure) -> Int {
    while true {
      #if canImport(Glibc)
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      #else
        let count = Musl.read(descriptor, buffer.baseAddress, buffer.count)
      #endif
      if count >= 0 { return count }
      guard errno == EINTR else { throw Self.unreadable(name, errno) }
    }
  }

  private static func unreadable(_ name: String, _ code: Int32) -> SimpleFailure {
    SimpleFailure(
      .malformedInput, code: "input_unreadable",
      message: "\(name) cannot be read: \(String(cString: strerror(code)))")
  }
}
