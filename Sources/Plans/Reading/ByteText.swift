#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A piece of text as bytes: a mark is found whatever stands around it, also a combining character that Swift's `Character`
/// would join to it.
struct ByteText {
  var bytes: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }
  init(_ bytes: [UInt8]) { self.bytes = bytes[...] }
  init(_ text: String) { bytes = Array(text.utf8)[...] }

  /// What is no UTF-8 shows as U+FFFD.
  var string: String { String(decoding: bytes, as: UTF8.self) }
  var isEmpty: Bool { bytes.isEmpty }
  /// Blanks at the front.
  var indent: Int { bytes.prefix(while: Self.isBlank).count }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  var trimmedStart: ByteText { ByteText(bytes.drop(while: Self.isBlank)) }
  var trimmedEnd: ByteText {
    var bytes = bytes
    while let last = bytes.last, Self.isBlank(last) { bytes.removeLast() }
    return ByteText(bytes)
  }
  var trimmed: ByteText { trimmedStart.trimmedEnd }

  func starts(with text: String) -> Bool { has(text, at: 0) }
  func ends(with text: String) -> Bool { has(text, at: bytes.count - text.utf8.count) }
  private func has(_ text: String, at place: Int) -> Bool {
    guard place >= 0, bytes.count - place >= text.utf8.count else { return false }
    var text = text
    return bytes.withUnsafeBytes { bytes in
      text.withUTF8 { mark in
        guard let start = bytes.baseAddress, let wanted = mark.baseAddress else { return mark.isEmpty }
        return memcmp(start + place, wanted, mark.count) == 0
      }
    }
  }
  func contains(_ text: String) -> Bool { range(of: text) != nil }
  func dropFirst(_ count: Int) -> ByteText { ByteText(bytes.dropFirst(count)) }
  func dropLast(_ count: Int) -> ByteText { ByteText(bytes.dropLast(count)) }

  /// What stands behind `text` at the front, nil where something else does.
  func after(_ text: String) -> ByteText? { starts(with: text) ? dropFirst(text.utf8.count) : nil }

  /// Where `text`, which is not empty, stands first, or last.
  func range(of text: String, last: Bool = false) -> Range<Int>? {
    var text = text
    let offset = bytes.withUnsafeBytes { bytes in
      text.withUTF8 { Self.offset(of: UnsafeRawBufferPointer($0), in: bytes, last: last) }
    }
    return offset.map { bytes.startIndex + $0..<bytes.startIndex + $0 + text.utf8.count }
  }

  /// A plan of 50,000 lines is searched some twenty times a line: memchr and memcmp are what makes that quick.
  private static func offset(
    of mark: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer, last: Bool
  ) -> Int? {
    guard let start = bytes.baseAddress, let wanted = mark.baseAddress, bytes.count >= mark.count else {
      return nil
    }
    let first = Int32(mark[0])
    let end = bytes.count - mark.count
    var found: Int?
    var place = 0
    while place <= end, let hit = memchr(start + place, first, end - place + 1) {
      let offset = start.distance(to: UnsafeRawPointer(hit))
      if memcmp(start + offset, wanted, mark.count) == 0 {
        guard last else { return offset }
        found = offset
      }
      place = offset + 1
    }
    return found
  }

  /// Both sides of the first, or the last, `text`.
  func split(at text: String, last: Bool = false) -> (before: ByteText, after: ByteText)? {
    guard let range = range(of: text, last: last) else { return nil }
    return (ByteText(bytes[..<range.lowerBound]), ByteText(bytes[range.upperBound...]))
  }

  /// All pieces between marks.
  func pieces(between mark: String) -> [ByteText] {
    var pieces: [ByteText] = []
    var rest = self
    while let (before, after) = rest.split(at: mark) {
      pieces.append(before)
      rest = after
    }
    return pieces + [rest]
  }

  var undoublingQuotes: ByteText {
    var kept: [UInt8] = []
    kept.reserveCapacity(bytes.count)
    var skips = false
    for byte in bytes {
      if byte == 0x22, kept.last == 0x22, !skips {
        skips = true
        continue
      }
      skips = false
      kept.append(byte)
    }
    return ByteText(kept)
  }

  /// A name as SQL writes it, and what stands behind it: `"my table"`, or up to a blank or one of `ends`.
  func name(endingAt ends: String = " .") -> (name: String, rest: ByteText)? {
    guard let first = bytes.first else { return nil }
    guard first == 0x22 else {
      let stop = Set(ends.utf8)
      let name = bytes.prefix { !stop.contains($0) }
      return name.isEmpty ? nil : (String(decoding: name, as: UTF8.self), dropFirst(name.count))
    }
    var name: [UInt8] = []
    var place = bytes.startIndex + 1
    while place < bytes.endIndex {
      if bytes[place] == 0x22 {
        guard place + 1 < bytes.endIndex, bytes[place + 1] == 0x22 else {
          return (String(decoding: name, as: UTF8.self), ByteText(bytes[(place + 1)...]))
        }
        place += 1
      }
      name.append(bytes[place])
      place += 1
    }
    return nil
  }

  /// A number from 0 on, with digits only; `kB`, `ms` and the like are for the caller to take away.
  var number: Double? {
    guard !bytes.isEmpty, bytes.count <= 40,
      bytes.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x65 || $0 == 0x2B || $0 == 0x2D }
      ),
      let first = bytes.first, (0x30...0x39).contains(first) || first == 0x2D,
      let number = Double(string), number.isFinite
    else { return nil }
    return number
  }
}
