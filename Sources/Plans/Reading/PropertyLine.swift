import Primitives

/// The members of the JSON format's object that a line below a node stands for.
enum PropertyLine {
  typealias Members = [(key: String, value: JSON)]

  /// - Parameter isAggregate: whether the node is one, whose batches are not those of a hash join.
  static func members(
    _ key: String, _ value: ByteText, isAggregate: Bool, line: Int
  ) throws(PlanError) -> Members {
    switch key {
    case "Buffers": return try buffers(value, line)
    case "I/O Timings": return try times(value, line)
    case "WAL": return try pairs(value, prefix: "WAL ", names: wal, line)
    case "Heap Blocks":
      return try pairs(value, names: ["exact": "Exact Heap Blocks", "lossy": "Lossy Heap Blocks"], line)
    case "Tuples": return try pairs(value, names: tuples, line)
    case "Memory": return try memory(value, line)
    case "Sort Method": return try sortMethod(value, line)
    case "Full-sort Groups", "Pre-sorted Groups": return [(key, try groups(value, line))]
    case "Buckets", "Batches", "Planned Partitions", "Hits", "Storage":
      return try row("\(key): ", value, names: isAggregate ? aggregateRow : row, line)
    default: return [(key, scalar(key, value))]
    }
  }

  /// A text, unless it is a number and the member one that PostgreSQL makes a number.
  static func scalar(_ key: String, _ value: ByteText) -> JSON {
    if value.string == "true" { return true }
    if value.string == "false" { return false }
    if let number = value.number, !isText(key) { return .number(number) }
    return .string(value.string)
  }

  /// Expressions and lists of them may look like a number.
  private static func isText(_ key: String) -> Bool {
    if key.hasPrefix("Rows Removed") { return false }
    return isExpression(key)
  }

  private static func isExpression(_ key: String) -> Bool {
    [
      "Output", "Filter", "Function Call", "Params Evaluated", "Cache Key", "Cache Mode", "Window",
      "Conflict Resolution",
    ]
    .contains(key)
      || ["Cond", "Key", "Filter", "SQL", "By", "Sampling", "Indexes"].contains { key.hasSuffix($0) }
  }

  // MARK: name=number

  private static let wal = [
    "records": "Records", "fpi": "FPI", "bytes": "Bytes", "buffers full": "Buffers Full",
  ]
  private static let tuples = [
    "inserted": "Tuples Inserted", "updated": "Tuples Updated", "deleted": "Tuples Deleted",
    "skipped": "Tuples Skipped",
  ]

  private static func number(_ text: ByteText, _ line: Int) throws(PlanError) -> Double {
    guard let number = text.number, number >= 0 else {
      throw PlanError("\"\(text.string.prefix(40))\" is no number in range", line: line)
    }
    return number
  }

  /// `exact=10 lossy=2`. A name may have a blank in it (`buffers full=1`).
  private static func pairs(
    _ value: ByteText, prefix: String = "", names: [String: String], _ line: Int
  ) throws(PlanError) -> Members {
    var members: Members = []
    var waiting: [String] = []
    for word in value.trimmed.pieces(between: " ") where !word.isEmpty {
      guard let (last, digits) = word.split(at: "=") else {
        waiting.append(word.string)
        continue
      }
      let name = (waiting + [last.string]).joined(separator: " ")
      waiting = []
      guard let key = names[name] else {
        throw PlanError("\"\(name.prefix(40))\" is not known here", line: line)
      }
      members.append((prefix + key, .number(try number(digits, line))))
    }
    guard waiting.isEmpty else {
      throw PlanError("\"\(value.string.prefix(40))\" is not complete", line: line)
    }
    return members
  }

  /// `shared hit=1 read=2, temp read=3`
  private static func buffers(_ value: ByteText, _ line: Int) throws(PlanError) -> Members {
    var members: Members = []
    for group in value.pieces(between: ",") {
      guard let (kind, counts) = group.trimmed.split(at: " ") else {
        throw PlanError("\"\(group.string.prefix(40))\" is not complete", line: line)
      }
      let place = capitalized(kind.string)
      let names = ["hit", "read", "dirtied", "written"].map { ($0, "\(place) \(capitalized($0)) Blocks") }
      members += try pairs(counts, names: Dictionary(uniqueKeysWithValues: names), line)
    }
    return members
  }

  /// `read=1.0 write=2.0` up to 14, `shared/local read=1.0, temp write=2.0` to 16, `shared read=1.0, local …` since.
  private static func times(_ value: ByteText, _ line: Int) throws(PlanError) -> Members {
    var members: Members = []
    for group in value.pieces(between: ",") {
      let words = group.trimmed.pieces(between: " ")
      let kind = words.first.flatMap { $0.contains("=") ? nil : $0.string }
      let place: String =
        switch kind {
        case nil, "shared/local": ""
        case .some(let kind): "\(capitalized(kind)) "
        }
      let names = ["read": "\(place)I/O Read Time", "write": "\(place)I/O Write Time"]
      let counts = ByteText(words.dropFirst(kind == nil ? 0 : 1).map(\.string).joined(separator: " "))
      members += try pairs(counts, names: names, line)
    }
    return members
  }

  private static func capitalized(_ word: String) -> String { word.prefix(1).uppercased() + word.dropFirst() }

  /// `used=9kB  allocated=16kB`
  private static func memory(_ value: ByteText, _ line: Int) throws(PlanError) -> Members {
    let plain = ByteText(value.pieces(between: "kB").map(\.string).joined())
    return try pairs(plain, names: ["used": "Memory Used", "allocated": "Memory Allocated"], line)
  }

  // MARK: Several on one line

  private static let row = [
    "Buckets": "Hash Buckets", "Batches": "Hash Batches", "Memory Usage": "Peak Memory Usage",
    "Disk Usage": "Disk Usage", "Planned Partitions": "Planned Partitions", "Hits": "Cache Hits",
    "Misses": "Cache Misses", "Evictions": "Cache Evictions", "Overflows": "Cache Overflows",
    "Storage": "Storage", "Maximum Storage": "Maximum Storage",
  ]
  private static let aggregateRow = row.merging(["Batches": "HashAgg Batches"]) { $1 }

  /// `Buckets: 1024 (originally 512)  Batches: 1  Memory Usage: 9kB`
  private static func row(
    _ start: String, _ value: ByteText, names: [String: String], _ line: Int
  ) throws(PlanError) -> Members {
    var members: Members = []
    for piece in ByteText(start + value.string).pieces(between: "  ") where !piece.isEmpty {
      guard let (name, text) = piece.split(at: ": "), let key = names[name.trimmed.string] else {
        throw PlanError("\"\(piece.string.prefix(40))\" is not known here", line: line)
      }
      if key == "Storage" {
        members.append((key, .string(text.trimmed.string)))
        continue
      }
      var digits = text.trimmed
      if let (now, before) = digits.split(at: " (originally ") {
        members.append(("Original \(key)", .number(try number(before.dropLast(1), line))))
        digits = now
      }
      members.append((key, .number(try number(digits.ends(with: "kB") ? digits.dropLast(2) : digits, line))))
    }
    return members
  }

  /// `external merge  Disk: 12kB`
  private static func sortMethod(_ value: ByteText, _ line: Int) throws(PlanError) -> Members {
    guard let (method, space) = value.split(at: "  ") else { return [("Sort Method", .string(value.string))] }
    guard let (kind, size) = space.trimmed.split(at: ": "), size.ends(with: "kB") else {
      throw PlanError("\"\(space.string.prefix(40))\" is not what EXPLAIN prints", line: line)
    }
    return [
      ("Sort Method", .string(method.string)),
      ("Sort Space Used", .number(try number(size.dropLast(2), line))),
      ("Sort Space Type", .string(kind.string)),
    ]
  }

  /// `3  Sort Methods: quicksort, top-N heapsort  Average Memory: 28kB  Peak Memory: 28kB`, of an incremental sort.
  private static func groups(_ value: ByteText, _ line: Int) throws(PlanError) -> JSON {
    var group: Members = []
    for (place, piece) in value.pieces(between: "  ").map(\.trimmed).enumerated() where !piece.isEmpty {
      if place == 0 {
        group.append(("Group Count", .number(try number(piece, line))))
        continue
      }
      guard let (name, text) = piece.split(at: ": ") else {
        throw PlanError("\"\(piece.string.prefix(40))\" is not known here", line: line)
      }
      if name.starts(with: "Sort Method") {
        group.append(("Sort Methods Used", .array(text.pieces(between: ", ").map { .string($0.string) })))
        continue
      }
      let words = name.string.split(separator: " ").map(String.init)
      guard words.count == 2, ["Average", "Peak"].contains(words[0]), text.ends(with: "kB") else {
        throw PlanError("\"\(piece.string.prefix(40))\" is not known here", line: line)
      }
      let space = ("\(words[0]) Sort Space Used", JSON.number(try number(text.dropLast(2), line)))
      let kind = "Sort Space \(words[1])"
      if let known = group.firstIndex(where: { $0.key == kind }) {
        let spaces = group[known].value.members + [space]
        guard spaces.count <= 10 else { throw PlanError("too much about \(kind)", line: line) }
        group[known].value = .object(spaces)
      } else {
        group.append((kind, .object([space])))
      }
    }
    return .object(group)
  }
}
