public import Indexes
public import Primitives

/// What takes a prune back: a SQL file for people and psql, in which each index also stands as a JSON comment.
///
/// The text is a function of the value, and reading compares every byte: a statement that does not say what its comment
/// says is an error. A SHA-256 at the end tells a file that was cut short or edited.
public struct UndoFile: Sendable, Equatable {
  /// One index that was about to be dropped.
  public struct Entry: Sendable, Equatable {
    public var restoration: IndexRestoration
    /// The kind of the finding, such as `unused`.
    public var kind: String
    /// When it was written down.
    public var notedAt: String

    public init(_ restoration: IndexRestoration, kind: String, notedAt: String) {
      self.restoration = restoration
      self.kind = kind
      self.notedAt = notedAt
    }
  }

  /// `system_identifier` of the server.
  public var system: String
  public var database: String
  public var entries: [Entry]

  public init(system: String, database: String, entries: [Entry] = []) {
    self.system = system
    self.database = database
    self.entries = entries
  }

  /// Adds what is not there yet. No index is taken out; one that is noted anew, with another comment or tablespace, say, is what
  /// its last entry says.
  ///
  /// - Returns: the name of an index that the file has with another definition, in which case nothing was added.
  public mutating func add(_ new: [Entry]) -> RelationName? {
    var merged = entries
    for entry in new {
      guard let place = merged.firstIndex(where: { $0.restoration.index == entry.restoration.index }) else {
        merged.append(entry)
        continue
      }
      let known = merged[place]
      guard ExactText(known.restoration.definition) == ExactText(entry.restoration.definition) else {
        return entry.restoration.index
      }
      // By their text: two comments that look the same need not be.
      if !known.body.utf8.elementsEqual(entry.body.utf8) { merged[place] = entry }
    }
    entries = merged
    return nil
  }

  // MARK: Text

  private static let title = [
    "-- IronForge undo file, version 1: makes again what `ironforge index prune` has dropped.",
    "-- All of it: ironforge index restore FILE, and then with --execute.",
    "-- By hand: each statement below through psql, outside a transaction.",
  ]
  private static let indexMark = "-- index "
  private static let databaseMark = "-- database "
  private static let sumMark = "-- sha256 "

  /// The whole file, as UTF-8.
  public var bytes: [UInt8] {
    var text = Self.title.joined(separator: "\n") + "\n"
    let origin: JSON = ["system": .string(system), "name": .string(database)]
    text += Self.databaseMark + origin.description + "\n"
    for entry in entries { text += Self.indexMark + entry.json.description + "\n" + entry.body }
    return Array((text + Self.sumMark + SHA256.digest(of: text.utf8).hexadecimal + "\n").utf8)
  }

  /// Reads a file back.
  ///
  /// - Parameter name: how errors call it.
  /// - Throws: `InputError` `undo_malformed` with the line.
  public init(parsing bytes: [UInt8], name: String) throws(InputError) {
    var reader = LineReader(bytes, name)
    for line in Self.title { try reader.expect(line + "\n", "this is no undo file of ironforge") }
    let origin = try reader.json(after: Self.databaseMark)
    guard let system = origin["system"].text, let database = origin["name"].text else {
      throw reader.errorInJSON("the database has no system and name")
    }
    self.init(system: system, database: database)
    while !reader.begins(with: Self.sumMark) {
      guard !reader.isAtEnd else {
        throw reader.error("the file has no checksum at its end: it was cut short")
      }
      let json = try reader.json(after: Self.indexMark)
      guard let entry = Entry(json), entry.restoration.makesAnIndex else {
        throw reader.errorInJSON("this is no whole description of an index")
      }
      let body = reader.begins(with: entry.earlierBody) ? entry.earlierBody : entry.body
      try reader.expect(body, "this statement is not what the line above it says")
      if entries.contains(where: { $0.restoration.index == entry.restoration.index }) {
        throw reader.errorInJSON("\(entry.restoration.index) stands in the file twice")
      }
      entries.append(entry)
    }
    let sum = SHA256.digest(of: reader.consumed).hexadecimal
    try reader.expect(Self.sumMark + sum + "\n", "the checksum is not that of the text: it was edited")
    guard reader.isAtEnd else { throw reader.error("something follows the checksum") }
  }
}

extension IndexRestoration {
  /// Whether its first statement can be nothing but that.
  fileprivate var makesAnIndex: Bool {
    definition.hasPrefix("CREATE INDEX ") || definition.hasPrefix("CREATE UNIQUE INDEX ")
  }
}

extension UndoFile.Entry {
  /// The statements as they stand in the file.
  fileprivate var body: String { restoration.statements.map { $0 + "\n" }.joined() }

  /// The same in files of earlier versions, which put the name of a clustered index in quotes where it needs none, too.
  fileprivate var earlierBody: String {
    let name = "\"" + restoration.index.name.doubling(["\""]) + "\""
    let clustering = "ALTER TABLE \(restoration.table.quoted) CLUSTER ON \(name);"
    return restoration.statements.map { ($0 == restoration.clustering ? clustering : $0) + "\n" }.joined()
  }

  fileprivate var json: JSON {
    let targets = restoration.statisticsTargets.sorted { $0.key < $1.key }
    let described: JSON = [
      "schema": .string(restoration.index.schema), "name": .string(restoration.index.name),
      "quoted": .string(restoration.index.quoted), "table": .string(restoration.table.name),
      "table_schema": .string(restoration.table.schema), "table_quoted": .string(restoration.table.quoted),
      "definition": .string(restoration.definition), "tablespace": .optional(restoration.tablespace),
      "predicate": .optional(restoration.predicate),
      "statistics": .object(targets.map { ("\($0.key)", .integer(Int64($0.value))) }),
      "comment": .optional(restoration.comment), "clustered": .bool(restoration.isClustered),
      "kind": .string(kind), "noted_at": .string(notedAt),
    ]
    // Only where it says something: files of a time before it are as good.
    let expressions: [(String, JSON)] = restoration.hasExpressions ? [("expressions", true)] : []
    let names = JSON.array(restoration.extensions.map(JSON.string))
    return .object(
      described.members + expressions + (restoration.extensions.isEmpty ? [] : [("extensions", names)]))
  }

  fileprivate init?(_ json: JSON) {
    guard let schema = json["schema"].text, let name = json["name"].text, let quoted = json["quoted"].text,
      let table = json["table"].text, let tableSchema = json["table_schema"].text,
      let tableQuoted = json["table_quoted"].text, let definition = json["definition"].text,
      let isClustered = json["clustered"].boolean, let kind = json["kind"].text,
      let notedAt = json["noted_at"].text
    else { return nil }
    var targets: [Int16: Int32] = [:]
    for (key, value) in json["statistics"].members {
      guard let position = Int16(key), position > 0,
        let target = value.integer.flatMap({ Int32(exactly: $0) })
      else { return nil }
      targets[position] = target
    }
    self.init(
      IndexRestoration(
        index: RelationName(schema: schema, name: name, quoted: quoted),
        table: RelationName(schema: tableSchema, name: table, quoted: tableQuoted),
        definition: definition, tablespace: json["tablespace"].text, predicate: json["predicate"].text,
        statisticsTargets: targets, comment: json["comment"].text,
        extensions: json["extensions"].elements.compactMap(\.text), isClustered: isClustered,
        hasExpressions: json["expressions"].boolean ?? false),
      kind: kind, notedAt: notedAt)
    // What was left out of the text, or written in another way, would be lost.
    guard self.json == json.normalized else { return nil }
  }
}

extension JSON {
  /// Numbers that were read as they were written, as whole ones.
  fileprivate var normalized: JSON {
    switch self {
    case .object(let members): .object(members.map { ($0.key, $0.value.normalized) })
    case .decimal(let digits):
      Int64(digits).flatMap { String($0) == digits ? .integer($0) : nil } ?? self
    default: self
    }
  }
}

/// Goes through a file whose bytes are known beforehand, piece by piece.
private struct LineReader {
  private let bytes: [UInt8]
  private let name: String
  private var position = 0
  /// Where the last JSON began.
  private var described = 0

  init(_ bytes: [UInt8], _ name: String) {
    self.bytes = bytes
    self.name = name
  }

  var isAtEnd: Bool { position == bytes.count }
  var consumed: ArraySlice<UInt8> { bytes[..<position] }

  func begins(with text: String) -> Bool { bytes[position...].starts(with: text.utf8) }

  func error(_ reason: String) -> InputError { error(reason, at: position) }

  /// About the JSON that was read last.
  func errorInJSON(_ reason: String) -> InputError { error(reason, at: described) }

  private func error(_ reason: String, at place: Int) -> InputError {
    let line = bytes[..<min(place, bytes.count)].count { $0 == 0x0A } + 1
    return InputError(
      file: name, line: line, reason, code: "undo_malformed",
      hint: "statements that you trust can be run by hand, with psql")
  }

  mutating func expect(_ text: String, _ reason: String) throws(InputError) {
    for byte in text.utf8 {
      guard position < bytes.count else { throw error("the file ends here: it was cut short") }
      guard bytes[position] == byte else { throw error(reason) }
      position += 1
    }
  }

  mutating func json(after mark: String) throws(InputError) -> JSON {
    described = position
    try expect(mark, "a line should begin with \"\(mark)\"")
    guard let end = bytes[position...].firstIndex(of: 0x0A) else {
      throw error("the file ends here: it was cut short")
    }
    defer { position = end + 1 }
    do throws(JSONError) {
      return try JSON(parsing: Array(bytes[position..<end]))
    } catch {
      throw self.error(error.reason)
    }
  }
}
