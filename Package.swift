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

func layer(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(name: name, dependencies: ["TestSupport"] + dependencies, swiftSettings: strict)
}

// Each package here saves more code than it costs to build:
// - swift-argument-parser: options, help, completions and manual pages.
// - swift-subprocess: children with another uid and bounded output, for the sandbox and the tests
//   (swift-system holds the path type of its interface).
// - hdrhistogram-swift: latency percentiles without keeping every sample.
let package = Package(
  name: "ironforge",
  products: [
    .executable(name: "ironforge", targets: ["ironforge"])
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    // Without its Foundation trait, which would cost every command start-up time.
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
    layer("Primitives"),
    layer("Wallet", ["Primitives"]),
    layer("ConnectionPool", ["Primitives"]),
    layer("Postgres", ["CLibpq", "ConnectionPool", "Primitives"]),
    layer("Redis", ["CHiredis", "ConnectionPool", "Primitives"]),
    layer("Ledger", ["Wallet", "Postgres", "Primitives"]),
    layer("Migrations", ["Postgres", "Primitives"]),
    layer("Configuration", ["Primitives"]),
    layer("Fixtures", ["Ledger", "Wallet", "Postgres", "Primitives"]),
    layer(
      "Bench",
      [
        "Ledger", "Wallet", "Postgres", "ConnectionPool", "Primitives",
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ]),
    layer(
      "Sandbox",
      [
        "Primitives",
        .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    layer(
      "Commands",
      [
        "Bench", "Configuration", "Fixtures", "Ledger", "Migrations", "Sandbox", "Wallet",
        "Postgres", "Redis", "Primitives",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(name: "ironforge", dependencies: ["Commands"], swiftSettings: strict),
    .target(
      name: "TestSupport",
      dependencies: [
        "Sandbox", "Postgres", "Redis", "Migrations", "Primitives",
        .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      path: "Tests/TestSupport", swiftSettings: strict),
    tests("PrimitivesTests", ["Primitives"]),
    tests("WalletTests", ["Wallet"]),
    tests("ConnectionPoolTests", ["ConnectionPool"]),
    tests("PostgresTests", ["Postgres", "Migrations"]),
    tests("RedisTests", ["Redis"]),
    tests("LedgerTests", ["Ledger", "Fixtures", "Migrations", "Postgres", "Primitives", "Wallet"]),
    tests("MigrationsTests", ["Migrations"]),
    tests("FixturesTests", ["Fixtures", "Ledger", "Postgres", "Primitives"]),
    tests("ConfigurationTests", ["Configuration", "Primitives"]),
    tests("SandboxTests", ["Sandbox"]),
    tests(
      "CommandTests",
      [
        "Commands", "ironforge", "Postgres", "Primitives",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    tests("FaultTests", ["ironforge", "Postgres", "Primitives"]),
    tests("ArchitectureTests"),
  ]
)
