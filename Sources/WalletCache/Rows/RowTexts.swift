import Postgres
import Primitives
import Wallet

/// Writes rows as the JSON that is cached. The one place that knows it: get, warmup and audit compare byte by byte.
///
/// The keys, their order and the form of each value are those of `user show --json` and `wallet show --json`.
enum RowText {
  /// `{"id":…,"email":…,"name":…,"last_login_at":…,"created_at":…}`
  static func appendUser(_ row: Row, to out: inout [UInt8]) throws(PostgresError) {
    try append(id: row, 0, #"{"id":""#, to: &out)
    try append(text: row, 1, #","email":"#, to: &out)
    try append(text: row, 2, #","name":"#, to: &out)
    try append(time: row, 3, #","last_login_at":"#, to: &out)
    try append(time: row, 4, #","created_at":"#, to: &out)
    out.append(UInt8(ascii: "}"))
  }

  /// The row of `wallets` and, as `assets`, what the wallet holds by currency.
  static func appendWallet(_ row: Row, assets: ArraySlice<Row>, to out: inout [UInt8]) throws(PostgresError) {
    try append(id: row, 0, #"{"id":""#, to: &out)
    try append(id: row, 1, #","user_id":""#, to: &out)
    try append(text: row, 2, #","name":"#, to: &out)
    try append(text: row, 3, #","network":"#, to: &out)
    try append(text: row, 4, #","address":"#, to: &out)
    try append(text: row, 5, #","kind":"#, to: &out)
    try append(text: row, 6, #","status":"#, to: &out)
    try append(time: row, 7, #","created_at":"#, to: &out)
    try append(time: row, 8, #","updated_at":"#, to: &out)
    append(#","assets":["#, to: &out)
    for (index, asset) in assets.enumerated() {
      if index > 0 { out.append(UInt8(ascii: ",")) }
      try appendAsset(asset, to: &out)
    }
    append("]}", to: &out)
  }

  private static func appendAsset(_ row: Row, to out: inout [UInt8]) throws(PostgresError) {
    let scale = Int(try row.decode(2, as: Int16.self))
    let version: Int64 = try row.decode(5)
    let asset = Asset(
      balance: try row.decode(3), held: try row.decode(4), version: version,
      updatedAt: Timestamp(microseconds: 0))
    try append(text: row, 1, #"{"currency":"#, to: &out)
    for (name, amount) in [("balance", asset.balance), ("held", asset.held), ("available", asset.available)] {
      append(#",""# + name + #"":""# + Amount.format(amount, scale: scale) + "\"", to: &out)
    }
    append(#","version":\#(version)"#, to: &out)
    try append(time: row, 6, #","as_of":"#, to: &out)
    append("}" as StaticString, to: &out)
  }

  private static func append(_ text: StaticString, to out: inout [UInt8]) {
    out.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private static func append(_ text: String, to out: inout [UInt8]) {
    out.append(contentsOf: text.utf8)
  }

  private static func append(
    id row: Row, _ column: Int, _ name: StaticString, to out: inout [UInt8]
  ) throws(PostgresError) {
    append(name, to: &out)
    try row.decode(column, as: Identifier.self).append(to: &out)
    out.append(UInt8(ascii: "\""))
  }

  private static func append(
    text row: Row, _ column: Int, _ name: StaticString, to out: inout [UInt8]
  ) throws(PostgresError) {
    append(name, to: &out)
    try row.withBytes(column) { bytes in
      if let bytes {
        JSON.appendString(utf8: bytes, to: &out)
      } else {
        append("null" as StaticString, to: &out)
      }
    }
  }

  private static func append(
    time row: Row, _ column: Int, _ name: StaticString, to out: inout [UInt8]
  ) throws(PostgresError) {
    append(name, to: &out)
    let moment = try row.withBytes(column) { $0.map { Int64(bigEndian: $0.loadUnaligned(as: Int64.self)) } }
    switch moment {
    case nil: append("null" as StaticString, to: &out)
    // What other programs may have written must not stop a warmup.
    case Int64.max?: append(#""infinity""# as StaticString, to: &out)
    case Int64.min?: append(#""-infinity""# as StaticString, to: &out)
    default:
      out.append(UInt8(ascii: "\""))
      try row.decode(column, as: Timestamp.self).append(to: &out)
      out.append(UInt8(ascii: "\""))
    }
  }
}
