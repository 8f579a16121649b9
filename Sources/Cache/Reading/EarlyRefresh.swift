#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// When to load a value again although it still lives, so that it does not expire under many readers at once: XFetch
/// (Vattani, Chierichetti and Lowenstein, "Optimal probabilistic cache stampede prevention", VLDB 2015).
struct EarlyRefresh: Sendable {
  /// Above 1 earlier, below 1 later.
  let eagerness: Double

  /// Whether this reader should load it: the likelier, the less time is left and the longer a load takes.
  ///
  /// - Parameter draw: a random number above 0 and up to 1.
  func isDue(timeLeft: Duration, loadTime: Duration, draw: Double) -> Bool {
    precondition(draw > 0 && draw <= 1, "a draw of \(draw)")
    return -eagerness * loadTime.inSeconds * log(draw) >= timeLeft.inSeconds
  }
}

extension Duration {
  /// Seconds, for arithmetic that needs no exactness.
  var inSeconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) / 1e18
  }
}
