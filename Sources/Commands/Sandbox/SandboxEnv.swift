import ArgumentParser
import Primitives
import Sandbox

/// `ironforge sandbox env`.
struct SandboxEnv: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "env",
    abstract: "Print the environment by which any program reaches the sandbox.",
    discussion: """
      EXAMPLES:
        eval "$(ironforge sandbox env)"
      """)

  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    try context.output.render(SandboxEnvironment(addresses: try Sandbox(directory: ".").env()))
  }
}

/// The variables, in text as a shell takes them.
struct SandboxEnvironment: Renderable {
  let addresses: SandboxAddresses

  var json: JSON {
    .object(addresses.environment.map { (key: $0.name, value: .string($0.value)) })
  }

  var text: String {
    // The renderer adds the last line break.
    String(addresses.shellExports.dropLast())
  }

  var csv: (header: [String], rows: [[String]]) {
    (["name", "value"], addresses.environment.map { [$0.name, $0.value] })
  }
}
