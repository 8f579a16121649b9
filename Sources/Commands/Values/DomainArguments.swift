public import ArgumentParser
public import Primitives
public import Wallet

// Values of the domain that stand on a command line as their raw value.
extension WalletStatus: ExpressibleByArgument {}
extension EntryStatus: ExpressibleByArgument {}
extension TransferStatus: ExpressibleByArgument {}

extension Identifier: ExpressibleByArgument {
  /// A UUID.
  public init?(argument: String) { self.init(argument) }
}

extension Timestamp: ExpressibleByArgument {
  /// RFC 3339, or a date.
  public init?(argument: String) { self.init(rfc3339: argument) }
}
