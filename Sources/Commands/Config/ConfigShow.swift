import ArgumentParser
import Configuration
import Primitives

/// `ironforge config show`.
struct ConfigShow: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Print every value with where it came from.",
    discussion: """
      Passwords are never shown. The database and Redis rows show the server that a command would use, also when it \
      comes from DATABASE_URL, from libpq's own variables or from the sandbox of this directory.

      EXAMPLES:
        ironforge config show
        ironforge config show --json | jq '.values[] | select(.origin != "default")'
      """
  )

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    try context.output.render(try ConfigurationListing(context.configuration()))
  }
}

/// Every value of a configuration with its origin, fit to be shown.
struct ConfigurationListing: Renderable {
  struct Line: Sendable {
    let setting: Setting
    let value: SettingValue
    let origin: Origin
  }

  let file: String?
  let lines: [Line]

  init(_ loaded: LoadedConfiguration) throws {
    file = loaded.file
    lines = try Setting.all.map { setting in
      var server: Sourced<String>?
      if setting.key == "url" {
        server = setting.section == "database" ? try loaded.findDatabase() : try loaded.findRedis()
      }
      if let server {
        return Line(setting: setting, value: .text(redacted(server.value)), origin: server.origin)
      }
      return Line(
        setting: setting, value: setting.value(in: loaded.values).shown(for: setting),
        origin: loaded.origin(of: setting))
    }
  }

  var json: JSON {
    [
      "file": .optional(file),
      "values": .array(
        lines.map { line in
          [
            "section": .string(line.setting.section), "key": .string(line.setting.key),
            "value": line.value.json,
            "origin": .string(line.origin.description), "environment": .string(line.setting.environmentName),
          ]
        }),
    ]
  }

  var text: String {
    table(["key", "value", "origin"], lines.map { [$0.setting.name, $0.value.text, $0.origin.description] })
  }

  var csv: (header: [String], rows: [[String]]) {
    (
      ["section", "key", "value", "origin"],
      lines.map { [$0.setting.section, $0.setting.key, $0.value.text, $0.origin.description] }
    )
  }
}

extension SettingValue {
  /// The value without passwords.
  fileprivate func shown(for setting: Setting) -> SettingValue {
    guard setting.isSecret else { return self }
    switch self {
    case .text(let text): return .text(redacted(text))
    case .list(let texts): return .list(texts.map(redacted))
    case .boolean, .integer, .number: return self
    }
  }

  fileprivate var json: JSON {
    switch self {
    case .text(let text): .string(text)
    case .list(let texts): .array(texts.map(JSON.string))
    case .boolean(let flag): .bool(flag)
    case .integer(let number): .integer(Int64(number))
    case .number(let number): Int64(exactly: number).map(JSON.integer) ?? .number(number)
    }
  }

  fileprivate var text: String {
    switch self {
    case .text(let text): text
    case .list(let texts): texts.joined(separator: "; ")
    case .boolean(let flag): flag ? "true" : "false"
    case .integer(let number): String(number)
    case .number(let number): plain(number)
    }
  }
}
