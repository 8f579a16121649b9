public import Primitives

/// Findings that somebody has accepted, each with a reason and for a time: a CSV file with the columns `id`, `reason`
/// and `until`, and `about` for whoever edits it.
public struct Baseline: Sendable {
  /// One accepted finding.
  public struct Entry: Sendable {
    public let reason: String
    /// From this moment on the finding counts as new again.
    public let until: Timestamp

    /// What is said of a finding that was accepted once.
    public var expiry: Reason {
      Reason("baseline_expired", "the baseline accepted it until \(until.minute): \(reason)")
    }
  }

  private enum Column: String, CaseIterable {
    case id
    case reason
    case until
    case about
  }

  /// By the findings' ids.
  public private(set) var entries: [String: Entry] = [:]

  /// Reads a file.
  ///
  /// - Throws: `InputError` with the line of what is wrong.
  public init(_ file: InputFile) throws {
    try self.init(name: file.name) { try file.read(into: $0) }
  }

  /// As `init(_:)`, out of any source.
  init(name: String, read: @escaping (UnsafeMutableRawBufferPointer) throws -> Int) throws {
    var reader = try CSVReader<Column>(name: name, required: [.id, .reason, .until], read: read)
    while let record = try reader.next() {
      let id = try record.required(.id)
      guard id.utf8.count == 16, id.utf8.allSatisfy(Self.isHexadecimal) else {
        throw record.error("\(id) is no id of a finding", hint: "copy it from `ironforge index audit`")
      }
      let text = try record.required(.until)
      guard let moment = Timestamp(rfc3339: text) else {
        throw record.error("\(text) is no date", hint: "such as 2027-01-31")
      }
      // A date without a time is the whole day.
      let until = text.contains(":") ? moment : moment + .seconds(86_400)
      let entry = Entry(reason: try record.required(.reason), until: until)
      guard entries.updateValue(entry, forKey: id) == nil else {
        throw record.error("\(id) stands there twice")
      }
    }
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
  }

  /// The entry that accepts the finding now.
  public func acceptance(of finding: Finding, at now: Timestamp) -> Entry? {
    entries[finding.id].flatMap { now < $0.until ? $0 : nil }
  }

  /// The entry that accepted the finding and does no more.
  public func expired(_ finding: Finding, at now: Timestamp) -> Entry? {
    entries[finding.id].flatMap { now < $0.until ? nil : $0 }
  }
}
