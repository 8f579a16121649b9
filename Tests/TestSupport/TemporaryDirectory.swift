import FoundationEssentials
import Glibc

/// What a test could not prepare or carry out.
public struct TestFailure: Error, CustomStringConvertible {
  /// The sentence that the test report shows.
  public let description: String

  /// A failure with its sentence.
  public init(_ description: String) {
    self.description = description
  }
}

/// A directory of its own, deleted with everything in it when the last reference goes.
///
/// All of them lie under one directory a process, which `Watchdog` deletes when the process dies in any way.
public final class TemporaryDirectory: Sendable {
  /// Absolute and short enough for the sockets of a sandbox; readable by every user, since the servers run as
  /// another one.
  public let path: String

  /// Makes the directory; `name` is a part of its path, for the reader of a log.
  public init(_ name: String = "t") throws {
    let root = try Watchdog.shared.root()
    path = try Self.make(prefix: "\(root)/\(name)-")
  }

  /// The path of a file in the directory.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file into the directory and returns its path.
  @discardableResult
  public func write(_ text: String, to name: String) throws -> String {
    let path = file(name)
    try Data(text.utf8).write(to: URL(filePath: path))
    return path
  }

  deinit {
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      // A server that is being stopped may still write; the watchdog deletes what is left.
    }
  }

  /// mkdtemp(3), then mode 755.
  static func make(prefix: String) throws -> String {
    var template = Array("\(prefix)XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw TestFailure("Cannot create a directory like \(prefix)XXXXXX: errno \(errno).")
    }
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    guard chmod(path, 0o755) == 0 else {
      throw TestFailure("Cannot set the mode of \(path): errno \(errno).")
    }
    return path
  }
}
