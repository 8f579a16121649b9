/// Changes to a text, each at a range of its bytes; they do not overlap.
struct TextEdits {
  private var edits: [(range: Range<Int>, text: String)] = []

  var isEmpty: Bool { edits.isEmpty }

  mutating func replace(_ range: Range<Int>, with text: String) {
    edits.append((range, text))
  }

  /// The text with all changes. One that lies outside of the text, or in another one, is left out: places come from a
  /// parser, and a text that is not rewritten is refused by the server with a reason.
  func applied(to text: String) -> String {
    let bytes = Array(text.utf8)
    var out: [UInt8] = []
    var position = 0
    for edit in edits.sorted(by: { $0.range.lowerBound < $1.range.lowerBound })
    where edit.range.lowerBound >= position && edit.range.upperBound <= bytes.count {
      out += bytes[position..<edit.range.lowerBound]
      out += edit.text.utf8
      position = edit.range.upperBound
    }
    out += bytes[position...]
    return String(decoding: out, as: UTF8.self)
  }
}
