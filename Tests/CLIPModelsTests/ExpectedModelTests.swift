import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// A model as the real library that wrote it says it is: `Fixtures/expected/NAME.json`.
struct ExpectedModel: CustomTestStringConvertible, Sendable {
  let name: String
  let file: String
  let json: JSONValue
  var testDescription: String { "\(file) as \(name)" }

  var path: String { fixture("checkpoints/\(file)") }
  var isSigLIP: Bool { json["tensors"]?["logit_bias"] != nil }

  static let all: [ExpectedModel] = {
    let directory = fixture("expected")
    let names = ((try? OutputDirectory.entries(of: directory)) ?? []).filter { $0.hasSuffix(".json") }
    return names.flatMap { name -> [ExpectedModel] in
      guard let json = try? JSONValue(contentsOf: "\(directory)/\(name)"), json["config"] != nil else { return [] }
      return (json["files"]?.array ?? []).compactMap(\.string).map {
        ExpectedModel(name: String(name.dropLast(5)), file: $0, json: json)
      }
    }
  }()

  static let types = ["float32": "f32", "float16": "f16", "bfloat16": "bf16", "int64": "i64", "float64": "f64"]
}

@Test func everyExpectedFileIsThere() {
  #expect(ExpectedModel.all.count >= 15)
}

/// The manifest of the model converted to open_clip's own names.
private func renamed(_ expected: ExpectedModel) throws -> Manifest {
  let directory = try TemporaryDirectory()
  var options = ConversionOptions()
  options.dialect = expected.isSigLIP ? "open_clip-custom" : "openai"
  _ = try convert(expected.path, to: directory.file("model.safetensors"), options: options)
  return try Manifest(Checkpoint.open(directory.file("model.safetensors")))
}

/// The manifest of the model's tensors, blocks as the floats that they stand for.
private func unpacked(_ expected: ExpectedModel) throws -> Manifest {
  let model = try #require(try CLIPModel.open(expected.path))
  var plain = Checkpoint()
  for name in model.tensors.names {
    let tensor = try #require(model.tensors[name])
    try plain.add(tensor.dtype.isBlock ? tensor.cast(to: .f32) : tensor, named: name)
  }
  return try Manifest(plain)
}

/// Mapped to open_clip's own names, every tensor has the type, shape and bytes that open_clip's state dict has.
@Test(arguments: ExpectedModel.all)
func tensorsAreThoseOfTheRealLibrary(_ expected: ExpectedModel) throws {
  let manifest = try expected.json["dequantized"] == nil ? renamed(expected) : unpacked(expected)

  let tensors = try #require(expected.json["tensors"]?.object)
  #expect(manifest.entries.map(\.name) == tensors.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
  for entry in manifest.entries {
    let tensor = try #require(tensors[entry.name])
    #expect(entry.dtype == ExpectedModel.types[tensor["dtype"]?.string ?? ""], "\(entry.name)")
    #expect(entry.shape == tensor["shape"]?.array?.compactMap(\.integer), "\(entry.name)")
    #expect(entry.hash == tensor["sha256"]?.string, "\(entry.name)")
  }
}

/// What the config says is what the model was built with.
@Test(arguments: ExpectedModel.all)
func configIsThatOfTheRealModel(_ expected: ExpectedModel) throws {
  let model = try #require(try CLIPModel.open(expected.path))
  #expect(model.problems.isEmpty)
  let fields: [String: [ConfigField]] = [
    "embed_dim": [.embedDim], "image_size": [.visionImageSize], "patch_size": [.visionPatchSize],
    "vision_width": [.visionWidth], "vision_layers": [.visionLayers, .visionStages], "vision_heads": [.visionHeads],
    "context_length": [.textContextLength], "vocab_size": [.textVocabSize], "text_width": [.textWidth],
    "text_layers": [.textLayers], "text_heads": [.textHeads], "layer_norm_eps": [.visionEpsilon, .textEpsilon],
    "activation": [.visionActivation, .textActivation], "pooling": [.visionPooling],
  ]
  let config = try #require(expected.json["config"]?.object)
  for key in config.keys {
    for field in try #require(fields[key], "\(key)") {
      guard let value = model.config[field], let origin = model.config.origins[field] else { continue }
      // What is assumed is said to be so, and may be wrong; what is stated may not.
      if case .assumed = origin { continue }
      let text = config[key].map {
        $0.string ?? $0.number.map { "\($0)" } ?? "\($0.array?.compactMap(\.integer) ?? [])"
      }
      let found = if case .integer(let number) = value { "\(Double(number))" } else { "\(value)" }
      #expect(found == text, "\(field.rawValue)")
    }
  }
}
