internal import Ledger
internal import Postgres
internal import Primitives
internal import Wallet

/// One pass through a batch file: rows are read, their wallets looked up, carried out chunk by chunk, and told.
///
/// Reading the next chunk and telling the last one go on while the server works.
final class BatchPass {
  /// Carries a chunk's requests out, and calls back once while the server works.
  typealias Carrier = ([TransferRequest], () -> Void) throws -> [TransferOutcome]
  /// Is told what became of rows, in their order.
  typealias Listener = ([BatchRow], [RowResult]) throws -> Void

  private let source: BatchSource
  /// Looks things up on the session that carries the chunks out.
  private let processor: TransferProcessor
  /// When the round began to which this run belongs, in whole milliseconds as of what is stored; nil where nothing is its own.
  private let round: Timestamp?
  /// When the transaction began that is done or rehearsed as a whole, in whole milliseconds; nil where each chunk is one.
  private let transactionStart: Timestamp?
  private var keys: RepeatedKeys
  private var size: ChunkSize
  private let shouldStop: () -> Bool
  private var names = WalletNames()
  private var reader: any RowReader
  private let makeKey: (Int) -> String
  /// Rows that were read, and did not go into the last chunk.
  private var backlog: [BatchRow] = []

  /// A key that is longer than any can be.
  private static let impossibleKey = String(repeating: "-", count: 201)

  init(
    _ plan: BatchPlan, source: BatchSource, processor: TransferProcessor, round: Timestamp?,
    transactionStart: Timestamp?, size: ChunkSize,
    shouldStop: @escaping () -> Bool
  ) throws {
    self.source = source
    self.processor = processor
    self.round = round?.wholeMillisecond
    self.transactionStart = transactionStart?.wholeMillisecond
    self.size = size
    self.shouldStop = shouldStop
    keys = plan.keys
    makeKey = plan.makeKey()
    source.rewind()
    reader = try plan.format.reader(name: source.name) { try source.read(into: $0) }
  }

  /// Carries out and tells all rows.
  ///
  /// - Throws: `BatchStopped`; what the source, `carry` and `tell` throw. Chunks before are done then.
  func run(carry: Carrier, tell: @escaping Listener) throws {
    var next = try readChunk()
    var ahead: [TransferRequest]?
    var told: (rows: [BatchRow], results: [RowResult])?
    while !next.isEmpty {
      if shouldStop() { throw BatchStopped() }
      let chunk = cut(next)
      let requests = try ahead ?? prepare(chunk)
      ahead = nil
      var failure: (any Error)?
      var hasRead = false
      func work() {
        hasRead = true
        do {
          if let told { try tell(told.rows, told.results) }
          next = try readChunk()
          ahead = prepareAhead(next)
        } catch {
          failure = error
        }
      }
      let start = monotonicNanoseconds()
      let outcomes = requests.isEmpty ? [] : try carry(requests, work)
      if !requests.isEmpty, chunk.rows.count >= size.rows {
        size.learn(nanoseconds: monotonicNanoseconds() - start)
      }
      if !hasRead { work() }
      told = (chunk.rows, try judge(chunk, requests, outcomes))
      if let failure { throw failure }
      FaultPoint.beforeOutcome.reach()
    }
    if let told { try tell(told.rows, told.results) }
  }

  /// Hands over the requests of all rows with their wallets looked up, and carries out nothing.
  func forEachChunk(_ body: ([TransferRequest]) throws -> Void) throws {
    while true {
      let chunk = try readChunk()
      if chunk.isEmpty { return }
      if shouldStop() { throw BatchStopped() }
      try lookUp(chunk)
      try body(requests(chunk))
    }
  }

  // MARK: Before a chunk

  private func readChunk() throws -> BatchChunk {
    if !backlog.isEmpty {
      defer { backlog = [] }
      return BatchChunk(rows: backlog)
    }
    return try BatchChunk(from: &reader, rowsMax: size.rows, makeKey: makeKey)
  }

  private func prepare(_ chunk: BatchChunk) throws -> [TransferRequest] {
    try lookUp(chunk)
    var requests = requests(chunk)
    try hideLaterTransfers(&requests)
    return requests
  }

  /// The requests of a chunk for which nothing is to be asked of the server; nil for any other.
  private func prepareAhead(_ chunk: BatchChunk) -> [TransferRequest]? {
    keys.hasRepeated || !unknownNames(chunk).isEmpty ? nil : requests(chunk)
  }

  /// The requests of a chunk, as far as its wallets are known.
  private func requests(_ chunk: BatchChunk) -> [TransferRequest] {
    var requests: [TransferRequest] = []
    requests.reserveCapacity(chunk.rows.count)
    for row in chunk.rows where row.fault == nil {
      requests.append(row.request { names.find($0) })
    }
    return requests
  }

  private func unknownNames(_ chunk: BatchChunk) -> [String: WalletReference] {
    var unknown: [String: WalletReference] = [:]
    for row in chunk.rows where row.namesWallets {
      for wallet in [row.from, row.to] where wallet.id == nil && unknown[wallet.text] == nil {
        if names.find(wallet.text) == nil { unknown[wallet.text] = WalletReference(wallet.text) }
      }
    }
    return unknown
  }

  private func lookUp(_ chunk: BatchChunk) throws {
    let unknown = unknownNames(chunk)
    if unknown.isEmpty { return }
    let found = try processor.identifiers(of: Array(Set(unknown.values)))
    for (text, reference) in unknown {
      if let id = found[reference] { names.remember(text, id) }
    }
  }

  /// Ends a chunk before a row that refers to a key whose fate an earlier row of the chunk decides: that one may be
  /// refused without a record, and the key stay free for a later row.
  private func cut(_ chunk: BatchChunk) -> BatchChunk {
    if !keys.hasRepeated { return chunk }
    var undecided: Set<String> = []
    for (index, row) in chunk.rows.enumerated() {
      if let ref = row.ref, undecided.contains(ref) {
        backlog = Array(chunk.rows[index...])
        return BatchChunk(rows: Array(chunk.rows[..<index]))
      }
      if keys.isAwaited(row.key) { undecided.insert(row.key) }
    }
    return chunk
  }

  /// A row can refer to what a later row of the same file makes; then there is nothing yet to refer to. In a run that
  /// takes up another one, or goes on beside it, the later row may be done already: it must stay unseen, or this
  /// run would do what the other one refused.
  private func hideLaterTransfers(_ requests: inout [TransferRequest]) throws {
    if !keys.hasRepeated { return }
    for index in requests.indices {
      guard let ref = requests[index].ref, keys.isAwaited(ref) else { continue }
      let storedAt = try processor.withSession { try BatchRegistry(session: $0).storedAt(ref) }
      // What was there before the round is not the later row's.
      if !isBefore(storedAt) { requests[index].ref = Self.impossibleKey }
    }
  }

  private func isBefore(_ storedAt: Timestamp?) -> Bool {
    guard let storedAt else { return false }
    return round.map { storedAt < $0 } ?? true
  }

  // MARK: After a chunk

  private func judge(
    _ chunk: BatchChunk, _ requests: [TransferRequest], _ outcomes: [TransferOutcome]
  ) throws -> [RowResult] {
    var results: [RowResult] = []
    results.reserveCapacity(chunk.rows.count)
    var index = 0
    for row in chunk.rows {
      if let fault = row.fault {
        results.append(RowResult(code: .malformed, fault: fault))
        continue
      }
      results.append(try judge(row, requests[index], outcomes[index]))
      index += 1
    }
    return results
  }

  private func judge(
    _ row: BatchRow, _ request: TransferRequest, _ outcome: TransferOutcome
  ) throws -> RowResult {
    var code = outcome.code
    if code == .exists, isOfThisRound(outcome), !(row.hasOwnKey && keys.isTaken(row.key)) { code = .created }
    if code == .keyReusedWithDifferentRequest, row.hasOwnKey, keys.isAwaited(row.key) {
      code = try answerBeforeLaterRow(request)
    }
    if row.hasOwnKey, outcome.transfer != nil { keys.take(row.key) }
    let isOlder = transactionStart.map { start in storedAt(outcome).map { $0 < start } ?? false }
    return RowResult(
      code: .result(code), transferID: outcome.transfer?.id, isOlder: isOlder ?? outcome.replayed)
  }

  private func isOfThisRound(_ outcome: TransferOutcome) -> Bool {
    guard let round, let storedAt = storedAt(outcome) else { return false }
    return storedAt >= round
  }

  /// When that was stored which a request did or found.
  private func storedAt(_ outcome: TransferOutcome) -> Timestamp? {
    outcome.resolution?.createdAt ?? outcome.transfer?.createdAt
  }

  /// A row whose key is free for a later row, because it was itself refused without a record, finds the later row's
  /// transfer when the file is carried out again. It is told again what it was told then.
  private func answerBeforeLaterRow(_ request: TransferRequest) throws -> ResultCode {
    let storedAt = try processor.withSession { try BatchRegistry(session: $0).storedAt(request.key) }
    if isBefore(storedAt) { return .keyReusedWithDifferentRequest }
    var keys = IdentifierGenerator()
    var alone = request
    alone.key = keys.next().description
    let outcomes = try processor.withSession { session in
      var rehearsal = TransferRehearsal()
      let rehearse = { try rehearsal.rehearse([alone], on: session) { _ in false } }
      return try session.isInTransaction ? rehearse() : session.transaction(.snapshot, rehearse)
    }
    guard let code = outcomes.first?.code, !code.isSuccess, !code.isRecorded else {
      return .keyReusedWithDifferentRequest
    }
    return code
  }
}

/// The work was asked to stop, and did so between two chunks.
struct BatchStopped: Error {}

extension Timestamp {
  /// Rounded down to what a UUIDv7 can tell.
  fileprivate var wholeMillisecond: Timestamp { Timestamp(microseconds: microseconds - microseconds % 1000) }
}
