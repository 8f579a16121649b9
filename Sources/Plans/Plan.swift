import Primitives

/// A query plan: what `EXPLAIN` says of one statement, whichever options it was given.
public struct Plan: Sendable {
  public var root: PlanNode
  /// The statement, where the plan's source tells it (`auto_explain`).
  public var query: String?
  /// Milliseconds.
  public var planningTime: Double?
  /// Milliseconds; nil without ANALYZE, or with SUMMARY off.
  public var executionTime: Double?
  public var planningBuffers = BufferUse()
  /// kB that the planner used (`EXPLAIN (MEMORY)`, from PostgreSQL 17 on).
  public var planningMemory: Int?
  /// Settings that influence the planner and are not at their defaults (`EXPLAIN (SETTINGS)`).
  public var settings: [(name: String, value: String)] = []
  public var triggers: [TriggerUse] = []
  public var jit: JITUse?
  public var serialization: SerializationUse?

  /// More nodes than any planner makes; work and memory stay bounded for hostile input.
  public static let nodesMax = 20_000
  /// The deepest that a node may stand.
  public static let depthMax = 200

  /// Reads the output of `EXPLAIN (FORMAT JSON)`: an array of one object with a member `Plan`.
  ///
  /// - Throws: `PlanError`, with line and column.
  public init(parsingJSON bytes: [UInt8]) throws(PlanError) {
    let document: JSON
    do throws(JSONError) {
      document = try JSON(parsing: bytes)
    } catch {
      throw PlanError(error.reason, line: error.line, column: error.column)
    }
    func placed(_ reason: String, _ path: [JSONStep]) -> PlanError {
      let place = JSONError(reason, at: path, in: bytes)
      return PlanError(place.reason, line: place.line, column: place.column)
    }
    let rows = document.elements.compactMap { $0.text ?? $0["QUERY PLAN"].text }
    if !rows.isEmpty, rows.count == document.elements.count {
      // A driver's rows of the text format.
      do throws(PlanError) {
        self = try Plan(lines: rows)
        return
      } catch {
        throw placed(error.reason, [.element(min(max(error.line, 1), rows.count) - 1)])
      }
    }
    var start: [JSONStep] = []
    var plan = document
    // A driver's rows have the plan as the value of their only column.
    while true {
      if plan.elements.count > 1 {
        throw placed("a second plan begins here; give one at a time", start + [.element(1)])
      }
      if let first = plan.elements.first {
        start.append(.element(0))
        plan = first
      } else if plan.members.count == 1, plan.members[0].key == "QUERY PLAN" {
        start.append(.member("QUERY PLAN"))
        plan = plan.members[0].value
      } else {
        break
      }
    }
    do throws(PlanFault) {
      try self.init(document: plan)
    } catch {
      throw placed(error.reason, start + error.path)
    }
  }

  /// Reads a plan as text or JSON, as psql, pgAdmin or `auto_explain` print it.
  ///
  /// - Throws: `PlanError`, with the line; of JSON with the column too, where the line is as it was given.
  public init(parsing bytes: [UInt8]) throws(PlanError) {
    let source = try PlanSource(bytes)
    switch source.format {
    case .json:
      do throws(PlanError) { try self.init(parsingJSON: source.json) } catch { throw source.placed(error) }
    case .text: try self.init(text: source)
    }
  }

  private init(lines: [String]) throws(PlanError) {
    let source = try PlanSource(Array(lines.joined(separator: "\n").utf8))
    guard source.format == .text else { throw PlanError("a text that is no plan") }
    try self.init(text: source)
  }

  private init(text source: PlanSource) throws(PlanError) {
    let text = try TextPlanReader.read(source.lines)
    do throws(PlanFault) {
      try self.init(document: text.document)
    } catch {
      throw PlanError(error.reason, line: text.line(of: error.path))
    }
  }
}

/// Milliseconds and calls of one trigger, or of the one behind a constraint.
public struct TriggerUse: Sendable, Equatable {
  /// The constraint's name where there is one, else the trigger's.
  public var name: String
  public var isConstraint: Bool
  /// The table; nil where the plan does not tell it.
  public var relation: String?
  /// Nil with TIMING off.
  public var time: Double?
  public var calls: Double
}

/// What compiling expressions took, in milliseconds.
public struct JITUse: Sendable, Equatable {
  public var functions: Int
  /// `Inlining`, `Optimization`, `Expressions`, `Deforming`: those that were done.
  public var options: [String]
  /// Nil with TIMING off.
  public var total: Double?
}

/// What turning the result into text or binary took (`EXPLAIN (SERIALIZE)`, from PostgreSQL 17 on).
public struct SerializationUse: Sendable, Equatable {
  /// Milliseconds.
  public var time: Double?
  /// kB.
  public var output: Int
  public var format: String
}
