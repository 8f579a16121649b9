internal import Indexes
internal import Plans
internal import Primitives

/// What the planner leaves out where a join repeats an index scan, and HypoPG where an index is hypothetical.
///
/// A scan that is repeated finds more and more of the table in memory, so the planner spreads the pages over all
/// repetitions (costsize.c, `cost_index`). As their number it takes the rows of the *table* that gives the keys
/// (`get_loop_count`), however few of them other joins leave: the suppliers of 2 nations out of 25 count as all 1000,
/// and each of the 80 scans that will really run seems to read a tenth of its pages. An existing index with that
/// fault is there before and after. A new one seems to save what it does not: on TPC-H one on `lineitem (l_suppkey)`
/// more than halved the cost of queries 7 and 21, and made both slower.
///
/// So what a repeated scan costs is counted again, with the planner's own formula and the repetitions that its own
/// plan tells; the surcharge is by how much that is more, as if the pages came from memory where that is cheaper. It
/// is a lower bound: where the plan does not say how many rows the index finds before a filter, and statistics do not
/// either, it is as many as the filter keeps.
///
/// HypoPG 1.3.1 gives its indexes no height, so the planner finds the way from root to leaf for nothing: in a join
/// that is most of what a probe costs.
struct RepeatedScans {
  /// The planner's settings.
  struct Costs {
    /// Of a page read at random, and in sequence.
    var randomPage = 4.0
    var sequentialPage = 1.0
    /// Of a row that an index finds: `cpu_tuple_cost`, `cpu_index_tuple_cost` and `cpu_operator_cost`.
    var row = 0.0175
    /// `cpu_operator_cost`.
    var operation = 0.0025
    /// Of a row that is found in memory, besides `row`: finding and pinning its page takes some 1.7 us where a page
    /// in sequence takes 5.6 (measured: 36,000 rows of a table of 5,173 pages in nested loops, all in memory).
    var rowInMemory = 0.3
    /// `effective_cache_size` in pages.
    var cachePages = 524_288.0
  }

  /// A table without its indexes.
  struct Heap {
    var pages: Double
    var rows: Double
  }

  /// What matters of an index.
  struct Keys {
    /// The columns that it begins with, as SQL wants their names, each with the share of the rows that one value has.
    var columns: [(quoted: String, share: Double?)] = []
    /// How far the rows lie in the order of the index, from -1 to 1; nil where nobody knows.
    var correlation: Double?
    /// Pages between the root and a leaf, of a hypothetical index.
    var height = 0.0
  }

  var costs = Costs()
  /// By name, as plans tell it; of tables of several schemas the smallest.
  var heaps: [String: Heap] = [:]
  /// By name; those whose names stand for one index only.
  var indexes: [String: Keys] = [:]

  /// What is to be added to the cost of a plan, in the planner's units.
  ///
  /// - Parameter hypothetical: an index that only this session's planner knows.
  func surcharge(of root: PlanNode, hypothetical: (String) -> Keys? = { _ in nil }) -> Double {
    let pages = Set(root.all.compactMap(\.relation)).reduce(0) { $0 + (heaps[$1]?.pages ?? 0) }
    var sum = 0.0
    var open = [(node: root, loops: 1.0, descents: 1.0, share: 1.0)]
    while let (node, loops, descents, share) = open.popLast() {
      if loops > 1, let cost = cost(of: node, loops, pages, hypothetical) {
        sum += max(0, cost - node.totalCost) * loops * share
      }
      if let keys = node.index.flatMap(hypothetical) {
        sum += Self.pageOperations * costs.operation * (keys.height + 1) * descents * share
      }
      for child in node.children {
        let repeated = Self.repetitions(of: child, under: node)
        // A scan that ends at the first row that fits reads nobody knows how much.
        let isWhole = repeated == 1 || !["Semi", "Anti"].contains(node[detail: "Join Type"].text)
        open.append(
          (
            child, repeated.map { isWhole ? loops * $0 : 1 } ?? 1, repeated.map { descents * $0 } ?? 1,
            share * Self.part(child, node)
          ))
      }
    }
    return min(sum, 1e18)
  }

  // MARK: How often

  /// What the planner takes for a page of the tree to be gone through: `DEFAULT_PAGE_CPU_MULTIPLIER` of selfuncs.c.
  private static let pageOperations = 50.0

  /// How often a node is run for one run of the node above it; nil where the plan does not tell, or what was found is kept.
  private static func repetitions(of child: PlanNode, under node: PlanNode) -> Double? {
    if child.relationship == "SubPlan" || child.relationship == "InitPlan" { return nil }
    if node.type == "Memoize" || node.type == "Materialize" { return nil }
    guard node.type == "Nested Loop", child.relationship == "Inner",
      let outer = node.children.first(where: { $0.relationship == "Outer" })
    else { return 1 }
    return max(1, outer.rowsEstimated)
  }

  /// The part of a node's rows that LIMIT lets through.
  private static func part(_ child: PlanNode, _ node: PlanNode) -> Double {
    guard node.type == "Limit", child.totalCost > 0 else { return 1 }
    return min(1, node.totalCost / child.totalCost)
  }

  // MARK: What one scan costs

  private func cost(
    of node: PlanNode, _ loops: Double, _ pagesOfAll: Double, _ hypothetical: (String) -> Keys?
  ) -> Double? {
    guard let heap = node.relation.flatMap({ heaps[$0] }), heap.pages > 0 else { return nil }
    let cache = costs.cachePages * heap.pages / max(pagesOfAll, heap.pages)
    func pages(_ read: Double) -> Double {
      Self.pagesRead(read * loops, of: heap.pages, cache: cache) / loops
    }
    let kept = max(1, node.rowsEstimated)
    switch node.type {
    case "Bitmap Heap Scan":
      // Of several bitmaps the plan does not tell the rows.
      let found = max(kept, node.children.first { $0.type == "Bitmap Index Scan" }?.rowsEstimated ?? 0)
      let read = pages(found)
      // In the order of the table: the more pages of it, the more of them in sequence.
      let saved = (costs.randomPage - costs.sequentialPage) * (read / heap.pages).squareRoot()
      let reading = read * (read < 2 ? costs.randomPage : costs.randomPage - saved)
      return min(reading, found * costs.rowInMemory) + found * costs.row
    case "Index Scan":
      guard let name = node.index, let keys = hypothetical(name) ?? indexes[name],
        let order = keys.correlation
      else { return nil }
      let most = node.totalCost / costs.row
      let found = max(kept, min(rowsFound(by: keys, node, heap) ?? 0, most))
      let (random, ordered) = (pages(found), pages((found / max(1, heap.rows) * heap.pages).rounded(.up)))
      let reading = (random + order * order * (min(ordered, random) - random)) * costs.randomPage
      return min(reading, found * costs.rowInMemory) + found * costs.row
    default: return nil
    }
  }

  /// The rows that have the values of a join's columns; nil where the conditions are of any other kind.
  private func rowsFound(by keys: Keys, _ scan: PlanNode, _ heap: Heap) -> Double? {
    guard let condition = scan[detail: "Index Cond"].text else { return nil }
    let shares = keys.columns.filter { Self.isJoined($0.quoted, in: condition) }.map(\.share)
    guard shares.count == condition.ranges(of: " AND ").count + 1 else { return nil }
    return shares.reduce(heap.rows) { rows, share in rows * (share ?? 0) }
  }

  /// Whether a column has to equal what is no constant: `(l_suppkey = supplier.s_suppkey)`.
  private static func isJoined(_ column: String, in condition: String) -> Bool {
    guard let start = condition.firstRange(of: "(\(column) = ") else { return false }
    let other = condition[start.upperBound...]
    return !other.hasPrefix("ANY (") && other.first.map { $0.isLetter || "_(\"".contains($0) } ?? false
  }

  /// How many different pages of a table as many rows lie on, when what was read stays in memory as long as there is
  /// room for it.
  ///
  /// L. F. Mackert and G. M. Lohman, "Index Scans Using a Finite LRU Buffer: A Validated I/O Model" (TODS 14(3),
  /// 1989), in the form of costsize.c, `index_pages_fetched`.
  static func pagesRead(_ rows: Double, of pages: Double, cache: Double) -> Double {
    let read = 2 * pages * rows / (2 * pages + rows)
    if pages <= cache { return min(read, pages) }
    let limit = 2 * pages * cache / (2 * pages - cache)
    return rows <= limit ? read : cache + (rows - limit) * (pages - cache) / pages
  }
}
