/// The layers of docs/architecture.md: which modules a target may import. Arrows point down only.
struct Layers {
  /// Modules of the system; not Foundation, whose formatters and locales cost every command its start-up time.
  static let system: Set<String> = ["Glibc", "Musl", "Synchronization", "FoundationEssentials", "Dispatch"]

  private let allowed: [String: Set<String>]

  init(_ allowed: [String: Set<String>]) {
    self.allowed = allowed
  }

  /// A target stands below every target that it is listed for.
  static let ironforge = Layers([
    "Primitives": [],
    "Wallet": ["Primitives"],
    "ConnectionPool": ["Primitives"],
    // Nobody else sees the C libraries.
    "Postgres": ["CLibpq", "ConnectionPool", "Primitives"],
    "Redis": ["CHiredis", "ConnectionPool", "Primitives"],
    "Cache": ["Redis", "ConnectionPool", "Primitives"],
    "Ledger": ["Wallet", "Postgres", "Primitives"],
    // Which rows of the ledger are cached, how they are read, and what a write fences.
    "WalletCache": ["Cache", "Redis", "Ledger", "Wallet", "Postgres", "Primitives"],
    "CacheRace": ["Cache", "Redis", "Postgres", "ConnectionPool", "Primitives"],
    "Batch": ["Ledger", "Wallet", "Postgres", "Primitives"],
    "Migrations": ["SQLSyntax", "Postgres", "Primitives"],
    // Knows no wallet: jobs on the ledger are made above it.
    "Jobs": ["Postgres", "Primitives"],
    // PostgreSQL's grammar as a library; nobody else sees it.
    "SQLSyntax": ["CPgQuery", "Primitives"],
    // What EXPLAIN says, as values.
    "Plans": ["Primitives"],
    // The statements that a server runs, and their plans.
    "Workload": ["Plans", "SQLSyntax", "Postgres", "Primitives"],
    "HTML": [],
    // Indexes of any database: knows no wallet either.
    "Indexes": ["Postgres", "Primitives"],
    // Work on tables and indexes that an audit finds wanting.
    "Maintenance": ["Indexes", "Jobs", "Postgres", "Primitives"],
    // Drops indexes and makes them again.
    "Pruning": ["Indexes", "Workload", "Plans", "Postgres", "Primitives"],
    // Which indexes a workload asks for.
    "Advice": ["HTML", "Indexes", "Workload", "Plans", "SQLSyntax", "Postgres", "Primitives"],
    // The checklist of a wallet backend: facts of everything below, and the rules over them.
    "Doctor": [
      "Cache", "Indexes", "Migrations", "Plans", "Postgres", "Primitives", "Redis", "SQLSyntax",
      "WalletCache", "Workload",
    ],
    "Configuration": ["Primitives"],
    "Fixtures": ["Ledger", "Wallet", "Postgres", "Primitives"],
    "Bench": [
      "CDeflate", "Cache", "ConnectionPool", "Histogram", "Ledger", "Postgres", "Primitives", "Redis",
      "Wallet",
      "WalletCache",
    ],
    "Sandbox": ["CSpawn", "Primitives"],
    "Commands": [
      "Advice", "ArgumentParser", "Batch", "Bench", "CBuild", "Cache", "CacheRace", "Configuration",
      "ConnectionPool", "Doctor", "Fixtures", "HTML", "Indexes", "Jobs", "Ledger", "Maintenance",
      "Migrations",
      "Plans", "Postgres", "Primitives", "Pruning", "Redis", "SQLSyntax", "Sandbox", "Wallet",
      "WalletCache", "Workload",
    ],
    "ironforge": ["Commands"],
    // Load over HTTP, from event loops.
    "HTTPLoad": [
      "Bench", "Commands", "NIOCore", "NIOHPACK", "NIOHTTP2", "NIOPosix", "NIOSSL", "NIOTLS", "Primitives",
    ],
    // With HTTPLoad the only importers of SwiftNIO: no other command pays for a web server.
    "Serve": [
      "Cache", "CDeflate", "Commands", "Configuration", "ConnectionPool", "Ledger", "NIOCore", "NIOHTTP1",
      "NIOHTTP2", "NIOPosix", "NIOSSL", "NIOTLS", "Postgres", "Primitives", "Redis", "Wallet", "WalletCache",
    ],
    "ironforge-serve": ["HTTPLoad", "Serve"],
  ])

  /// What files of the target may import, or nil for a target that the table does not know.
  func imports(of target: String) -> Set<String>? {
    allowed[target].map { $0.union(Self.system) }
  }

  /// The targets of the table.
  var targets: Set<String> { Set(allowed.keys) }

  /// Two targets that reach each other, which no order of layers allows.
  var cycle: String? {
    targets.sorted().first { reachable(from: $0).contains($0) }
  }

  /// What the manifest's `layer("Name", […])` asks for beyond the table.
  func violations(ofManifest text: String) -> [Violation] {
    let characters = Array(text)
    let mark = Array("layer(")
    var found: [Violation] = []
    for start in characters.indices
    where characters[start...].starts(with: mark) && (start == 0 || characters[start - 1].isWhitespace) {
      var names = Self.strings(in: characters[start...])
      guard !names.isEmpty else { continue }
      let target = names.removeFirst()
      let line = characters[..<start].count(where: \.isNewline) + 1
      let extra = Set(names).subtracting(allowed[target] ?? [])
      found += extra.sorted().map {
        Violation(file: "Package.swift", line: line, text: "\(target) must not depend on \($0)")
      }
    }
    return found
  }

  /// The string literals up to the closing parenthesis, without those that name a package or a path.
  private static func strings(in call: ArraySlice<Character>) -> [String] {
    var depth = 0
    var strings: [String] = []
    var current: String?
    var label = ""
    for character in call {
      if var text = current {
        if character == "\"" {
          if !label.hasSuffix("package:") { strings.append(text) }
          current = nil
          label = ""
        } else {
          text.append(character)
          current = text
        }
        continue
      }
      if character == "\"" { current = "" }
      if !character.isWhitespace { label.append(character == "\"" ? " " : character) }
      if label.last == " " { label.removeLast() }
      if character == "(" { depth += 1 }
      if character == ")" {
        depth -= 1
        if depth == 0 { break }
      }
    }
    return strings
  }

  private func reachable(from target: String) -> Set<String> {
    var found: Set<String> = []
    var open = Array(allowed[target] ?? [])
    while let next = open.popLast() {
      if found.insert(next).inserted { open += allowed[next] ?? [] }
    }
    return found
  }
}
