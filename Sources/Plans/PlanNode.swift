public import Primitives

/// One node of a query plan, as `EXPLAIN` tells it. Rows and times are per loop, as PostgreSQL prints them.
public struct PlanNode: Sendable {
  /// `Seq Scan`, `Hash Join`, …: the JSON format's `Node Type`.
  public var type: String
  /// How its parent uses it: `Outer`, `Inner`, `InitPlan`, `SubPlan`, `Member`, `Subquery`; nil for the root.
  public var relationship: String?
  /// `InitPlan 1 (returns $0)`, `CTE x`, …
  public var subplanName: String?
  public var schema: String?
  /// The table that is read or written.
  public var relation: String?
  public var alias: String?
  public var index: String?
  /// In the planner's units, of which one is the reading of a page in sequence.
  public var startupCost: Double
  public var totalCost: Double
  /// What the planner expects, per loop.
  public var rowsEstimated: Double
  /// Bytes of a row.
  public var width: Int
  /// Every member that has no field of its own, in the server's order.
  public var details: [(key: String, value: JSON)]
  public var children: [PlanNode]

  /// The node and all below it, in the order of the plan.
  public var all: [PlanNode] {
    var found: [PlanNode] = []
    var open = [self]
    while let node = open.popLast() {
      found.append(node)
      open.append(contentsOf: node.children.reversed())
    }
    return found
  }
}

extension PlanNode {
  static let known: Set<String> = [
    "Node Type", "Parent Relationship", "Subplan Name", "Schema", "Relation Name", "Alias", "Index Name",
    "Startup Cost", "Total Cost", "Plan Rows", "Plan Width", "Plans",
  ]

  init(_ json: JSON) throws(PlanError) {
    guard let type = json["Node Type"].text else { throw PlanError("a node without a \"Node Type\"") }
    self.type = type
    relationship = json["Parent Relationship"].text
    subplanName = json["Subplan Name"].text
    schema = json["Schema"].text
    relation = json["Relation Name"].text
    alias = json["Alias"].text
    index = json["Index Name"].text
    startupCost = json["Startup Cost"].real ?? 0
    totalCost = json["Total Cost"].real ?? 0
    rowsEstimated = json["Plan Rows"].real ?? 0
    width = json["Plan Width"].integer ?? 0
    details = json.members.filter { !Self.known.contains($0.key) }
    children = []
    for child in json["Plans"].elements { children.append(try PlanNode(child)) }
  }
}
