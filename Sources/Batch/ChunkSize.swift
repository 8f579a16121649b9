internal import Primitives

/// How many rows a chunk has: a fixed number, or as many as the server carries out in a tenth of a second.
///
/// Longer transactions would gain little, and keep others waiting for the wallets in them.
struct ChunkSize {
  /// Of what is chosen by itself.
  static let range = 100...5000
  /// What is aimed at, in nanoseconds.
  private static let target: Int64 = 100_000_000

  private(set) var rows: Int
  private let isFixed: Bool

  /// - Parameter fixed: nil to choose by itself.
  init(fixed: Int?) {
    rows = fixed ?? 500
    isFixed = fixed != nil
  }

  /// Learns from a whole chunk that took so long. One measure changes the size by a factor of two at most.
  mutating func learn(nanoseconds: Int64) {
    if isFixed { return }
    let wanted = Double(rows) * Double(Self.target) / Double(max(1, nanoseconds))
    let bounded = min(max(wanted, Double(rows) / 2), Double(rows) * 2)
    rows = min(max(Int(bounded), Self.range.lowerBound), Self.range.upperBound)
  }
}
