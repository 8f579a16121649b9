internal import Primitives

/// Requests whose key is known already: the same request gets its first answer, another one is refused.
extension TransferFold {
  /// Nil for a key that was never used.
  func replay(_ request: TransferRequest) -> TransferOutcome? {
    if let resolution = view.resolutions[request.key] {
      guard let hold = view.transfer(named: request.key), isSame(request, resolution, hold) else {
        return TransferOutcome(code: .keyReusedWithDifferentRequest)
      }
      return TransferOutcome(code: .exists, replayed: true, transfer: hold, resolution: resolution)
    }
    guard let stored = view.transfers[request.key] else { return nil }
    guard isSame(request, stored) else { return TransferOutcome(code: .keyReusedWithDifferentRequest) }
    return TransferOutcome(code: stored.refusal ?? .exists, replayed: true, transfer: stored)
  }

  private func isSame(_ request: TransferRequest, _ stored: Transfer) -> Bool {
    guard request.kind == stored.kind, request.memo == stored.memo else { return false }
    if request.kind.isSequel {
      guard let original = request.ref.flatMap({ view.transfer(named: $0) }), original.id == stored.ref else {
        return false
      }
      guard request.amount == nil else { return parsed(request.amount, original.currency) == stored.amount }
      // The whole of a hold was what it had set aside, and is what was captured since.
      return stored.amount == original.amount || stored.amount == original.hold?.amount
    }
    let lifetime = stored.hold?.expiresAt.map { $0 - stored.createdAt }
    return request.from == stored.from && request.to == stored.to && request.currency == stored.currency
      && parsed(request.amount, stored.currency) == stored.hold?.amount ?? stored.amount
      && (request.kind != .hold || request.lifetime == lifetime)
  }

  private func isSame(_ request: TransferRequest, _ resolution: HoldResolution, _ hold: Transfer) -> Bool {
    guard request.kind == resolution.kind, request.memo == resolution.memo,
      request.ref.flatMap({ view.transfer(named: $0) })?.id == hold.id
    else { return false }
    guard request.amount == nil else { return parsed(request.amount, hold.currency) == resolution.amount }
    return resolution.amount == nil || resolution.amount == hold.hold?.amount
  }

  /// An amount that cannot be read is not the amount that is stored.
  private func parsed(_ text: String?, _ currency: String) -> Int128? {
    guard let text, let scale = view.scales[currency] else { return nil }
    do {
      return try Amount.parse(text, scale: scale)
    } catch {
      return nil
    }
  }
}
