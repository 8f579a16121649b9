extension String {
  /// The text with each of the marks twice, as SQL wants quotes within quotes. By scalars: to Swift a quote with a combining
  /// mark behind it is another character.
  public func doubling(_ marks: Set<Unicode.Scalar>) -> String {
    var out = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      out.append(scalar)
      if marks.contains(scalar) { out.append(scalar) }
    }
    return String(out)
  }
}
