public import Postgres
public import Primitives
public import Wallet

extension Ledger {
  /// The ids of wallets that people named in any way; those that name nothing are left out.
  ///
  /// Ids cost nothing and are not checked; all addresses are one statement, all `email/name` another.
  public func identifiers(
    of references: some Collection<WalletReference>
  ) throws(PostgresError) -> [WalletReference: Identifier] {
    var found: [WalletReference: Identifier] = [:]
    var addresses: [String] = []
    var names: [(email: String, wallet: String)] = []
    for reference in references {
      switch reference {
      case .id(let id): found[reference] = id
      case .address(let address): addresses.append(address)
      case .named(let email, let wallet): names.append((email, wallet))
      case .malformed: break
      }
    }
    if !addresses.isEmpty {
      for row in try session.query(Self.findWalletsByAddress(addresses)) {
        found[.address(try row.decode(0))] = try row.decode(1, as: Identifier.self)
      }
    }
    if !names.isEmpty {
      for row in try session.query(Self.findWalletsByName(names.map(\.email), names.map(\.wallet))) {
        found[.named(email: try row.decode(0), wallet: try row.decode(1))] =
          try row.decode(2, as: Identifier.self)
      }
    }
    return found
  }

  /// The id of one wallet, which must exist by address or name; an id is taken as it is.
  ///
  /// - Throws: `wallet_not_found`.
  public func identifier(of text: String) throws -> Identifier {
    let reference = WalletReference(text)
    guard let id = try identifiers(of: [reference])[reference] else { throw WalletNotFound(reference: text) }
    return id
  }
}
