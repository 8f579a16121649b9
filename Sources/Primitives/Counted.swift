/// A number with its noun, in sentences: `1 scan`, `3 scans`.
///
/// - Parameter plural: where an `s` does not make it.
public func counted(_ count: some BinaryInteger, _ noun: String, _ plural: String? = nil) -> String {
  "\(count) \(count == 1 ? noun : plural ?? noun + "s")"
}

/// Names with their verb, in sentences: `a holds`, `a, b and c hold`. Where one has a comma in it, semicolons stand between them.
///
/// - Parameter plural: the verb of more than one.
public func listed(_ names: [String], _ verb: String, _ plural: String) -> String {
  guard let last = names.last, names.count > 1 else { return "\(names.first ?? "nobody") \(verb)" }
  let separator = names.contains { $0.contains(",") } ? "; " : ", "
  return "\(names.dropLast().joined(separator: separator)) and \(last) \(plural)"
}
