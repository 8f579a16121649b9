public import Primitives

/// Where a list goes on: after the row with this time and id, newest first.
///
/// Its text is opaque to users. Both parts are needed: many rows can share a time, and an order by one column
/// with a cursor on another skips rows.
public struct Cursor: Sendable, Equatable, CustomStringConvertible {
  /// `created_at` of the last row shown.
  public let time: Timestamp
  /// Its id.
  public let id: Identifier

  public init(time: Timestamp, id: Identifier) {
    self.time = time
    self.id = id
  }

  /// - Throws: `cursor_invalid` for text that no list has printed.
  public init(_ text: String) throws(SimpleFailure) {
    let digits = text.utf8.compactMap { hexadecimalValue($0).map(UInt64.init) }
    guard digits.count == 48, text.utf8.count == 48 else { throw Self.invalid }
    func word(_ index: Int) -> UInt64 {
      digits[index * 16..<(index + 1) * 16].reduce(0) { $0 << 4 | $1 }
    }
    time = Timestamp(microseconds: Int64(bitPattern: word(0)))
    guard Self.moments.contains(time) else { throw Self.invalid }
    id = Identifier(high: word(1), low: word(2))
  }

  /// The years 1 to 200,000: within what PostgreSQL's `timestamptz` can express.
  private static let moments =
    Timestamp(microseconds: -62_135_596_800_000_000)...Timestamp(microseconds: 6_249_222_777_600_000_000)

  private static let invalid = SimpleFailure(
    .usage, code: "cursor_invalid", message: "the cursor is none that a list has printed",
    hint: "pass the next_cursor of the page before, unchanged")

  public var description: String {
    [UInt64(bitPattern: time.microseconds), id.high, id.low].map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }.joined()
  }
}

/// One page of a list.
public struct Page<Item> {
  public let items: [Item]
  /// Nil on the last page.
  public let next: Cursor?

  /// Takes one row more than fits, which tells whether there is a next page.
  init(_ items: [Item], limit: Int, cursor: (Item) -> Cursor) {
    self.items = Array(items.prefix(limit))
    next = items.count > limit ? self.items.last.map(cursor) : nil
  }
}

extension Page: Sendable where Item: Sendable {}

/// How much of a list to read, and from where.
public struct PageRequest: Sendable {
  /// The most rows on the page.
  public let limit: Int
  /// Nil for the first page.
  public let cursor: Cursor?

  public init(limit: Int, cursor: Cursor?) {
    self.limit = limit
    self.cursor = cursor
  }

  /// One more than the page holds.
  var rows: Int64 { Int64(clamping: limit) &+ 1 }
  // The first page starts after everything: PostgreSQL's timestamps end before this one.
  var time: Timestamp { cursor?.time ?? Timestamp(microseconds: 9_000_000_000_000_000_000) }
  var id: Identifier { cursor?.id ?? Identifier(high: .max, low: .max) }
}
