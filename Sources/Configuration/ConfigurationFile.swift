/// What a configuration file says: the values that are settings, and everything wrong with the rest.
struct ConfigurationFile {
  /// A value, where it stands, and the setting it belongs to.
  struct Value {
    let setting: Setting
    let value: SettingValue
    let position: TextPosition?
  }

  let path: String
  private(set) var values: [Value] = []
  private(set) var problems: [ConfigurationProblem] = []

  /// The largest file that is read, in bytes.
  static let maxBytes = 1 << 20
  /// More problems than anybody reads at once.
  static let maxProblems = 100

  /// Understands `bytes`, which were read from `path`. Never fails: what is wrong is in `problems`.
  init(path: String, bytes: [UInt8]) {
    self.path = path
    parse(bytes)
  }

  private mutating func parse(_ bytes: [UInt8]) {
    if let position = Self.firstInvalidLine(bytes) {
      report(position, "is not UTF-8 on this line")
      return
    }
    do throws(TOMLFault) {
      read(try TOMLDocument(bytes))
    } catch {
      switch error {
      case .malformed(let position, let reason): report(position, "is not TOML: \(reason)")
      case .tooDeep(let position): report(position, "nests deeper than \(TOMLDocument.maxDepth) levels")
      case .nul(let position): report(position, "holds a NUL character")
      case .tooManyKeys(let position): report(position, "has more than \(TOMLDocument.maxEntries) keys")
      }
    }
  }

  private mutating func report(_ position: TextPosition?, _ message: String, suggestion: String? = nil) {
    guard problems.count < Self.maxProblems else { return }
    problems.append(ConfigurationProblem(path, at: position, message, suggestion: suggestion))
  }

  /// A setting is named by two keys. What lies deeper makes its second key a table, and is reported once.
  private mutating func read(_ document: TOMLDocument) {
    var seen: Set<[String]> = []
    for entry in document.entries {
      guard let section = entry.path.first else { continue }
      guard Setting.sections.contains(section) else {
        if seen.insert([section]).inserted { unknownSection(section, entry) }
        continue
      }
      if entry.path.count == 1 {
        if entry.value != .table { report(entry.key, "\(section) must be a table: [\(section)]") }
      } else if seen.insert(Array(entry.path[..<2])).inserted {
        read(section, entry.path[1], entry.path.count == 2 ? entry.value : .table, entry)
      }
    }
  }

  private mutating func read(
    _ section: String, _ key: String, _ value: TOMLValue, _ entry: TOMLDocument.Entry
  ) {
    guard let setting = Setting.all.first(where: { $0.section == section && $0.key == key }) else {
      let keys = Setting.all.filter { $0.section == section }.map(\.key)
      let elsewhere = Setting.all.filter { $0.key == key }.map(\.name)
      report(
        entry.key, "unknown key \(quoted(key)) in [\(section)]",
        suggestion: nearest(to: key, among: keys) ?? (elsewhere.count == 1 ? elsewhere.first : nil))
      return
    }
    guard let converted = settingValue(value) else {
      report(entry.valuePosition, "\(setting.name) must be \(setting.typeName), not \(named(value))")
      return
    }
    values.append(Value(setting: setting, value: converted, position: entry.valuePosition))
  }

  /// The loader found `value` to break a rule of its setting.
  func problem(with value: Value, _ fault: String) -> ConfigurationProblem {
    ConfigurationProblem(path, at: value.position, "\(value.setting.name) \(fault)")
  }

  private mutating func unknownSection(_ name: String, _ entry: TOMLDocument.Entry) {
    let isSection: Bool
    switch entry.value {
    case .table, .array: isSection = true
    default: isSection = entry.path.count > 1
    }
    let owners = Setting.all.filter { $0.key == name }.map(\.name)
    if !isSection, !owners.isEmpty {
      report(
        entry.key, "unknown key \(quoted(name)) outside of any table",
        suggestion: owners.count == 1 ? owners.first : nil)
    } else {
      report(
        entry.key, "unknown \(isSection ? "section" : "key") \(quoted(name))",
        suggestion: nearest(to: name, among: Setting.sections))
    }
  }

  private func settingValue(_ value: TOMLValue) -> SettingValue? {
    switch value {
    case .string(let text): return .text(text)
    case .integer(let integer): return .integer(integer)
    case .number(let number): return .number(number)
    case .boolean(let flag): return .boolean(flag)
    case .array(let elements):
      var texts: [String] = []
      for element in elements {
        guard case .string(let text) = element else { return nil }
        texts.append(text)
      }
      return .list(texts)
    case .table, .date: return nil
    }
  }

  private func named(_ value: TOMLValue) -> String {
    switch value {
    case .array: "an array of other things"
    case .table: "a table"
    default: "a date or time"
    }
  }

  private static func firstInvalidLine(_ bytes: [UInt8]) -> TextPosition? {
    if String(validating: bytes, as: UTF8.self) != nil { return nil }
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .enumerated()
    where String(validating: line, as: UTF8.self) == nil {
      return TextPosition(line: index + 1, column: 1)
    }
    return TextPosition(line: 1, column: 1)
  }
}

/// A name out of a file as a message shows it: short, and without characters that move a cursor.
private func quoted(_ name: String) -> String {
  let shown = name.unicodeScalars.prefix(60).map {
    $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) ? "?" : String($0)
  }
  return "\"" + shown.joined() + (name.unicodeScalars.count > 60 ? "…" : "") + "\""
}
