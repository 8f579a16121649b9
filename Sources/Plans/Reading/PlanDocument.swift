public import Primitives

/// From the document of the JSON format to values. The text format is made such a document first.
extension Plan {
  /// - Parameter document: the object with the member `Plan`.
  init(document: JSON) throws(PlanFault) {
    guard case .object = document["Plan"] else { throw PlanFault("no member \"Plan\"") }
    var count = 0
    root = try document.inside("Plan") { value throws(PlanFault) in
      try PlanNode(value, depth: 0, count: &count)
    }
    query = document["Query Text"].text
    planningTime = try document.amount("Planning Time")
    executionTime = try document.amount("Execution Time")
    planningBuffers = try document.inside("Planning") { value throws(PlanFault) in try BufferUse(value) }
    planningMemory = try document.inside("Planning") { value throws(PlanFault) in
      try value.amount("Memory Used").map { Int(min($0, 1e15)) }
    }
    settings = document["Settings"].members.map { ($0.key, $0.value.text ?? $0.value.description) }
    triggers = try document.each("Triggers") { value throws(PlanFault) in try TriggerUse(value) }
    if case .object = document["JIT"] {
      jit = try document.inside("JIT") { value throws(PlanFault) in try JITUse(value) }
    }
    if case .object = document["Serialization"] {
      serialization = try document.inside("Serialization") { value throws(PlanFault) in
        try SerializationUse(value)
      }
    }
  }
}

extension PlanNode {
  /// Members that have a field of their own.
  private static let known = Set(
    [
      "Node Type", "Parent Relationship", "Subplan Name", "Schema", "Relation Name", "Alias", "Index Name",
      "Startup Cost", "Total Cost", "Plan Rows", "Plan Width", "Plans", "Actual Startup Time",
      "Actual Total Time", "Actual Rows", "Actual Loops", "Workers",
    ] + BufferUse.counts.map(\.key) + BufferUse.times.map(\.key))
  /// Members that the text format has not, or only sometimes, and that nothing here needs.
  private static let ignored: Set<String> = [
    "Inner Unique", "Worker Number", "Sampling Parameters", "Repeatable Seed",
  ]
  /// What the absence of a word means in the text format.
  private static let defaults: Set<String> = [
    "Scan Direction=Forward", "Scan Direction=NoMovement", "Partial Mode=Simple", "Strategy=Plain",
  ]

  init(_ json: JSON, depth: Int, count: inout Int) throws(PlanFault) {
    count += 1
    guard count <= Plan.nodesMax else { throw PlanFault("more than \(Plan.nodesMax) nodes") }
    guard depth <= Plan.depthMax else { throw PlanFault("nodes nest deeper than \(Plan.depthMax)") }
    guard let type = json["Node Type"].text else { throw PlanFault("node \(count) has no \"Node Type\"") }
    self.type = type
    relationship = json["Parent Relationship"].text
    subplanName = json["Subplan Name"].text
    schema = json["Schema"].text
    relation = json["Relation Name"].text
    alias = json["Alias"].text
    index = json["Index Name"].text
    startupCost = try json.finite("Startup Cost") ?? 0
    totalCost = try json.finite("Total Cost") ?? 0
    rowsEstimated = try json.amount("Plan Rows") ?? 0
    width = Int(min(try json.amount("Plan Width") ?? 0, 1e9))
    actual = try Actual(json)
    buffers = try BufferUse(json)
    details = Self.details(json)
    workers = try json.each("Workers") { worker throws(PlanFault) in
      Worker(
        number: Int(min(try worker.amount("Worker Number") ?? 0, 1e6)), actual: try Actual(worker),
        buffers: try BufferUse(worker), details: Self.details(worker))
    }
    children = try json.each("Plans") { child throws(PlanFault) in
      try PlanNode(child, depth: depth + 1, count: &count)
    }
  }

  private static func details(_ json: JSON) -> [(key: String, value: JSON)] {
    var details: [(key: String, value: JSON)] = []
    for (key, value) in json.members where !known.contains(key) && !ignored.contains(key) {
      if key == "Grouping Sets" {
        details += groupingSets(value)
      } else if key == "Sampling Method" {
        details.append(("Sampling", .string(sampling(json))))
      } else if let value = plain(value, key), !isUnchanged(key, value, json) {
        details.append((key, value))
      }
    }
    return details
  }

  /// Without what says nothing; nil for nothing. (A `nil` in a conditional expression would be JSON's own null.)
  private static func plain(_ value: JSON, _ key: String) -> JSON? {
    switch value {
    case .null, .bool(false): return nil
    case .string(let text):
      if defaults.contains("\(key)=\(text)") { return nil }
      return value
    case .array(let elements):
      let texts = elements.compactMap(\.text)
      guard texts.count == elements.count else { return value }
      if texts.isEmpty { return nil }
      return .string(texts.joined(separator: ", "))
    case .integer, .number, .decimal:
      guard let number = value.real else { return .string(value.description) }
      if number == 0, !["Workers Launched", "Heap Fetches"].contains(key) { return nil }
      return .figure(number)
    case .bool, .object: return value
    }
  }

  /// The first numbers of a hash table are told in text only where they have changed.
  private static func isUnchanged(_ key: String, _ value: JSON, _ json: JSON) -> Bool {
    switch key {
    case "Original Hash Buckets": value.real == json["Hash Buckets"].real
    case "Original Hash Batches": value.real == json["Hash Batches"].real
    default: false
    }
  }

  /// As the text format prints it: `system ('1'::real) REPEATABLE ('7'::double precision)`.
  private static func sampling(_ json: JSON) -> String {
    let parameters = json["Sampling Parameters"].elements.compactMap(\.text).joined(separator: ", ")
    let seed = json["Repeatable Seed"].text.map { " REPEATABLE (\($0))" } ?? ""
    return "\(json["Sampling Method"].text ?? "") (\(parameters))\(seed)"
  }

  /// As the text format prints them: a line a set.
  private static func groupingSets(_ sets: JSON) -> [(key: String, value: JSON)] {
    sets.elements.flatMap(\.members).flatMap { member -> [(key: String, value: JSON)] in
      let lists = member.key == "Sort Key" ? [member.value] : member.value.elements
      let key = ["Hash Keys": "Hash Key", "Group Keys": "Group Key"][member.key] ?? member.key
      return lists.map { list in
        let texts = list.elements.compactMap(\.text)
        return (key, .string(texts.isEmpty ? "()" : texts.joined(separator: ", ")))
      }
    }
  }
}

extension PlanNode.Actual {
  /// Nil where there is none.
  fileprivate init?(_ json: JSON) throws(PlanFault) {
    guard let loops = try json.amount("Actual Loops") else { return nil }
    self.loops = loops
    rows = try json.amount("Actual Rows") ?? 0
    let times = (try json.amount("Actual Startup Time"), try json.amount("Actual Total Time"))
    // Of what was never executed JSON says that it took no time, and text says nothing.
    (startupTime, totalTime) = loops > 0 ? times : (nil, nil)
  }
}

extension BufferUse {
  init(_ json: JSON) throws(PlanFault) {
    self.init()
    guard !json.members.isEmpty else { return }
    for (key, path) in Self.counts {
      guard let count = try json.amount(key) else { continue }
      guard count <= Double(Self.countMax) else { throw PlanFault("\"\(key)\" is out of range", key) }
      self[keyPath: path] = Int(count)
    }
    for (key, path) in Self.times { self[keyPath: path] += try json.amount(key) ?? 0 }
  }
}

extension TriggerUse {
  fileprivate init(_ json: JSON) throws(PlanFault) {
    let constraint = json["Constraint Name"].text
    name = constraint ?? json["Trigger Name"].text ?? ""
    isConstraint = constraint != nil
    relation = json["Relation"].text
    time = try json.amount("Time")
    calls = try json.amount("Calls") ?? 0
  }
}

extension JITUse {
  fileprivate init(_ json: JSON) throws(PlanFault) {
    functions = Int(min(try json.amount("Functions") ?? 0, 1e9))
    options = json["Options"].members.filter { $0.value.boolean == true }.map(\.key)
    total = try json.inside("Timing") { value throws(PlanFault) in try value.amount("Total") }
  }
}

extension SerializationUse {
  fileprivate init(_ json: JSON) throws(PlanFault) {
    time = try json.amount("Time")
    output = Int(min(try json.amount("Output Volume") ?? 0, 1e15))
    format = json["Format"].text ?? ""
  }
}

extension JSON {
  /// A whole number as one, so that a count prints as `1` and not as `1.0`.
  public static func figure(_ value: Double) -> JSON {
    Int64(exactly: value).map { JSON.integer($0) } ?? .number(value)
  }
}

extension JSON {
  /// Reads one member; what is wrong inside it is told with its name.
  fileprivate func inside<T>(_ name: String, _ read: (JSON) throws(PlanFault) -> T) throws(PlanFault) -> T {
    do throws(PlanFault) { return try read(self[name]) } catch { throw error.inside(name) }
  }

  /// Reads the elements of a member; what is wrong in one is told with its place.
  fileprivate func each<T>(
    _ name: String, _ read: (JSON) throws(PlanFault) -> T
  ) throws(PlanFault) -> [T] {
    var values: [T] = []
    for (index, element) in self[name].elements.enumerated() {
      do throws(PlanFault) { values.append(try read(element)) } catch { throw error.inside(name, index) }
    }
    return values
  }

  /// A number that a `Double` holds, nil where the member is absent.
  fileprivate func finite(_ key: String) throws(PlanFault) -> Double? {
    let value = self[key]
    if case .null = value { return nil }
    guard let number = value.real else { throw PlanFault("\"\(key)\" is no number in range", key) }
    return number
  }

  /// A number from 0 on, nil where the member is absent.
  fileprivate func amount(_ key: String) throws(PlanFault) -> Double? {
    guard let number = try finite(key) else { return nil }
    guard number >= 0 else { throw PlanFault("\"\(key)\" is below 0", key) }
    return number
  }
}
