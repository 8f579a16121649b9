import ArgumentParser
import Configuration

/// How far the words of a command line name commands.
struct CommandPath: Equatable {
  /// The names that are commands: `["config", "show"]`.
  var names: [String] = []
  /// The word that should name a command and does not.
  var unknown: String?
  /// The whole command that the word most likely means.
  var suggestion: String?
}

/// Follows `arguments` down the tree of commands.
func commandPath(
  _ arguments: [String], from root: any ParsableCommand.Type = RootCommand.self
) -> CommandPath {
  var path = CommandPath()
  var command = root
  for word in arguments {
    let children = command.configuration.subcommands
    if children.isEmpty || word.hasPrefix("-") { break }
    if let child = child(of: command, named: word) {
      path.names.append(word)
      command = child
      continue
    }
    // With a default subcommand the word may well be its argument.
    guard command.configuration.defaultSubcommand == nil, word != "help" else { break }
    path.unknown = word
    if let near = nearest(to: word, among: children.map(name)) {
      path.suggestion = (["ironforge"] + path.names + [near]).joined(separator: " ")
    }
    break
  }
  return path
}

/// The command that the first words name, and the arguments behind them; nil where they do not lead to one that does something.
func namedCommand(
  _ arguments: [String], from root: any ParsableCommand.Type = RootCommand.self
) -> (command: any ParsableCommand.Type, arguments: [String])? {
  var command = root
  var rest = arguments[...]
  while !command.configuration.subcommands.isEmpty {
    if let word = rest.first, let child = child(of: command, named: word) {
      command = child
      rest.removeFirst()
    } else if let child = command.configuration.defaultSubcommand, rest.first != "help" {
      command = child
    } else {
      return nil
    }
  }
  return (command, Array(rest))
}

/// The names of the commands below the one that `names` lead to.
func commandNames(
  under names: [String], from root: any ParsableCommand.Type = RootCommand.self
) -> [String] {
  var command = root
  for word in names {
    guard let child = child(of: command, named: word) else { return [] }
    command = child
  }
  return command.configuration.subcommands.map(name)
}

private func name(of command: any ParsableCommand.Type) -> String { command._commandName }

private func child(
  of command: any ParsableCommand.Type, named word: String
) -> (any ParsableCommand.Type)? {
  command.configuration.subcommands.first { name(of: $0) == word }
}
