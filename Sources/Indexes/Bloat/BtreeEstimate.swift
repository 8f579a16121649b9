/// How large a btree is that CREATE INDEX builds, in bytes.
///
/// Follows `src/backend/access/nbtree/nbtsort.c` and `nbtdedup.c` of PostgreSQL 13 to 18: entries in order, pages filled up to
/// the fill factor, entries of equal keys merged into posting lists of up to a tenth of a page.
struct BtreeEstimate {
  let layout: BtreeLayout
  /// Entries of the index.
  var entries: Double
  /// Rows of the table, which `n_distinct` refers to.
  var rows: Double
  /// Percent; 90 unless the index says otherwise.
  var fillFactor: Double
  /// Whether equal keys are merged: not in a unique index, nor with `deduplicate_items = off`.
  var deduplicates: Bool
  /// Whether the statistics, which are the table's, hold for the index: a partial one has other rows.
  var isPartial: Bool

  /// The two sides between which the truth lies. ANALYZE guesses the number of values from a sample, and too few rather
  /// than too many; of several columns it knows each alone.
  struct Bounds: Equatable {
    var low: Double
    var high: Double
  }

  static let pageBytes = 8192.0
  /// Without the page's header (24), the btree's own (16), and the line pointer of the high key.
  private static let roomBytes = pageBytes - 24 - 16 - 4
  private static let linePointerBytes = 4.0
  /// BTREE_NONLEAF_FILLFACTOR.
  private static let innerFillFactor = 70.0
  /// A posting list of an index that is built: MAXALIGN_DOWN(8192 × 10 / 100) without a line pointer.
  private static let postingBytesMax = 812.0
  /// BTMaxItemSize: three entries fit on a page.
  private static let entryBytesMax = 2704.0
  /// sizeof(ItemPointerData).
  private static let pointerBytes = 6.0
  /// Up to so many bytes a value of variable length has a header of one byte, and no alignment.
  private static let shortValueBytes = 126.0
  /// How much larger than its estimate a number of values is taken for at most.
  private static let distinctDoubt = 10.0

  /// Nil where the widths of values, or how often they repeat, are not known.
  func bytes() -> Bounds? {
    guard entries >= 0, rows >= 0, entries.isFinite, rows.isFinite,
      let width = entryBytes(layout.attributes[...])
    else { return nil }
    guard deduplicates, layout.isEqualImage else {
      let bytes = size(of: entries * (width + Self.linePointerBytes), item: width)
      return Bounds(low: bytes, high: bytes)
    }
    guard let few = distinct(isHigh: false), let many = distinct(isHigh: true) else { return nil }
    let (one, other) = (merged(width, few), merged(width, many))
    return Bounds(low: min(one, other), high: max(one, other))
  }

  // MARK: Entries

  /// Mean bytes of an entry, MAXALIGNed, without its line pointer.
  private func entryBytes(_ attributes: ArraySlice<BtreeLayout.Attribute>) -> Double? {
    var offset = 0.0
    var isExact = true
    var noNulls = 1.0
    for attribute in attributes {
      guard let width = attribute.length > 0 ? Double(attribute.length) : attribute.statistics?.width else {
        return nil
      }
      let present = 1 - nullShare(of: attribute)
      let isShort = attribute.length == -2 || attribute.length == -1 && width <= Self.shortValueBytes
      let alignment = isShort ? 1 : Double(attribute.alignment)
      // Where it begins is known as long as all before it have one width.
      let start = isExact ? Self.rounded(offset, to: alignment) : offset + (alignment - 1) / 2
      offset += (start - offset + width) * present
      noNulls *= present
      isExact = isExact && attribute.length > 0 && present == 1
    }
    // An entry with a NULL has a bitmap, which takes eight bytes with what aligns the values behind it.
    let bytes = 8 + (1 - noNulls) * 8 + offset
    return min(Self.entryBytesMax, isExact ? Self.rounded(bytes, to: 8) : max(16, bytes + 3.5))
  }

  private func nullShare(of attribute: BtreeLayout.Attribute) -> Double {
    guard !isPartial, let statistics = attribute.statistics else { return 0 }
    return min(1, max(0, statistics.nullShare))
  }

  /// How many different keys there are.
  private func distinct(isHigh: Bool) -> Double? {
    var found = 1.0
    for attribute in layout.attributes.prefix(layout.keyCount) {
      guard let statistics = attribute.statistics else { return nil }
      // A share of the rows is told as such; a number was guessed.
      var values = statistics.values(in: rows)
      if isHigh { values *= statistics.distinct < 0 ? 2 : Self.distinctDoubt }
      found = isHigh ? found * values : max(found, values)
    }
    return max(1, min(found, entries))
  }

  // MARK: Posting lists

  private func merged(_ width: Double, _ distinct: Double) -> Double {
    var rest = entries
    var bytes = 0.0
    var entryWidth = width
    if layout.keyCount == 1, let key = layout.attributes.first, nullShare(of: key) > 0 {
      // All NULLs of a single column are one key.
      let nulls = entries * nullShare(of: key)
      rest -= nulls
      bytes = group(nulls, bytes: 16)
      var whole = key
      whole.statistics?.nullShare = 0
      entryWidth = entryBytes([whole]) ?? width
    }
    let keys = max(1, min(distinct, rest))
    bytes += keys * group(rest / keys, bytes: entryWidth)
    return size(of: bytes, item: max(entryWidth, min(Self.postingBytesMax, bytes / max(1, keys))))
  }

  /// Bytes of `count` entries of one key with their line pointers.
  private func group(_ count: Double, bytes base: Double) -> Double {
    let pointersMax = ((Self.postingBytesMax - 4 - base) / Self.pointerBytes).rounded(.down)
    guard pointersMax >= 2 else { return count * (base + Self.linePointerBytes) }
    let full = (count / pointersMax).rounded(.down)
    let fullBytes = Self.rounded(base + pointersMax * Self.pointerBytes, to: 8) + Self.linePointerBytes
    return full * fullBytes + tail(count - full * pointersMax, bytes: base)
  }

  /// Bytes of a last posting list; of means between whole numbers the mean.
  private func tail(_ count: Double, bytes base: Double) -> Double {
    func whole(_ count: Double) -> Double {
      count < 1
        ? 0
        : Self.linePointerBytes
          + (count < 2 ? base : Self.rounded(base + count * Self.pointerBytes, to: 8))
    }
    let below = count.rounded(.down)
    return whole(below) + (whole(below + 1) - whole(below)) * (count - below)
  }

  // MARK: Pages

  /// Bytes of the whole index with so many bytes on its leaves, in items of about one size.
  private func size(of leafBytes: Double, item: Double) -> Double {
    guard leafBytes > 0 else { return Self.pageBytes }
    var pages = (leafBytes / Self.capacity(fillFactor: fillFactor, item: item)).rounded(.up)
    var total = 1 + pages
    // A downlink has the keys of the first entry below it, without INCLUDE.
    let downlink =
      (entryBytes(layout.attributes.prefix(layout.keyCount)) ?? item) + Self.linePointerBytes
    let inner = max(2 * downlink, Self.capacity(fillFactor: Self.innerFillFactor, item: downlink))
    while pages > 1 {
      pages = (pages * downlink / inner).rounded(.up)
      total += pages
    }
    return total * Self.pageBytes
  }

  /// Bytes of items on a page: it is full once less than the fill factor leaves is free, and the item that made it so goes
  /// to the next one.
  private static func capacity(fillFactor: Double, item: Double) -> Double {
    let reserved = pageBytes * (100 - fillFactor) / 100
    return max(item, roomBytes - reserved - item / 2)
  }

  /// Bytes of the index whose leaves were read, after REINDEX.
  static func bytes(rebuilding leaves: LeafDensity, fillFactor: Double) -> Double {
    let room = pageBytes - 24 - 16
    let used = Double(leaves.leafPages) * room * min(1, max(0, leaves.density))
    let pages = (used / (room - pageBytes * (100 - fillFactor) / 100)).rounded(.up)
    let share = leaves.leafPages > 0 ? min(1, pages / Double(leaves.leafPages)) : 0
    return (1 + pages + (Double(leaves.internalPages) * share).rounded(.up)) * pageBytes
  }

  private static func rounded(_ value: Double, to multiple: Double) -> Double {
    (value / multiple).rounded(.up) * multiple
  }
}
