import ConnectionPool
import Primitives
import Redis
import TestSupport
import Testing

@testable import Cache

/// Interleavings of writers, readers, losses and restarts, one step at a time against a real Redis and a model of the
/// database, which knows exactly what must not be served.
private actor Interleaving {
  /// What the run leaves out, to show that the model notices.
  enum Omission: String, CaseIterable {
    case nothing, fences, registry, standbyRule, horizon, fencing, scrub
  }

  struct Outcome {
    var hits = 0
    var fills = 0
    var established = 0
    var warmed = 0
    var stale: [String] = []
  }

  private enum Reader {
    case idle
    case leased(FillLease, key: Int)
    case loaded(FillLease, LoadedValue)
  }

  private let executor = ThreadExecutor()
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let session: Session
  private let store: FencedStore
  private let servers = TrustedServers(.all(["user:"]))
  /// Another process.
  private let warmSession: Session
  private let warmServers = TrustedServers(.all(["user:"]))
  private var isWarming = false
  private let keys: [CacheKey]
  private let omission: Omission
  private var model: FenceModel
  private var readers: [Reader] = Array(repeating: .idle, count: 6)
  private var establishment: (step: Establishment, horizon: Horizon?)?
  private var random: Seed
  private(set) var outcome = Outcome()

  init(_ server: PrivateRedis, seed: UInt64, leavingOut omission: Omission) throws {
    session = try Session(connecting: Endpoint(url: server.url), commandTimeout: .seconds(20))
    warmSession = try Session(connecting: Endpoint(url: server.url), commandTimeout: .seconds(20))
    try session.execute("FLUSHALL")
    self.omission = omission
    var settings = StoreSettings()
    settings.fencesMax = 3
    store = try FencedStore(settings)
    keys = try (0..<6).map { try CacheKey("user:\($0)") }
    model = FenceModel(keys: keys.count)
    random = Seed(seed)
  }

  func run(steps: Int) throws {
    for _ in 0..<steps { try step() }
  }

  private func step() throws {
    switch Int.random(in: 0..<1000, using: &random) {
    case 0..<50: try begin()
    case 50..<120: try fence()
    case 120..<180: end(commits: true)
    case 180..<190: end(commits: false)
    case 190..<690: try read(readers.indices.randomElement(using: &random) ?? 0)
    // Seldom and then much, so that loads from the standby are often far behind.
    case 690..<702: model.replay(Int.random(in: 1...60, using: &random))
    case 702..<760: try read(1)
    case 760..<780: try lose(0)
    case 780..<810: try lose(1)
    case 810..<815: try lose(2)
    case 815..<820: try session.execute("DEL", "fence:{ironforge}")
    case 820..<824: try session.execute("FLUSHALL")
    case 824..<850: try warm()
    default: try establish()
    }
  }

  /// Warms some keys, while the others go on.
  private func warm() throws {
    guard !isWarming else { return }
    isWarming = true
    defer { isWarming = false }
    let chosen = Set((0..<4).map { _ in Int.random(in: keys.indices, using: &random) }).sorted()
    let fromStandby = Bool.random(using: &random)
    func load() throws -> WarmChunk {
      for _ in 0..<Int.random(in: 0...3, using: &random) { try step() }
      var texts = KeyedTexts()
      var snapshot = try model.load(0, fromStandby: fromStandby).snapshot
      for key in chosen {
        let loaded = try model.load(key, fromStandby: fromStandby)
        texts.append(keys[key], loaded.value.text ?? "")
        snapshot = loaded.snapshot
      }
      for _ in 0..<Int.random(in: 0...3, using: &random) { try step() }
      return WarmChunk(texts, snapshot: snapshot)
    }
    let outcome =
      Bool.random(using: &random)
      ? try store.warm(trusting: warmServers, in: warmSession, load: load)
      : try store.warm(chosen.map { keys[$0] }, trusting: warmServers, in: warmSession, load: load)
    if case .done(let counts) = outcome { self.outcome.warmed += counts.written + counts.fresh }
  }

  /// What Redis will come back with after the next crash.
  func save() throws { try session.execute("SAVE") }

  private func begin() throws {
    let chosen = (0..<Int.random(in: 1...2, using: &random)).map { _ in
      Int.random(in: keys.indices, using: &random)
    }
    _ = try model.begin(Set(chosen).sorted())
  }

  /// One of the transactions, in the order of their numbers.
  private func writer(where isWanted: (FenceModel.Writer) -> Bool) -> (UInt64, FenceModel.Writer)? {
    let wanted = model.writers.filter { isWanted($0.value) }.sorted { $0.key < $1.key }
    return wanted.randomElement(using: &random).map { ($0.key, $0.value) }
  }

  private func fence() throws {
    guard let (number, writer) = writer(where: { !$0.isFenced }) else { return }
    model.fence(number)
    guard omission != .fences else { return }
    let transaction = WritingTransaction(TransactionID(number), snapshot: writer.snapshot)
    try store.fence(writer.keys.map { keys[$0] }, by: transaction, in: session)
  }

  /// Nothing is confirmed: every writer dies at COMMIT.
  private func end(commits: Bool) {
    guard let (number, _) = writer(where: { $0.isFenced || !commits }) else { return }
    model.end(number, commits: commits)
  }

  private func lose(_ what: Int) throws {
    let key = keys[Int.random(in: keys.indices, using: &random)]
    if what != 1 { try session.execute("DEL", .text(key.text)) }
    if what != 0 { try session.execute("DEL", .text(key.sideKey)) }
  }

  private func read(_ number: Int) throws {
    switch readers[number] {
    case .idle:
      let key = Int.random(in: keys.indices, using: &random)
      switch try store.read(keys[key], trusting: servers, in: session) {
      case .value(let value, _):
        outcome.hits += 1
        let served = value.text.flatMap { Int($0) } ?? -1
        if served < model.committed[key] {
          outcome.stale.append("\(keys[key]): \(served) after \(model.committed[key])")
        }
      case .granted(let lease): readers[number] = .leased(try tampered(lease), key: key)
      case .beingLoaded, .untrusted: break
      }
    case .leased(let lease, let key):
      var loaded = try model.load(key, fromStandby: number % 2 == 1)
      if omission == .standbyRule {
        let seen = try DatabaseSnapshot(text: loaded.snapshot.description, isFromStandby: false)
        loaded = LoadedValue(loaded.value, snapshot: seen)
      }
      readers[number] = .loaded(lease, loaded)
    case .loaded(let lease, let loaded):
      if try store.fill(loaded, under: lease, in: session) == .stored { outcome.fills += 1 }
      readers[number] = .idle
    }
  }

  private func tampered(_ lease: FillLease) throws -> FillLease {
    guard omission == .registry, lease.registry != nil else { return lease }
    return FillLease(key: lease.key, token: lease.token, registry: try Registry(.array([])))
  }

  /// The next of the steps by which a server is vouched for.
  private func establish() throws {
    guard var (step, horizon) = establishment else {
      establishment = try store.beginEstablishing(servers, in: session).first.map { ($0, nil) }
      return
    }
    if horizon == nil {
      let horizon = model.horizon()
      establishment?.horizon =
        switch omission {
        case .horizon: Horizon(latest: TransactionID(1), fencing: horizon.fencing)
        case .fencing: Horizon(latest: horizon.latest, fencing: [])
        default: horizon
        }
    } else if !step.isScrubbed {
      if omission == .scrub { step.scan = nil } else { try store.scrub(&step, servers, in: session) }
      establishment?.step = step
    } else if let bound = horizon.take() {
      if try store.finish(step, horizon: bound, servers, in: session) { outcome.established += 1 }
      establishment = nil
    }
  }
}

@Suite(.timeLimit(.minutes(3))) struct FencePropertyTests {
  /// For each seed: steps, a dump, more steps, a crash, after which the dump is what there is. Ends with a seed that finds
  /// something.
  private func run(_ omission: String, seeds: [UInt64]) async throws
    -> (hits: Int, fills: Int, warmed: Int, established: Int, stale: [String])
  {
    let left = try #require(Interleaving.Omission(rawValue: omission))
    return try await withRedis { server in
      var sum = (hits: 0, fills: 0, warmed: 0, established: 0, stale: [String]())
      for seed in seeds {
        let run = try Interleaving(server, seed: seed, leavingOut: left)
        for _ in 0..<3 {
          try await run.run(steps: 300)
          try await run.save()
          try await run.run(steps: 300)
          try await server.crash()
        }
        let outcome = await run.outcome
        sum.hits += outcome.hits
        sum.fills += outcome.fills
        sum.warmed += outcome.warmed
        sum.established += outcome.established
        sum.stale += outcome.stale.map { "seed \(seed): \($0)" }
        if !sum.stale.isEmpty { break }
      }
      return sum
    }
  }

  @Test func noInterleavingServesWhatIsTooOld() async throws {
    let sum = try await run("nothing", seeds: seeds(fresh: 1))
    #expect(sum.stale == [])
    #expect(sum.hits > 100 && sum.fills > 50 && sum.warmed > 20 && sum.established > 20, "\(sum)")
  }

  /// Each rule is needed: without it the same interleavings serve what is too old.
  @Test(arguments: ["fences", "registry", "standbyRule", "horizon", "fencing", "scrub"])
  func everyRuleIsNeeded(omission: String) async throws {
    let sum = try await run(omission, seeds: Array(1...20))
    #expect(!sum.stale.isEmpty, "\(sum)")
  }
}
