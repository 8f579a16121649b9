import Configuration
import Indexes
import Postgres
import Synchronization

extension CommandContext {
  /// Asks the server of `session` and all of `database.replicas` what they read; each is given
  /// `database.connect_timeout_secs` and `database.statement_timeout_secs`.
  func clusterReader(_ session: Session) throws -> ClusterReader {
    let configuration = try configuration()
    let database = configuration.values.database
    let options = SessionOptions(database)
    let replicas = try database.replicas.map { url in
      let target = try ConnectionString(url)
      return ClusterReader.Replica(name: target.serverName) {
        let session = try Session(connecting: target, options: options)
        let canceller = session.canceller
        let registration = try self.signals.onStop { canceller.cancel() }
        self.registrations.withLock { $0.append(registration) }
        return session
      }
    }
    let primary = try ConnectionString(try configuration.database().value)
    return ClusterReader(
      primary: session, name: primary.namesOneServer ? primary.serverName : session.server,
      replicas: replicas)
  }
}

extension ConnectionString {
  /// A list of hosts names a server only once one of them has answered.
  fileprivate var namesOneServer: Bool {
    !["host", "hostaddr"].contains { value(of: $0)?.contains(",") == true }
  }

  /// Where it leads, for people: host and port, or the service; never a user or a password.
  fileprivate var serverName: String {
    if let service = value(of: "service"), value(of: "host") == nil { return "service \(service)" }
    guard let host = value(of: "host") ?? value(of: "hostaddr"), !host.isEmpty else { return "local" }
    return value(of: "port").map { "\(host):\($0)" } ?? host
  }
}
