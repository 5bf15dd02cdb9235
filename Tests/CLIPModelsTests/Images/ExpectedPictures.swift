import CLIPModels
import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What `tools/make_fixtures_images.py` wrote: pictures, and what the reference libraries make of them.
struct ExpectedPicture: Sendable, CustomTestStringConvertible {
  let name: String
  let json: JSONValue
  var testDescription: String { name }

  var bytes: Bytes { get throws { Bytes(try InputFile("\(Self.folder ?? fixture("images"))/\(name)")) } }

  /// `tools/check_images.py` lets the same tests read other pictures.
  static let folder = getenv("CLIPKIT_PICTURES").map { String(cString: $0) }
  static let document = try? JSONValue(
    contentsOf: folder.map { "\($0)/images.json" } ?? fixture("expected/images.json"))
  static let all: [ExpectedPicture] = (document?["files"]?.object?.keys ?? []).compactMap { name in
    document?["files"]?[name].map { ExpectedPicture(name: name, json: $0) }
  }
}

/// A reference pipeline: a library, and the facts that it was called with.
struct Pipeline: Sendable, CustomTestStringConvertible {
  let name: String
  let json: JSONValue
  var testDescription: String { name }

  static let all: [Pipeline] = (ExpectedPicture.document?["pipelines"]?.object?.keys ?? []).compactMap { name in
    ExpectedPicture.document?["pipelines"]?[name].map { Pipeline(name: name, json: $0) }
  }

  func preprocessor(options: ImageDecodingOptions = ImageDecodingOptions()) throws -> Preprocessor {
    let dialect = try #require(json["dialect"]?.string.flatMap(PreprocessingDialect.init))
    return try Preprocessor(config(json), dialect: dialect, options: options)
  }
}

/// A config with facts about images alone, from the keys of `tools/image_pipelines.py`.
func config(_ json: JSONValue) -> ModelConfig {
  func numbers(_ key: String) -> ConfigValue? { json[key]?.array.map { .numbers($0.compactMap(\.number)) } }
  func integer(_ key: String) -> ConfigValue? { json[key]?.integer.map { .integer($0) } }
  func text(_ key: String) -> ConfigValue? { json[key]?.string.map { .text($0) } }
  var config = ModelConfig(family: .clip)
  let facts: [ConfigField: ConfigValue?] = [
    .visionWidth: .integer(64), .visionImageSize: integer("size"), .imageMean: numbers("mean"),
    .imageStd: numbers("std"), .imageInterpolation: text("filter"), .imageResizeMode: text("mode"),
    .imageResizeSize: integer("resize"), .imageFillColor: integer("fill"),
  ]
  config.add(facts.compactMapValues { $0 }, from: .option("test"))
  return config
}

func hash(_ bytes: [UInt8]) throws -> String {
  let digits = Array("0123456789abcdef")
  return String(try SHA256.hash(of: Bytes(bytes)).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
