internal import Primitives

/// How many rows a chunk has: a fixed number, or as many as the server carries out in 0.3 seconds.
///
/// A larger chunk writes the balance of a wallet that occurs in it several times only once, and commits less often: 6000
/// rows instead of 2000 gain a tenth. A longer transaction would keep others waiting for the wallets in it.
struct ChunkSize {
  /// Of what is chosen by itself.
  static let range = 100...6000
  /// What is aimed at, in nanoseconds.
  private static let target: Int64 = 300_000_000

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
