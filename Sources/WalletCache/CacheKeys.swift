public import Cache
public import Primitives

/// The tables whose rows are cached.
public enum CachedTable: String, Sendable, CaseIterable {
  case users
  /// With what each wallet holds, so that a transfer changes the row of both its wallets.
  case wallets

  /// What stands before the colon of a row's key.
  public var keyPrefix: String {
    switch self {
    case .users: "user"
    case .wallets: "wallet"
    }
  }

  /// What the keys of all tables begin with, with the colon.
  public static let keyPrefixes = allCases.map { "\($0.keyPrefix):" }

  /// The keys of all rows. `user:sessions` and `user:42:cart` are none: they may be another program's.
  public static let keys = KeySpace(prefixes: keyPrefixes) { CachedRow(key: $0.text) != nil }

  /// What the keys of all its rows are like, as SCAN wants it; others are too.
  public var keyPattern: String { "\(keyPrefix):*" }
}

/// A row that is cached: `user:ID` or `wallet:ID`.
public struct CachedRow: Sendable, Hashable {
  /// Its table.
  public let table: CachedTable
  /// Its id.
  public let id: Identifier

  /// The row of a table.
  public init(_ table: CachedTable, _ id: Identifier) {
    self.table = table
    self.id = id
  }

  /// Reads a key: `user:` or `wallet:` and a UUID in lower case, as it stands in Redis. Nil for anything else.
  public init?(key text: String) {
    guard let table = CachedTable.allCases.first(where: { text.hasPrefix("\($0.keyPrefix):") }),
      let id = Identifier(text.dropFirst(table.keyPrefix.utf8.count + 1)),
      text == "\(table.keyPrefix):\(id)"
    else { return nil }
    self.init(table, id)
  }

  /// Its name in Redis.
  public var key: CacheKey {
    switch table {
    case .users: .user(id)
    case .wallets: .wallet(id)
    }
  }
}

/// The rows of the ledger that are cached, and under which names.
extension CacheKey {
  /// A row of `users`.
  public static func user(_ id: Identifier) -> CacheKey { named(.users, id) }

  /// A row of `wallets` with what the wallet holds, so that a transfer changes it too.
  public static func wallet(_ id: Identifier) -> CacheKey { named(.wallets, id) }

  private static func named(_ table: CachedTable, _ id: Identifier) -> CacheKey {
    do throws(SimpleFailure) {
      return try CacheKey("\(table.keyPrefix):\(id)")
    } catch {
      preconditionFailure("an identifier is hexadecimal digits and dashes: \(error.message)")
    }
  }
}
