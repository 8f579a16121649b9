import ArgumentParser
import Primitives
import Wallet

/// `ironforge user`.
struct UserCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "user",
    abstract: "Create, show and list users.",
    discussion: """
      EXAMPLES:
        ironforge user create --email ada@example.com --name "Ada Lovelace"
        ironforge user show ada@example.com
        ironforge user list --active-within 7d
      """,
    subcommands: [UserCreate.self, UserShow.self, UserList.self])
}

/// A user as it is printed.
struct UserRow: TableRow {
  static let tableHeader: [TableColumn] = ["id", "email", "name", "last_login_at", "created_at"]
  let user: User

  var tableRow: [String] {
    [
      user.id.description, user.email, user.name, user.lastLoginAt?.description ?? "",
      user.createdAt.description,
    ]
  }

  var json: JSON {
    [
      "id": .id(user.id), "email": .string(user.email), "name": .string(user.name),
      "last_login_at": .time(user.lastLoginAt), "created_at": .time(user.createdAt),
    ]
  }
}
