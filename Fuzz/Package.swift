// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nothing of it is built with ironforge. `make fuzz` (scripts/fuzz.sh) builds it with
// libFuzzer, which comes with the toolchain, and with the address sanitizer; it does not link without them.
let package = Package(
  name: "ironforge-fuzz",
  dependencies: [.package(name: "ironforge", path: "..")],
  targets: [
    .executableTarget(
      name: "ironforge-fuzz",
      dependencies: [.product(name: "ironforge-modules", package: "ironforge")],
      swiftSettings: [
        .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"), .treatAllWarnings(as: .error),
      ])
  ]
)
