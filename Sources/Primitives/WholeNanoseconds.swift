extension Duration {
  /// Nanoseconds, `Int64.max` where they do not fit, zero for a negative duration.
  @inlinable public var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (whole, isTooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isTooLongInAll) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return isTooLong || isTooLongInAll ? .max : sum
  }
}
