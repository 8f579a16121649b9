/// What the entries of a btree are made of: enough to tell how large the index would be, built anew.
public struct BtreeLayout: Sendable {
  /// One attribute of an entry.
  public struct Attribute: Sendable, Equatable {
    /// Bytes of a fixed length; -1 of a variable one, -2 of a C string, as `pg_attribute.attlen`.
    public var length: Int16
    /// On which multiple of bytes a value begins: 1, 2, 4 or 8.
    public var alignment: Int
    /// What ANALYZE knows of its values; nil where it was never run, or the role may not see it.
    public var statistics: ColumnStatistics?

    public init(length: Int16, alignment: Int, statistics: ColumnStatistics? = nil) {
      self.length = length
      self.alignment = alignment
      self.statistics = statistics
    }
  }

  /// The keys, and behind them the columns of INCLUDE.
  public var attributes: [Attribute]
  public var keyCount: Int
  /// Whether equal keys have equal bytes (`allequalimage`), so that entries of equal keys can be stored as one.
  public var isEqualImage: Bool

  public init(attributes: [Attribute], keyCount: Int, isEqualImage: Bool) {
    self.attributes = attributes
    self.keyCount = keyCount
    self.isEqualImage = isEqualImage
  }
}

/// What `pg_stats` says of a column, or of an index's expression.
public struct ColumnStatistics: Sendable, Equatable {
  /// `n_distinct`: a number of values, or below zero a share of the rows.
  public var distinct: Double
  /// Bytes of a value that is not NULL, the header of one of variable length included.
  public var width: Double
  /// Share of NULLs, 0 to 1.
  public var nullShare: Double

  public init(distinct: Double, width: Double, nullShare: Double) {
    self.distinct = distinct
    self.width = width
    self.nullShare = nullShare
  }

  /// How many values there are among so many rows of the table.
  public func values(in rows: Double) -> Double {
    max(1, distinct < 0 ? -distinct * rows : distinct)
  }
}

/// What reading all pages of an index has shown (`pgstatindex`).
public struct LeafDensity: Sendable, Equatable {
  /// Bytes of the whole index when it was read.
  public var sizeBytes: Int64
  public var leafPages: Int64
  public var internalPages: Int64
  /// Share of the leaf pages' room that is in use, 0 to 1.
  public var density: Double

  public init(sizeBytes: Int64, leafPages: Int64, internalPages: Int64, density: Double) {
    self.sizeBytes = sizeBytes
    self.leafPages = leafPages
    self.internalPages = internalPages
    self.density = density
  }
}
