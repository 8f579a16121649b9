internal import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A place at which a test can have the process killed. Release builds have none.
///
/// `IRONFORGE_FAULT=name` kills the process by SIGKILL when the place is reached, `IRONFORGE_FAULT=name:3` when it is
/// reached for the third time.
public struct FaultPoint: Sendable {
  private let name: StaticString

  public init(_ name: StaticString) { self.name = name }

  /// Whether `IRONFORGE_FAULT` names this place; what is usually sent together is then sent in two steps.
  public var isArmed: Bool {
    #if DEBUG
      Self.chosen.map { $0.name == name.description } ?? false
    #else
      false
    #endif
  }

  /// Ends the process where `IRONFORGE_FAULT` says so.
  @inline(__always)
  public func reach() {
    #if DEBUG
      guard isArmed, let chosen = Self.chosen else { return }
      if Self.reached.add(1, ordering: .relaxed).newValue >= chosen.count { kill(getpid(), SIGKILL) }
    #endif
  }

  #if DEBUG
    /// How often the chosen place was reached; only one can be chosen.
    private static let reached = Atomic<Int>(0)

    private static let chosen: (name: String, count: Int)? = {
      guard let value = getenv("IRONFORGE_FAULT") else { return nil }
      let parts = String(cString: value).split(separator: ":", maxSplits: 1).map(String.init)
      guard let name = parts.first else { return nil }
      return (name, parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
    }()
  #endif
}
