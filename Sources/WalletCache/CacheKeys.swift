public import Cache
public import Primitives

/// The rows of the ledger that are cached, and under which names.
extension CacheKey {
  /// A row of `users`.
  public static func user(_ id: Identifier) -> CacheKey { named("user", id) }

  /// A row of `wallets` with what the wallet holds, so that a transfer changes it too.
  public static func wallet(_ id: Identifier) -> CacheKey { named("wallet", id) }

  private static func named(_ prefix: String, _ id: Identifier) -> CacheKey {
    do throws(SimpleFailure) {
      return try CacheKey("\(prefix):\(id)")
    } catch {
      preconditionFailure("an identifier is hexadecimal digits and dashes: \(error.message)")
    }
  }
}
