internal import Postgres
internal import Primitives
internal import Wallet

/// What became of a transfer whose answer was lost.
public struct TransferResolution: Sendable {
  public enum Outcome: String, Sendable {
    /// The money moved.
    case committed
    /// The request was refused, and the refusal is recorded.
    case rejected
    /// No transaction with this key has committed, and none is under way.
    case absent
    /// A transaction with this key is under way.
    case inProgress = "in_progress"
  }

  public let key: String
  public let outcome: Outcome
  /// What is stored under the key; nil when nothing is.
  public let record: TransferRecord?
  /// How that is known, one sentence.
  public let evidence: String
}

extension Ledger {
  /// Settles what became of a transfer, named by its key or its id.
  ///
  /// A stored row is the proof that it committed; for a capture or a void, the hold that its key resolved. When there is none, a transaction with the key can still be
  /// under way, perhaps in its COMMIT. The unique index knows: storing the same key waits for such a
  /// transaction. So the key is stored once more, for `wait` at most, and rolled back.
  ///
  /// - Throws: `PostgresError`; `read_only_server` on a standby, which cannot tell.
  public func resolve(_ reference: String, wait: Duration = .seconds(2)) throws -> TransferResolution {
    for _ in 0..<3 {
      if let record = try findTransfer(reference) { return Self.settled(record, reference) }
      switch try probe(reference, wait: wait) {
      case .free:
        return TransferResolution(
          key: reference, outcome: .absent, record: nil,
          evidence: "nothing is stored under this key, and no open transaction is about to store it")
      case .takenMeanwhile: continue
      case .locked: break
      }
      break
    }
    return TransferResolution(
      key: reference, outcome: .inProgress, record: nil,
      evidence: "an open transaction holds this key; ask again when it has ended")
  }

  private enum Probe {
    case free
    case takenMeanwhile
    case locked
  }

  private func probe(_ key: String, wait: Duration) throws -> Probe {
    defer { session.rollback() }
    do throws(PostgresError) {
      let bound = "\(wait.settingMilliseconds)ms"
      let results = try session.pipeline(
        session.beginning() + [Self.setLockTimeout(bound), Self.probeKey(IdentifierGenerator.probe(), key)])
      return results.last?.count == 1 ? .free : .takenMeanwhile
    } catch {
      if error.sqlState == "55P03" { return .locked }
      throw error
    }
  }

  private static func settled(_ record: TransferRecord, _ reference: String) -> TransferResolution {
    let transfer = record.transfer
    let isRefused = transfer.status == .refused
    // The key of a capture or a void is not the transfer's own.
    let isResolution = reference != transfer.key && Identifier(reference) != transfer.id
    let resolvedAt = transfer.hold?.resolvedAt.map { " at \($0)" } ?? ""
    let evidence =
      if isResolution {
        "this key made hold \(transfer.id) \(transfer.status.rawValue)\(resolvedAt)"
      } else if isRefused {
        "the refusal is stored as transfer \(transfer.id), recorded at \(transfer.createdAt)"
      } else {
        "transfer \(transfer.id) is stored with status \(transfer.status.rawValue), "
          + "committed at \(transfer.createdAt)"
      }
    return TransferResolution(
      key: isResolution ? reference : transfer.key, outcome: isRefused ? .rejected : .committed,
      record: record,
      evidence: evidence)
  }

  static let setLockTimeout = Statement(
    "select set_config('lock_timeout', $1, true)", parameters: [.text], columns: [.text])

  // The wallets are any two that exist, because the row must be one that the table takes; it never commits.
  // Without two wallets no transfer can be under way either, and the last branch says so.
  static let probeKey = Statement(
    """
    with two as (
      select array_agg(id) as ids from (select id from wallets limit 2) w
    ), stored as (
      insert into transfers (id, key, from_wallet_id, to_wallet_id, currency, amount, status, code)
      select $1, $2, ids[1], ids[2], (select code from currencies limit 1), 1, 'refused', 'probe'
      from two where cardinality(ids) = 2 and exists (select from currencies)
      on conflict (key) do nothing
      returning id
    )
    select 1 from stored
    union all
    select 1 from two where coalesce(cardinality(ids), 0) < 2 or not exists (select from currencies)
    """, parameters: [.uuid, .text], columns: [.int4])
}

extension IdentifierGenerator {
  /// One identifier, from a generator of its own.
  fileprivate static func probe() -> Identifier {
    var generator = IdentifierGenerator()
    return generator.next()
  }
}
