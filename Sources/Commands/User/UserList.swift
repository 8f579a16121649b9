import ArgumentParser
import Ledger
import Primitives
import Wallet

/// `ironforge user list`.
struct UserList: IronforgeCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List users, newest first.",
    discussion: """
      EXAMPLES:
        ironforge user list --active-within 7d --json
      """)

  @Option(help: ArgumentHelp("Only users who logged in within this time, such as 7d.", valueName: "time"))
  var activeWithin: HumanDuration?

  @OptionGroup var page: PageOptions
  @OptionGroup(title: "Global options") var global: GlobalOptions

  func run(in context: CommandContext) throws {
    let since = activeWithin.map { Timestamp.now().earlier(by: $0.duration) }
    let users = try context.ledger().users(activeSince: since, try page.request())
    try context.output.render(users.items.map(UserRow.init), nextCursor: users.next?.description)
  }
}

extension Timestamp {
  /// This moment less `duration`, not before the year 1.
  func earlier(by duration: Duration) -> Timestamp {
    let (seconds, attoseconds) = duration.components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
    let (difference, tooEarly) = microseconds.subtractingReportingOverflow(
      whole &+ attoseconds / 1_000_000_000_000)
    let yearOne: Int64 = -62_135_596_800_000_000
    return Timestamp(microseconds: overflow || tooEarly ? yearOne : max(difference, yearOne))
  }
}
