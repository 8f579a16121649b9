internal import Primitives

/// What the servers of one cluster said, and which of them said nothing.
public struct Cluster: Sendable {
  /// A server that may read an index, and was not heard.
  public struct Unheard: Sendable, Equatable {
    public let name: String
    /// Why, for people.
    public let reason: String
    /// Whether it is in the configuration; others only stream from a server that is.
    public let isConfigured: Bool
    /// Whether it gave an answer, but is none of the cluster's standbys.
    public let isForeign: Bool
  }

  /// The primary first, then the replicas; each server once.
  public private(set) var heard: [ServerObservation]
  public private(set) var unheard: [Unheard] = []
  /// Entries of the configuration that name a server which another one names already: both names.
  public private(set) var repeated: [(name: String, as: String)] = []

  /// What asking one configured replica came to.
  enum Answer {
    case observation(ServerObservation)
    case failure(name: String, reason: String)
  }

  init(primary: ServerObservation, replicas: [Answer]) {
    heard = [primary]
    for answer in replicas {
      switch answer {
      case .failure(let name, let reason):
        unheard.append(Unheard(name: name, reason: reason, isConfigured: true, isForeign: false))
      case .observation(let replica): take(replica, primary)
      }
    }
    findOthers()
  }

  private mutating func take(_ replica: ServerObservation, _ primary: ServerObservation) {
    func refuse(_ reason: String) {
      unheard.append(Unheard(name: replica.name, reason: reason, isConfigured: true, isForeign: true))
    }
    if replica.systemIdentifier != primary.systemIdentifier {
      return refuse("it belongs to another cluster: its system identifier is not the primary's")
    }
    if let same = heard.first(where: { $0.startedAt == replica.startedAt }) {
      repeated.append((name: replica.name, as: same.name))
      return
    }
    if replica.database != primary.database {
      return refuse("its URL names the database \(replica.database.name), not \(primary.database.name)")
    }
    if !replica.isStandby {
      return refuse("it is no standby: it was promoted, or copied, and goes its own way")
    }
    heard.append(replica)
  }

  /// Whoever streams from a server that was heard, and was not heard. Each replica that was heard accounts for one
  /// stream of its name, and of its slot where it has one.
  private mutating func findOthers() {
    var streams = heard.flatMap { server in server.standbys.map { (stream: $0, from: server.name) } }
    for receiver in heard.compactMap(\.receiver) {
      let own =
        streams.firstIndex { $0.stream == receiver } ?? streams.firstIndex { $0.stream.name == receiver.name }
      if let own { streams.remove(at: own) }
    }
    for (stream, source) in streams {
      unheard.append(
        Unheard(
          name: stream.name, reason: "it streams from \(source) and is not in database.replicas",
          isConfigured: false, isForeign: false))
    }
  }
}
