// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is built the same way: Swift 6 mode, warnings are errors.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

/// libpg_query's archive, by its name: the shared library would be one more to load at every start.
let pgQueryArchive: [LinkerSetting] = [.linkedLibrary(":libpg_query.a")]

/// zlib's archive, for the same reason.
let zlibArchive: [LinkerSetting] = [.linkedLibrary(":libz.a")]

func layer(
  _ name: String, _ dependencies: [Target.Dependency] = [], linking: [LinkerSetting] = []
) -> Target {
  .target(
    name: name, dependencies: dependencies, swiftSettings: strict, linkerSettings: linking)
}

func tests(
  _ name: String, _ dependencies: [Target.Dependency] = [], data: [String] = []
) -> Target {
  .testTarget(
    name: name, dependencies: ["TestSupport"] + dependencies, exclude: data, swiftSettings: strict)
}

// Each package here saves more code than it costs to build:
// - swift-argument-parser: options, help, completions and manual pages.
// - hdrhistogram-swift: latency percentiles without keeping every sample.
// - swift-nio, swift-nio-http2, swift-nio-ssl: HTTP/1.1 and HTTP/2 with TLS, for `ironforge-serve` alone; `ironforge` links
//   none of them. Hummingbird stands on the same, and would bring 18 packages more, one of which (swift-configuration) has
//   a target named as one of ours.
let package = Package(
  name: "ironforge",
  products: [
    .executable(name: "ironforge", targets: ["ironforge"]),
    .executable(name: "ironforge-serve", targets: ["ironforge-serve"]),
    // For the packages in Benchmarks/ and Fuzz/, which measure and attack single modules; not for anybody else.
    .library(
      name: "ironforge-modules",
      targets: [
        "Advice", "Batch", "Cache", "Configuration", "Indexes", "Ledger", "Migrations", "Plans", "Postgres",
        "Primitives", "Pruning", "Redis", "SQLSyntax", "Wallet",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
  ],
  targets: [
    .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
    .systemLibrary(name: "CPgQuery", providers: [.apt(["libpg-query-dev"])]),
    .systemLibrary(name: "CSpawn"),
    .systemLibrary(name: "CBuild"),
    layer("Primitives"),
    layer("Wallet", ["Primitives"]),
    layer("ConnectionPool", ["Primitives"]),
    layer("Postgres", ["CLibpq", "ConnectionPool", "Primitives"]),
    layer("Redis", ["CHiredis", "ConnectionPool", "Primitives"]),
    layer("Cache", ["Redis", "ConnectionPool", "Primitives"]),
    layer("Ledger", ["Wallet", "Postgres", "Primitives"]),
    layer("WalletCache", ["Cache", "Redis", "Ledger", "Wallet", "Postgres", "Primitives"]),
    layer("CacheRace", ["Cache", "Redis", "Postgres", "ConnectionPool", "Primitives"]),
    layer("Batch", ["Ledger", "Wallet", "Postgres", "Primitives"]),
    layer("Migrations", ["SQLSyntax", "Postgres", "Primitives"]),
    layer("Jobs", ["Postgres", "Primitives"]),
    layer("SQLSyntax", ["CPgQuery", "Primitives"], linking: pgQueryArchive),
    layer("Plans", ["Primitives"]),
    layer("Workload", ["Plans", "SQLSyntax", "Postgres", "Primitives"]),
    layer("Indexes", ["Postgres", "Primitives"]),
    layer("Pruning", ["Indexes", "Workload", "Plans", "Postgres", "Primitives"]),
    layer(
      "Doctor",
      [
        "Cache", "Indexes", "Migrations", "Plans", "Postgres", "Primitives", "Redis", "SQLSyntax",
        "WalletCache", "Workload",
      ]),
    layer("HTML"),
    layer("Maintenance", ["Indexes", "Jobs", "Postgres", "Primitives"]),
    layer("Advice", ["HTML", "Indexes", "Workload", "Plans", "SQLSyntax", "Postgres", "Primitives"]),
    layer("Configuration", ["Primitives"]),
    layer("Fixtures", ["Ledger", "Wallet", "Postgres", "Primitives"]),
    .systemLibrary(name: "CDeflate", providers: [.apt(["zlib1g-dev"])]),
    layer(
      "Bench",
      [
        "CDeflate", "Cache", "ConnectionPool", "Ledger", "Postgres", "Primitives", "Redis", "Wallet",
        "WalletCache",
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ], linking: zlibArchive),
    layer("Sandbox", ["CSpawn", "Primitives"]),
    layer(
      "Commands",
      [
        "Advice", "Batch", "Bench", "CBuild", "Cache", "CacheRace", "Configuration", "ConnectionPool",
        "Doctor",
        "Fixtures",
        "HTML", "Indexes", "Jobs", "Ledger", "Maintenance", "Migrations", "Plans", "Postgres",
        "Primitives", "Pruning", "Redis", "SQLSyntax", "Sandbox", "Wallet", "WalletCache", "Workload",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(name: "ironforge", dependencies: ["Commands"], swiftSettings: strict),
    layer(
      "Serve",
      [
        "Cache", "CDeflate", "Commands", "Configuration", "ConnectionPool", "Ledger", "Postgres",
        "Primitives", "Redis", "Wallet", "WalletCache",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTP2", package: "swift-nio-http2"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOTLS", package: "swift-nio"),
      ]),
    layer(
      "HTTPLoad",
      [
        "Bench", "Commands", "Primitives",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHPACK", package: "swift-nio-http2"),
        .product(name: "NIOHTTP2", package: "swift-nio-http2"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
        .product(name: "NIOTLS", package: "swift-nio"),
      ]),
    .executableTarget(
      name: "ironforge-serve", dependencies: ["HTTPLoad", "Serve"], swiftSettings: strict),
    .target(
      name: "TestSupport",
      dependencies: ["Sandbox", "Postgres", "Redis", "Migrations", "Primitives", "Wallet"],
      path: "Tests/TestSupport", swiftSettings: strict),
    tests("PrimitivesTests", ["Primitives"]),
    tests("WalletTests", ["Wallet"]),
    tests("ConnectionPoolTests", ["ConnectionPool"]),
    tests("PostgresTests", ["Postgres", "Migrations"]),
    tests("RedisTests", ["Redis"]),
    tests(
      "CacheTests",
      ["Cache", "CacheRace", "ConnectionPool", "Migrations", "Postgres", "Redis", "Primitives"],
      data: ["Traces"]),
    tests("IndexesTests", ["Indexes", "Postgres", "Primitives"]),
    tests("PruningTests", ["Pruning", "Indexes", "ironforge", "Plans", "Postgres", "Primitives"]),
    tests("AdviceTests", ["Advice", "Indexes", "SQLSyntax", "Postgres", "Primitives"]),
    tests("SQLSyntaxTests", ["SQLSyntax", "Primitives"]),
    tests("PlansTests", ["Plans", "Primitives"], data: ["Corpus"]),
    tests(
      "WorkloadTests", ["Workload", "Plans", "SQLSyntax", "Postgres", "Primitives"], data: ["Statements"]),
    tests("HTMLTests", ["HTML"]),
    tests(
      "BenchTests",
      [
        "Bench", "CDeflate", "ConnectionPool", "Postgres", "Primitives",
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ]),
    tests(
      "DoctorTests",
      ["Doctor", "Indexes", "Primitives"]),
    tests("JobsTests", ["Jobs", "ironforge", "Postgres", "Primitives"]),
    tests("MaintenanceTests", ["Indexes", "Maintenance", "ironforge", "Postgres", "Primitives"]),
    tests(
      "LedgerTests",
      [
        "Advice", "Batch", "Bench", "CacheRace", "Doctor", "Fixtures", "Indexes", "Jobs", "Ledger",
        "Maintenance",
        "Migrations", "Postgres", "Primitives", "Pruning", "SQLSyntax", "Serve", "Wallet", "WalletCache",
        "Workload", "ironforge",
      ]),
    tests("MigrationsTests", ["Migrations", "Postgres"], data: ["Lint"]),
    tests("BatchTests", ["Batch", "Ledger", "Postgres", "Primitives", "Wallet"]),
    tests("WalletCacheTests", ["Cache", "Ledger", "WalletCache", "Postgres", "Redis", "Primitives"]),
    tests("FixturesTests", ["Fixtures", "Ledger", "Postgres", "Primitives"]),
    tests("ConfigurationTests", ["Configuration", "Primitives"]),
    tests("SandboxTests", ["Sandbox"]),
    tests(
      "CommandTests",
      [
        "Cache", "CacheRace", "Commands", "Ledger", "Plans", "ironforge", "Postgres", "Primitives", "Redis",
        "Sandbox",
        "WalletCache",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    tests(
      "ServeTests",
      [
        "Serve", "ironforge", "ironforge-serve", "Primitives",
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ]),
    tests(
      "HTTPLoadTests",
      [
        "Bench", "HTTPLoad", "ironforge", "ironforge-serve", "Primitives",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHPACK", package: "swift-nio-http2"),
        .product(name: "NIOHTTP2", package: "swift-nio-http2"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]),
    tests("FaultTests", ["Cache", "ironforge", "Postgres", "Primitives", "Redis", "WalletCache"]),
    tests("ArchitectureTests"),
  ]
)
