/// A number with its noun, in sentences: `1 scan`, `3 scans`.
///
/// - Parameter plural: where an `s` does not make it.
public func counted(_ count: some BinaryInteger, _ noun: String, _ plural: String? = nil) -> String {
  "\(count) \(count == 1 ? noun : plural ?? noun + "s")"
}
