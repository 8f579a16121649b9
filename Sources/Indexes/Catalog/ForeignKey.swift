/// A foreign key as `pg_constraint` describes it; of a partitioned table its root only.
public struct ForeignKey: Sendable {
  public let name: String
  /// The table whose rows refer.
  public let table: UInt32
  /// The referring columns, by number.
  public let columns: [Int16]
  /// The table that is referred to.
  public let parent: UInt32
  /// The columns that they refer to, in the same order.
  public let parentColumns: [Int16]
  public let parentName: RelationName
}
