/// What a text setting must look like. A light check that catches a slip; the client library has the last word.
enum TextForm: Sendable {
  /// A libpq URI or keyword string.
  case postgres
  /// A Redis URL.
  case redis
  /// `HOST:PORT`.
  case listen

  /// Why `text` is wrong, without repeating it, as it may hold a password; nil when it is fine.
  func fault(of text: String) -> String? {
    if text.utf8.contains(0) { return "must not hold a NUL character" }
    switch self {
    case .postgres:
      if text.isEmpty || hasScheme(text, ["postgresql", "postgres"]) { return nil }
      return text.contains("=") && !text.contains("://")
        ? nil : "must be a postgresql:// URI or a keyword string such as \"host=db dbname=wallet\""
    case .redis:
      if text.isEmpty || hasScheme(text, ["redis", "rediss", "unix"]) { return nil }
      return "must be redis://[:password@]host:port/db or unix:///path?db=0"
    case .listen:
      guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
        port > 0
      else { return "must be HOST:PORT with a port from 1 to 65535" }
      let host = text[..<colon]
      let bracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.count > 2
      return bracketed || (!host.isEmpty && !host.contains(":"))
        ? nil : "must be HOST:PORT; an IPv6 address stands in brackets"
    }
  }

  private func hasScheme(_ text: String, _ schemes: [String]) -> Bool {
    schemes.contains { text.hasPrefix($0 + "://") }
  }
}

extension Setting {
  /// Stores `value`, or returns why it cannot be stored: `must be from 1 to 10000, not 0`.
  func store(_ value: SettingValue, in configuration: inout Configuration) -> String? {
    switch (storage, value) {
    case (.text(let path, let form), .text(let text)):
      if let fault = form.fault(of: text) { return fault }
      configuration[keyPath: path] = text
    case (.list(let path, let form), .list(let texts)):
      for (index, text) in texts.enumerated() {
        if text.isEmpty { return "has an empty element (number \(index + 1))" }
        if let fault = form.fault(of: text) { return "element \(index + 1) \(fault)" }
      }
      configuration[keyPath: path] = texts
    case (.boolean(let path), .boolean(let flag)):
      configuration[keyPath: path] = flag
    case (.integer(let path, let range), .integer(let number)):
      guard range.contains(number) else {
        return "must be from \(range.lowerBound) to \(range.upperBound), not \(number)"
      }
      configuration[keyPath: path] = number
    case (.number(let path, let range), .integer(let number)):
      return store(Double(number), in: &configuration, path, range)
    case (.number(let path, let range), .number(let number)):
      return store(number, in: &configuration, path, range)
    default:
      return "must be \(typeName), not \(value.typeName)"
    }
    return nil
  }

  private func store(
    _ number: Double, in configuration: inout Configuration, _ path: WritableKeyPath<Configuration, Double>,
    _ range: ClosedRange<Double>
  ) -> String? {
    // NaN is in no range.
    guard range.contains(number) else {
      return "must be from \(plain(range.lowerBound)) to \(plain(range.upperBound)), not \(plain(number))"
    }
    configuration[keyPath: path] = number
    return nil
  }

  /// Reads the text of an environment variable or a flag as this setting's type; nil when it cannot be read.
  func value(fromText text: String) -> SettingValue? {
    switch storage {
    case .text: .text(text)
    case .list: .list(text.split(separator: ";").map(String.init))
    case .integer: Int(text).map(SettingValue.integer)
    case .number: Double(text).map(SettingValue.number)
    case .boolean:
      switch text {
      case "true", "1": .boolean(true)
      case "false", "0": .boolean(false)
      default: nil
      }
    }
  }

  /// The type as a sentence names it: `an integer`.
  var typeName: String {
    switch storage {
    case .text: "a string"
    case .list: "an array of strings"
    case .boolean: "true or false"
    case .integer: "an integer"
    case .number: "a number"
    }
  }
}

extension SettingValue {
  var typeName: String {
    switch self {
    case .text: "a string"
    case .list: "an array"
    case .boolean: "a boolean"
    case .integer: "an integer"
    case .number: "a number"
    }
  }
}

/// A number without the `.0` that Swift gives to whole ones.
public func plain(_ number: Double) -> String {
  let text = number.description
  return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}
