internal import Postgres
internal import Primitives

/// Asks configured replicas, again and again, how far behind they are.
struct ReplicaWatch: Sendable {
  private static let interval = Duration.seconds(1)
  private let keepers: [ConnectionKeeper]

  init(_ replicas: [@Sendable () async throws -> Connection]) {
    keepers = replicas.map(ConnectionKeeper.init)
  }

  /// Runs until its task is cancelled. `report` gets the largest lag in seconds, or nil where a replica
  /// cannot be asked.
  func run(_ report: @Sendable (Double?) -> Void) async {
    while !Task.isCancelled {
      report(await worstLag())
      await nap(for: Self.interval)
    }
    for keeper in keepers { await keeper.close() }
  }

  private func worstLag() async -> Double? {
    var worst = 0.0
    for keeper in keepers {
      do {
        worst = max(worst, try await keeper.withSession { session in try LoadProbe.replicaLag(session) })
      } catch {
        return nil
      }
    }
    return worst
  }
}
