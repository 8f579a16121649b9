// swift-tools-version: 6.2
import PackageDescription

// A package of its own: `make microbench` (scripts/microbench.sh) builds it, `swift build` of ironforge does not.
let package = Package(
  name: "ironforge-benchmarks",
  dependencies: [
    .package(name: "ironforge", path: ".."),
    // Without its traits: they count allocations and retains by libraries that are loaded before malloc's own.
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
  ],
  targets: [
    .executableTarget(
      name: "Micro",
      dependencies: [
        .product(name: "Benchmark", package: "benchmark"),
        .product(name: "ironforge-modules", package: "ironforge"),
      ],
      path: "Micro",
      swiftSettings: [
        .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"), .treatAllWarnings(as: .error),
      ],
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
  ]
)
