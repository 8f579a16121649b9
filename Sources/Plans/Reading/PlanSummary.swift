import Primitives

/// What stands below the tree: planning, triggers, JIT, settings, times.
struct PlanSummary {
  typealias Members = [(key: String, value: JSON)]

  /// The statement, from `auto_explain`.
  var query: String?
  private var triggers: [JSON] = []
  private var sections: Members = []
  /// The section that deeper lines belong to.
  private var section: String?

  /// Whether the tree has ended.
  private(set) var isOpen = false

  /// As members of the JSON format's document.
  var members: Members {
    var members = sections
    if let query { members.append(("Query Text", .string(query))) }
    if !triggers.isEmpty { members.append(("Triggers", .array(triggers))) }
    return members
  }

  /// A line at the column of the root.
  mutating func begin(_ text: ByteText, _ column: Int, _ line: Int) throws(PlanError) {
    isOpen = true
    section = nil
    if let rest = text.after("Trigger ") {
      triggers.append(try trigger(rest, line))
      return
    }
    if text.string == "Planning:" || text.string == "JIT:" {
      section = String(text.string.dropLast())
      return
    }
    guard let (key, value) = text.split(at: ": "), key.bytes.count <= 60 else {
      throw PlanError("\"\(text.string.prefix(60))\" is nothing that ends a plan", line: line)
    }
    switch key.string {
    case "Planning Time", "Execution Time":
      sections.append((key.string, .number(try milliseconds(value, line))))
    case "Total runtime": sections.append(("Execution Time", .number(try milliseconds(value, line))))
    case "Settings": sections.append(("Settings", .object(try settings(value, line))))
    case "Serialization":
      section = "Serialization"
      sections.append(("Serialization", .object(try serialization(value, line))))
    // Whatever an extension adds.
    default: sections.append((key.string, .string(value.string)))
    }
  }

  /// A deeper line.
  mutating func goOn(_ text: ByteText, _ line: Int) throws(PlanError) {
    guard let section, let (key, value) = text.split(at: ": ") else {
      throw PlanError("\"\(text.string.prefix(60))\" is nothing that ends a plan", line: line)
    }
    switch (section, key.string) {
    case ("JIT", "Functions"): try add([("Functions", .number(try number(value, line)))], to: section, line)
    case ("JIT", "Options"):
      let options = value.pieces(between: ", ").compactMap { $0.split(at: " ") }
      try add(
        [("Options", .object(options.map { ($0.before.string, .bool($0.after.string == "true")) }))],
        to: section, line)
    case ("JIT", "Timing"):
      guard let (_, total) = value.split(at: "Total ", last: true) else {
        throw PlanError("no total time of JIT", line: line)
      }
      try add([("Timing", .object([("Total", .number(try milliseconds(total, line)))]))], to: section, line)
    default:
      try add(
        PropertyLine.members(key.string, value.trimmed, isAggregate: false, line: line), to: section, line)
    }
  }

  private mutating func add(_ members: Members, to section: String, _ line: Int) throws(PlanError) {
    if let known = sections.firstIndex(where: { $0.key == section }) {
      let all = sections[known].value.members + members
      // A server says a dozen things of one; each is copied with all before it.
      guard all.count <= 200 else { throw PlanError("too much about \(section)", line: line) }
      sections[known].value = .object(all)
    } else {
      sections.append((section, .object(members)))
    }
  }

  private func number(_ text: ByteText, _ line: Int) throws(PlanError) -> Double {
    guard let number = text.trimmed.number, number >= 0 else {
      throw PlanError("\"\(text.string.prefix(40))\" is no number in range", line: line)
    }
    return number
  }

  /// `1.2 ms`
  private func milliseconds(_ text: ByteText, _ line: Int) throws(PlanError) -> Double {
    try number(text.trimmed.ends(with: " ms") ? text.trimmed.dropLast(3) : text, line)
  }

  /// `for constraint fk on orders: time=0.1 calls=1`
  private func trigger(_ text: ByteText, _ line: Int) throws(PlanError) -> JSON {
    guard let (names, numbers) = text.split(at: ": ", last: true) else {
      throw PlanError("a trigger without numbers", line: line)
    }
    var members: Members = []
    var subject = names
    if let (name, relation) = subject.split(at: " on ", last: true) {
      members.append(("Relation", .string(relation.string)))
      subject = name
    }
    if let constraint = subject.after("for constraint ") {
      members.append(("Constraint Name", .string(constraint.string)))
    } else if let (name, constraint) = subject.split(at: " for constraint ") {
      members += [("Trigger Name", .string(name.string)), ("Constraint Name", .string(constraint.string))]
    } else {
      members.append(("Trigger Name", .string(subject.string)))
    }
    for word in numbers.pieces(between: " ") {
      if let time = word.after("time=") {
        members.append(("Time", .number(try number(time, line))))
      } else if let calls = word.after("calls=") {
        members.append(("Calls", .number(try number(calls, line))))
      } else {
        throw PlanError("\"\(word.string.prefix(40))\" of a trigger", line: line)
      }
    }
    return .object(members)
  }

  /// `work_mem = '64kB', search_path = 'a''b, c'`
  private func settings(_ text: ByteText, _ line: Int) throws(PlanError) -> Members {
    var members: Members = []
    var rest = text
    while let (name, behind) = rest.split(at: " = '") {
      var value: [UInt8] = []
      var place = behind.bytes.startIndex
      let bytes = behind.bytes
      while true {
        guard place < bytes.endIndex else { throw PlanError("a setting's quote is not closed", line: line) }
        if bytes[place] == 0x27 {
          guard place + 1 < bytes.endIndex, bytes[place + 1] == 0x27 else { break }
          place += 1
        }
        value.append(bytes[place])
        place += 1
      }
      members.append((name.trimmed.string, .string(String(decoding: value, as: UTF8.self))))
      rest = ByteText(bytes[(place + 1)...])
      rest = rest.after(", ") ?? rest
    }
    guard rest.trimmed.isEmpty else {
      throw PlanError("\"\(rest.string.prefix(40))\" is no setting", line: line)
    }
    return members
  }

  /// `time=0.1 ms  output=1kB  format=text`
  private func serialization(_ text: ByteText, _ line: Int) throws(PlanError) -> Members {
    var members: Members = []
    for piece in text.pieces(between: "  ") {
      if let time = piece.after("time=") {
        members.append(("Time", .number(try milliseconds(time, line))))
      } else if let output = piece.after("output="), output.ends(with: "kB") {
        members.append(("Output Volume", .number(try number(output.dropLast(2), line))))
      } else if let format = piece.after("format=") {
        members.append(("Format", .string(format.string)))
      } else {
        throw PlanError("\"\(piece.string.prefix(40))\" of a serialization", line: line)
      }
    }
    return members
  }
}
