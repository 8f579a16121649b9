import Synchronization

/// A Lua script that runs by its SHA-1.
///
/// ```swift
/// enum Scripts {
///   static let setIfNewer = Script("""
///     …
///     """)
/// }
/// try session.execute(Command(Scripts.setIfNewer, keys: [.text(key)], arguments: [.integer(version)]))
/// ```
///
/// The server says the SHA-1 (`SCRIPT LOAD`) when the script first runs in this process. A server that has
/// forgotten or never seen the script answers NOSCRIPT without running anything, whereupon the session loads
/// it and sends the command again. Keep scripts in static constants: each value asks for its own SHA-1.
public final class Script: Sendable, Hashable {
  /// The Lua text.
  public let source: String
  private let knownDigest = Mutex<String?>(nil)

  /// A script that no server has been asked about yet.
  public init(_ source: String) {
    self.source = source
  }

  /// 40 hexadecimal digits, once a server has said them. They depend on the source alone.
  var digest: String? {
    get { knownDigest.withLock { $0 } }
    set { knownDigest.withLock { $0 = newValue } }
  }

  /// Scripts are equal when their source is.
  public static func == (a: Script, b: Script) -> Bool { a.source == b.source }
  /// By the source.
  public func hash(into hasher: inout Hasher) { hasher.combine(source) }
}
