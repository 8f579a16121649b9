/// How many inputs the nodes of a whole plan have, without InitPlans and SubPlans (the `ExecInit` functions of PostgreSQL 13
/// to 18).
enum PlanInputs {
  private static let two: Set<String> = [
    "Nested Loop", "Merge Join", "Hash Join", "Recursive Union", "BitmapAnd", "BitmapOr",
  ]
  private static let one: Set<String> = [
    "Aggregate", "Append", "Bitmap Heap Scan", "Gather", "Gather Merge", "Group", "Hash", "Incremental Sort",
    "Limit", "LockRows", "Materialize", "Memoize", "Merge Append", "ModifyTable", "ProjectSet", "SetOp",
    "Sort",
    "Subquery Scan", "Unique", "WindowAgg",
  ]

  /// - Parameter hasPruned: whether the executor left out inputs that it did not need; then none may be left.
  static func fewest(of type: String, hasPruned: Bool) -> Int {
    if two.contains(type) { return 2 }
    return one.contains(type) && !hasPruned ? 1 : 0
  }
}
