/// How many columns of a terminal `text` takes: none for combining marks, two for East Asian wide characters and
/// emoji (Unicode Standard Annex #11; the ranges are the blocks that are wide throughout).
func displayWidth(_ text: String) -> Int {
  if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count }
  return text.reduce(0) { $0 + width(of: $1) }
}

// A grapheme is as wide as its widest scalar: a base with its marks, a family of emoji.
private func width(of character: Character) -> Int {
  character.unicodeScalars.map(width).max() ?? 0
}

private func width(of scalar: Unicode.Scalar) -> Int {
  switch scalar.value {
  case 0..<0x300: return 1
  case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
    0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
    0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x1FA70...0x1FAFF, 0x20000...0x3FFFD:
    return 2
  default:
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: return 1
    }
  }
}

/// `text` with blanks up to `width` columns, behind it or, for numbers, before it.
func padded(_ text: String, to width: Int, isNumeric: Bool = false) -> String {
  let blanks = String(repeating: " ", count: max(0, width - displayWidth(text)))
  return isNumeric ? blanks + text : text + blanks
}

/// `text` with every character escaped that would move the cursor, change colours, or reorder what is around it, so
/// that a name out of a database cannot forge a line of output.
func terminalSafe(_ text: String, keepingLineBreaks: Bool = false) -> String {
  if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return text }
  var out = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\n": out += keepingLineBreaks ? "\n" : "\\n"
    case "\t": out += "\\t"
    case "\r": out += "\\r"
    default:
      if mustBeEscaped(scalar) {
        out += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        out.unicodeScalars.append(scalar)
      }
    }
  }
  return out
}

// C0, DEL, C1, line and paragraph separators, and the bidirectional controls (CVE-2021-42574).
private func mustBeEscaped(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
  default: false
  }
}
