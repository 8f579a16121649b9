internal import Primitives

/// What is known of a batch file after it was read once, before any money moves.
struct BatchPlan {
  let format: BatchFormat
  let digest: SHA256.Digest
  /// All rows, malformed ones included.
  let rows: Int
  /// Whether rows get their keys from the file and their line.
  let hasDerivedKeys: Bool
  var keys: RepeatedKeys

  /// Reads the file and checks that it can be told apart into rows.
  ///
  /// - Throws: `InputError` with the first place where it cannot; what the source throws.
  init(of source: BatchSource, limits: RepeatedKeys.Limits = RepeatedKeys.Limits()) throws {
    format = try source.format()
    var keys = RepeatedKeys(limits: limits)
    var rows = 0
    var hasDerivedKeys = false
    try Self.read(source, format) { row in
      rows += 1
      if row.fault == nil, row[.key].isEmpty { hasDerivedKeys = true }
      keys.note(row)
    }
    guard let digest = source.digest else {
      throw InputError(file: source.name, line: 1, "it was not read to its end")
    }
    self.digest = digest
    self.rows = rows
    self.hasDerivedKeys = hasDerivedKeys
    if keys.isOverfull { try Self.readInParts(source, format, rows: rows, &keys) }
    keys.finish()
    self.keys = keys
  }

  /// What the keys of rows without one begin with.
  var keyPrefix: String { String(decoding: base64URL(digest.bytes.prefix(16)), as: UTF8.self) + ":" }

  /// The key of a row without one: half of the file's SHA-256 and the line, so that the same file is always the same
  /// set of keys. They rise with the lines, which keeps the index on keys compact.
  func makeKey() -> (Int) -> String {
    let prefix = keyPrefix
    return { line in
      let digits = String(line)
      return prefix + String(repeating: "0", count: max(0, 9 - digits.utf8.count)) + digits
    }
  }

  /// A file with more rows than the filter is made for: a part of the words at a time, each time through the file.
  private static func readInParts(
    _ source: BatchSource, _ format: BatchFormat, rows: Int, _ keys: inout RepeatedKeys
  ) throws {
    // A row has two words at most.
    let count = rows / keys.limits.wordsMax * 2 + 1
    for part in 0..<count {
      keys.begin(part: part, of: count)
      try read(source, format) { keys.note($0) }
    }
    guard keys.isOverfull else { return }
    throw SimpleFailure(
      .malformedInput, code: "input_repeats_keys",
      message: "\(source.name): more than \(keys.limits.keysMax) keys stand there more than once",
      hint: "split the file")
  }

  private static func read(
    _ source: BatchSource, _ format: BatchFormat, _ body: (RowText) -> Void
  ) throws {
    defer { source.rewind() }
    var reader = try format.reader(name: source.name) { try source.read(into: $0) }
    var row = RowText()
    while try reader.next(into: &row) { body(row) }
  }
}

/// RFC 4648, section 5, without padding.
func base64URL(_ bytes: some Collection<UInt8>) -> [UInt8] {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  var out: [UInt8] = []
  var bits: UInt32 = 0
  var count = 0
  for byte in bytes {
    bits = bits << 8 | UInt32(byte)
    count += 8
    while count >= 6 {
      count -= 6
      out.append(alphabet[Int(bits >> UInt32(count) & 63)])
    }
    bits &= 0x3F
  }
  if count > 0 { out.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
  return out
}
