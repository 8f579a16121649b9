import TOMLKit

/// A configuration file as TOMLKit reads it: the values that are settings, and everything wrong with the rest.
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
    let outline = TOMLOutline(bytes)
    switch outline.refusal {
    case .tooDeep(let position): return report(position, "nests deeper than \(TOMLOutline.maxDepth) levels")
    case .nul(let position): return report(position, "holds a NUL character")
    case .malformed(let position, let reason): return report(position, "is not TOML: \(reason)")
    case nil: break
    }
    do {
      let table = try TOMLTable(string: String(decoding: bytes, as: UTF8.self))
      read(table, outline)
    } catch let error as TOMLParseError {
      let begin = error.source.begin
      report(
        TextPosition(line: begin.line, column: begin.column),
        "is not TOML: " + quotesBlanked(error.description))
    } catch {
      report(nil, "is not TOML")
    }
  }

  private mutating func report(_ position: TextPosition?, _ message: String, suggestion: String? = nil) {
    guard problems.count < Self.maxProblems else { return }
    problems.append(ConfigurationProblem(path, at: position, message, suggestion: suggestion))
  }

  private mutating func read(_ document: TOMLTable, _ outline: TOMLOutline) {
    for (section, content) in document {
      let position = outline.entry(at: [section])?.key
      guard Setting.sections.contains(section) else {
        unknownSection(section, content, position)
        continue
      }
      guard let table = content.table else {
        report(position, "\(section) must be a table: [\(section)]")
        continue
      }
      for (key, value) in table {
        read(section, key, value, outline.entry(at: [section, key]))
      }
    }
  }

  private mutating func read(
    _ section: String, _ key: String, _ value: any TOMLValueConvertible, _ entry: TOMLOutline.Entry?
  ) {
    guard let setting = Setting.all.first(where: { $0.section == section && $0.key == key }) else {
      let keys = Setting.all.filter { $0.section == section }.map(\.key)
      let elsewhere = Setting.all.filter { $0.key == key }.map(\.name)
      report(
        entry?.key, "unknown key \(quoted(key)) in [\(section)]",
        suggestion: nearest(to: key, among: keys) ?? (elsewhere.count == 1 ? elsewhere.first : nil))
      return
    }
    guard let converted = settingValue(value) else {
      report(entry?.value, "\(setting.name) must be \(setting.typeName), not \(named(value))")
      return
    }
    values.append(Value(setting: setting, value: converted, position: entry?.value))
  }

  /// The loader found `value` to break a rule of its setting.
  func problem(with value: Value, _ fault: String) -> ConfigurationProblem {
    ConfigurationProblem(path, at: value.position, "\(value.setting.name) \(fault)")
  }

  private mutating func unknownSection(
    _ name: String, _ content: any TOMLValueConvertible, _ position: TextPosition?
  ) {
    if content.table == nil, let setting = Setting.all.first(where: { $0.key == name }) {
      let owners = Setting.all.filter { $0.key == name }.map { "[\($0.section)]" }
      report(
        position, "unknown key \(quoted(name)) outside of any table",
        suggestion: owners.count == 1 ? setting.name : nil)
    } else {
      let what = content.table == nil && content.array == nil ? "key" : "section"
      report(
        position, "unknown \(what) \(quoted(name))", suggestion: nearest(to: name, among: Setting.sections))
    }
  }

  private func settingValue(_ value: any TOMLValueConvertible) -> SettingValue? {
    switch value.type {
    case .string: return value.string.map(SettingValue.text)
    case .int: return value.int.map(SettingValue.integer)
    case .double: return value.double.map(SettingValue.number)
    case .bool: return value.bool.map(SettingValue.boolean)
    case .array:
      guard let array = value.array else { return nil }
      var texts: [String] = []
      for element in array {
        guard let text = element.string else { return nil }
        texts.append(text)
      }
      return .list(texts)
    case .table, .date, .time, .dateTime: return nil
    }
  }

  private func named(_ value: any TOMLValueConvertible) -> String {
    switch value.type {
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

/// The parser's message without what it quotes from the file, which may be part of a password.
private func quotesBlanked(_ message: String) -> String {
  var out = ""
  var quoted: String?
  for character in message.prefix(400) where !character.isNewline {
    if character == "'" {
      if let text = quoted { out += text.count <= 1 ? "'\(text)'" : "'…'" }
      quoted = quoted == nil ? "" : nil
    } else if quoted != nil {
      quoted?.append(character)
    } else {
      out.append(character)
    }
  }
  return quoted == nil ? out : out + "'…"
}
