// swift-tools-version: 6.1
import PackageDescription

// SwiftPM compiles C at -O0 in debug builds, where the kernels are 50 times slower and the tests crawl.
// Versioned dependants refuse unsafe flags, so only the root package asks for them.
let isRoot = !Context.packageDirectory.contains("/checkouts/")
let optimizedC: [CSetting] = isRoot ? [.unsafeFlags(["-O3"], .when(configuration: .debug))] : []

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "clipkit",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Checkpoints", targets: ["Checkpoints"]),
    .library(name: "CLIPModels", targets: ["CLIPModels"]),
    .executable(name: "clipkit", targets: ["clipkit"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
  ],
  targets: [
    .systemLibrary(
      name: "CLibzip", pkgConfig: "libzip", providers: [.apt(["libzip-dev"]), .brew(["libzip"])]),
    .systemLibrary(
      name: "CLibcrypto", pkgConfig: "libcrypto",
      providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
    .systemLibrary(
      name: "CLibdeflate", pkgConfig: "libdeflate",
      providers: [.apt(["libdeflate-dev"]), .brew(["libdeflate"])]),
    .systemLibrary(
      name: "CLibjpeg", pkgConfig: "libjpeg",
      providers: [.apt(["libjpeg62-turbo-dev"]), .brew(["jpeg-turbo"])]),
    .systemLibrary(
      name: "CLibpng", pkgConfig: "libpng", providers: [.apt(["libpng-dev"]), .brew(["libpng"])]),
    .systemLibrary(
      name: "CLibwebpdemux", pkgConfig: "libwebpdemux",
      providers: [.apt(["libwebp-dev"]), .brew(["webp"])]),
    .systemLibrary(
      name: "CProtobufC", pkgConfig: "libprotobuf-c",
      providers: [.apt(["libprotobuf-c-dev"]), .brew(["protobuf-c"])]),
    // Made by tools/generate_onnx.
    .target(name: "COnnx", dependencies: ["CProtobufC"]),
    .target(
      name: "CImages", dependencies: ["CLibjpeg", "CLibpng", "CLibwebpdemux"], cSettings: optimizedC),
    .target(name: "CKernels", cSettings: optimizedC, linkerSettings: [.linkedLibrary("m")]),
    .target(name: "CSystem"),
    .target(
      name: "Checkpoints", dependencies: ["CKernels", "CLibcrypto", "CLibdeflate", "CLibzip", "COnnx", "CSystem"],
      swiftSettings: settings),
    .target(name: "CTokenizer", exclude: ["README.md", "entities.txt", "ftfy.txt", "merges.txt", "unicode.bin"]),
    .target(
      name: "CLIPModels", dependencies: ["Checkpoints", "CImages", "CKernels", "CTokenizer"], swiftSettings: settings),
    .executableTarget(
      name: "clipkit",
      dependencies: [
        "Checkpoints", "CLIPModels",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),
    .target(
      name: "TestSupport", dependencies: ["Checkpoints"], path: "Tests/TestSupport",
      swiftSettings: settings),
    .testTarget(
      name: "CheckpointsTests", dependencies: ["Checkpoints", "CKernels", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "CLIPModelsTests", dependencies: ["CImages", "CKernels", "CLIPModels", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "clipkitTests", dependencies: ["clipkit", "CLIPModels", "TestSupport"], swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c2x
)

// The fuzzer's program needs libFuzzer at link time: tools/fuzz asks for it.
if Context.environment["CLIPKIT_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "Fuzz", dependencies: ["Checkpoints", "CLIPModels"], path: "Tests/Fuzz", swiftSettings: settings,
      linkerSettings: [.unsafeFlags(["-use-ld=lld"])]))
}

// tools/bench measures parts that no verb runs alone.
if Context.environment["CLIPKIT_BENCH"] != nil {
  package.targets.append(
    .executableTarget(
      name: "Bench", dependencies: ["Checkpoints", "CLIPModels"], path: "Tests/Bench", swiftSettings: settings))
}
