import ArgumentParser

/// `ironforge currency`.
struct CurrencyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "currency",
    abstract: "Add and list currencies.",
    discussion: """
      A currency's scale is how many digits stand after the point, 0 to 18. It never changes.

      EXAMPLES:
        ironforge currency add USD --scale 2
        ironforge currency list
      """,
    subcommands: [CurrencyAdd.self, CurrencyList.self])
}
