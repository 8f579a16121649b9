import Benchmark
import Glibc
import Indexes
import Ledger
import Postgres
import Primitives
import Redis
import Wallet

/// A setting that scripts/microbench.sh makes.
private func setting(_ name: String) throws -> String {
  guard let value = getenv(name) else { throw MissingSetting(name: name) }
  return String(cString: value)
}

private struct MissingSetting: Error, CustomStringConvertible {
  let name: String
  var description: String { "\(name) is not set; run scripts/microbench.sh" }
}

private func database(_ name: String = "IRONFORGE_DATABASE_URL") throws -> Postgres.Session {
  try Postgres.Session(connecting: ConnectionString(try setting(name)))
}

func measureServers() {
  Benchmark("wallet creation, durable, one at a time", configuration: .init(warmupIterations: 1)) {
    benchmark in
    let session = try database()
    defer { session.close() }
    let ledger = Ledger(session)
    var identifiers = IdentifierGenerator()
    let user = try ledger.createUser(email: "\(identifiers.next())@example.com", name: "Micro")
    benchmark.startMeasurement()
    blackHole(
      try ledger.createWallet(
        WalletDraft(
          userID: user.id, name: "main", network: "internal", address: nil, kind: .standard)))
    benchmark.stopMeasurement()
  }
  Benchmark("RESP, a GET and its reply, of 1000 in a pipeline", configuration: .init(scalingFactor: .kilo)) {
    benchmark in
    let session = try Redis.Session(connecting: Endpoint(url: try setting("IRONFORGE_REDIS_URL")))
    defer { session.close() }
    try session.pipeline((0..<1000).map { Command("SET", .text("micro:\($0)"), "a value of some bytes") }) {
      _, _ in
    }
    let commands = (0..<1000).map { Command("GET", .text("micro:\($0)")) }
    var replies = 0
    benchmark.startMeasurement()
    try session.pipeline(commands, isIdempotent: true) { _, reply in
      replies += try reply.bytes() == nil ? 0 : 1
    }
    benchmark.stopMeasurement()
    guard replies == commands.count else { return benchmark.error("\(replies) replies") }
  }
  Benchmark("index rules over 1000 indexes", configuration: .init(warmupIterations: 1)) { benchmark in
    let session = try database("IRONFORGE_MICRO_INDEXES")
    let catalog = try CatalogReader(session).read()
    session.close()
    benchmark.startMeasurement()
    let report = Audit(catalog).report()
    benchmark.stopMeasurement()
    guard catalog.indexes.count >= 1000, !report.findings.isEmpty else {
      return benchmark.error("\(catalog.indexes.count) indexes, \(report.findings.count) findings")
    }
  }
}
