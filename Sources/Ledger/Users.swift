public import Postgres
public import Primitives
public import Wallet

extension Ledger {
  /// Creates a user.
  ///
  /// - Parameter givenID: of the new user; nil makes one.
  /// - Throws: `email_invalid`, or `user_exists` when the email or the id is taken.
  public func createUser(
    email: String, name: String, id givenID: Identifier? = nil, lastLoginAt: Timestamp? = nil
  ) throws -> User {
    let parts = email.split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }), email.utf8.count <= 254,
      !email.contains(where: { $0.isWhitespace || $0.isNewline }), !email.utf8.contains(where: { $0 < 0x20 }),
      !parts[1].contains("/")
    else {
      throw SimpleFailure(
        .usage, code: "email_invalid", message: "\"\(email)\" is not an email address",
        hint: "for example: ironforge user create --email ada@example.com")
    }
    var identifiers = IdentifierGenerator()
    let id = givenID ?? identifiers.next()
    let rows = try write(Self.insertUser(id, email, name, lastLoginAt), changing: ChangedRows(users: [id]))
    guard let row = rows.first else {
      throw SimpleFailure(
        .refused, code: "user_exists",
        message: "there is already a user with the email \(email)"
          + (givenID.map { ", or with the id \($0)" } ?? ""),
        hint: "see it with `ironforge user show \(email)`")
    }
    return try Self.user(row)
  }

  /// A user by id or email.
  ///
  /// - Throws: `user_not_found`.
  public func user(_ reference: String) throws -> User {
    let rows = try session.query(Self.selectUser(Identifier(reference), reference))
    guard let row = rows.first else {
      throw SimpleFailure(
        .refused, code: "user_not_found", message: "there is no user \"\(reference)\"",
        hint: "name a user by id or email; see `ironforge user list`")
    }
    return try Self.user(row)
  }

  /// Users, newest first.
  ///
  /// - Parameter activeSince: only those who logged in after this moment; nil for all.
  public func users(activeSince: Timestamp?, _ page: PageRequest) throws(PostgresError) -> Page<User> {
    let rows = try session.query(Self.selectUsers(activeSince, page.time, page.id, page.rows))
    return Page(try rows.map(Self.user), limit: page.limit) { Cursor(time: $0.createdAt, id: $0.id) }
  }

  private static func user(_ row: Row) throws(PostgresError) -> User {
    User(
      id: try row.decode(0), email: try row.decode(1), name: try row.decode(2),
      lastLoginAt: try row.decodeIfPresent(3), createdAt: try row.decode(4))
  }

  private static let userTypes: [DataType] = [.uuid, .text, .text, .timestamptz, .timestamptz]

  static let insertUser = Statement(
    """
    insert into users (id, email, name, last_login_at) values ($1, $2, $3, $4)
    on conflict do nothing
    returning id, email, name, last_login_at, created_at
    """, parameters: [.uuid, .text, .text, .timestamptz], columns: userTypes)

  static let selectUser = Statement(
    """
    select id, email, name, last_login_at, created_at from users where id = $1 or email = $2
    """, parameters: [.uuid, .text], columns: userTypes)

  static let selectUsers = Statement(
    """
    select id, email, name, last_login_at, created_at
    from users
    where ($1::timestamptz is null or last_login_at > $1) and (created_at, id) < ($2, $3)
    order by created_at desc, id desc
    limit $4
    """, parameters: [.timestamptz, .timestamptz, .uuid, .int8], columns: userTypes)
}
