internal import Primitives

extension SQLSyntax {
  /// A name as SQL wants it: in quotes only where it needs them, as `quote_ident` does.
  public static func quoted(_ name: String) -> String {
    let isPlain =
      name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
      && name.utf8.first.map { !(0x30...0x39).contains($0) } ?? false
    // A key word that may not stand there is refused by the grammar, and quoted.
    if isPlain, let tree = try? SQLSyntax.parse("create index on t (\(name))"), tree.count == 1 {
      return name
    }
    return "\"" + name.doubling(["\""]) + "\""
  }

  /// A string constant. By the rule of `PQescapeLiteral`, by scalars: to Swift a quote with a combining mark behind it is another character.
  public static func literal(_ text: String) -> String {
    let hasBackslash = text.utf8.contains(UInt8(ascii: "\\"))
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      out.append(scalar)
      if scalar == "'" || scalar == "\\" { out.append(scalar) }
    }
    return (hasBackslash ? "E'" : "'") + String(out) + "'"
  }
}
