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
  /// What happened; nil without ANALYZE.
  public var actual: Actual?
  /// Pages of the node and all below it, over all loops and workers.
  public var buffers: BufferUse
  public var workers: [Worker]
  /// Every member that has no field of its own, in the server's order. What is zero or false, and says nothing by it, is left
  /// out, and a list of texts is one text, so that both formats of a plan read the same.
  public var details: [(key: String, value: JSON)]
  public var children: [PlanNode]

  /// What a node did.
  public struct Actual: Sendable, Equatable {
    /// Milliseconds until the first row and until the last; nil with TIMING off.
    public var startupTime: Double?
    public var totalTime: Double?
    /// From PostgreSQL 18 on with a fraction.
    public var rows: Double
    /// 0 for a node that was never executed.
    public var loops: Double
  }

  /// What one parallel worker did (`VERBOSE`), or what it sorted with.
  public struct Worker: Sendable {
    public var number: Int
    public var actual: Actual?
    public var buffers: BufferUse
    public var details: [(key: String, value: JSON)]
  }

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

  /// A detail's value; `null` where there is none.
  public subscript(detail key: String) -> JSON {
    details.first { $0.key == key }?.value ?? .null
  }

  func text(_ key: String) -> String? { self[detail: key].text }
  func real(_ key: String) -> Double { self[detail: key].real ?? 0 }
}

extension PlanNode {
  /// What the text format calls it: `Parallel Seq Scan on orders o`, `Hash Left Join`, `HashAggregate`. A schema is told
  /// unless it is `public`.
  public var label: String {
    var words = [kind]
    if let index, type != "Bitmap Index Scan" { words.append("using \(index)") }
    if let subject { words.append("on \(subject)") }
    return words.joined(separator: " ")
  }

  /// The label without what is read.
  public var kind: String {
    var kind = type
    switch type {
    case "ModifyTable": kind = text("Operation") ?? type
    case "Aggregate":
      let names = ["Hashed": "HashAggregate", "Sorted": "GroupAggregate", "Mixed": "MixedAggregate"]
      kind = names[text("Strategy") ?? ""] ?? type
      if let mode = text("Partial Mode") { kind = "\(mode) \(kind)" }
    case "SetOp":
      kind = (text("Strategy") == "Hashed" ? "HashSetOp " : "SetOp ") + (text("Command") ?? "")
    case "Hash Join", "Merge Join", "Nested Loop":
      let join = text("Join Type") ?? "Inner"
      if join != "Inner" {
        kind = "\(type == "Nested Loop" ? type : String(type.prefix { $0 != " " })) \(join) Join"
      }
    case "Custom Scan": if let provider = text("Custom Plan Provider") { kind = "Custom Scan (\(provider))" }
    default: if text("Scan Direction") == "Backward" { kind += " Backward" }
    }
    if self[detail: "Async Capable"].boolean == true { kind = "Async \(kind)" }
    return self[detail: "Parallel Aware"].boolean == true ? "Parallel \(kind)" : kind
  }

  /// What is read or written, with its alias.
  public var subject: String? {
    if type == "Bitmap Index Scan" { return index }
    let names = ["CTE Name", "Function Name", "Table Function Name", "Tuplestore Name"]
    guard let object = relation ?? names.lazy.compactMap({ text($0) }).first else { return alias }
    let place = schema.map { $0 == "public" || $0 == "pg_catalog" ? "" : "\($0)." } ?? ""
    return alias.map { $0 == object ? place + object : "\(place)\(object) \($0)" } ?? place + object
  }
}
