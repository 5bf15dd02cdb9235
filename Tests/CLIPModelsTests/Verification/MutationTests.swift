import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// A copy of `checkpoints/hf-square`, to be spoiled in one way that loads and runs.
final class MutatedModel {
  let directory: TemporaryDirectory
  private var tensors: [String: Tensor] = [:]

  init() throws {
    directory = try TemporaryDirectory()
    let source = fixture("checkpoints/hf-square")
    for name in try OutputDirectory.entries(of: source) where !name.hasSuffix(".safetensors") {
      try directory.write(Bytes(InputFile("\(source)/\(name)")).load(), to: name)
    }
    let checkpoint = try Checkpoint.open(source)
    for name in checkpoint.names { tensors[name] = checkpoint[name] }
  }

  /// Writes the tensors and opens the model.
  func open() throws -> CLIPModel {
    var checkpoint = Checkpoint()
    for (name, tensor) in tensors { try checkpoint.add(tensor, named: name) }
    let writer = try FileWriter(directory.file("model.safetensors"))
    try Safetensors.write(checkpoint, to: writer)
    try writer.commit()
    return try #require(try CLIPModel.open(directory.path))
  }

  /// Replaces text in a config; the place must be there.
  func edit(_ file: String, _ from: String, _ to: String, after mark: String = "{") throws {
    let text = String(decoding: try Bytes(InputFile(directory.file(file))).load(), as: UTF8.self)
    let start = try #require(text.firstRange(of: mark)).upperBound
    let range = try #require(text[start...].firstRange(of: from))
    try directory.write(Array((text[..<range.lowerBound] + to + text[range.upperBound...]).utf8), to: file)
  }

  func transpose(_ name: String) throws {
    let tensor = try #require(tensors[name])
    let side = tensor.shape[0]
    try permute(name) { ($0 % side) * side + $0 / side }
  }

  func swap(_ first: String, _ second: String) {
    (tensors[first], tensors[second]) = (tensors[second], tensors[first])
  }

  /// Rows moved by `count` of them, the last to the front.
  func rotateRows(_ name: String, by count: Int) throws {
    let tensor = try #require(tensors[name])
    let width = tensor.count / tensor.shape[0]
    try permute(name) { ($0 + count * width) % tensor.count }
  }

  /// Multiplies a scalar.
  func scale(_ name: String, by factor: Float) throws {
    let bytes = try #require(tensors[name]).bytes.load()
    let value = bytes.withUnsafeBytes { $0.loadUnaligned(as: Float.self) } * factor
    tensors[name] = try Tensor(dtype: .f32, shape: [], bytes: Bytes(little(value.bitPattern)))
  }

  /// Makes the first number NaN.
  func poison(_ name: String) throws {
    let tensor = try #require(tensors[name])
    let bytes = little(Float.nan.bitPattern) + (try tensor.bytes.load().dropFirst(4))
    tensors[name] = try Tensor(dtype: .f32, shape: tensor.shape, bytes: Bytes(bytes))
  }

  private func permute(_ name: String, _ source: (Int) -> Int) throws {
    let tensor = try #require(tensors[name])
    #expect(tensor.dtype == .f32)
    let bytes = try tensor.bytes.load()
    let moved = (0..<tensor.count).flatMap { bytes[(source($0) * 4)..<(source($0) * 4 + 4)] }
    #expect(moved != bytes, "the mutation changes nothing")
    tensors[name] = try Tensor(dtype: .f32, shape: tensor.shape, bytes: Bytes(moved))
  }
}

/// Models that load and run, and are wrong in one place: the place is named.
@Suite struct MutationTests {
  private let reference: Golden

  init() throws { reference = try Golden.open(fixture("golden/hf-square.safetensors")) }

  private func departure(
    _ towers: TowerSelection = .both, _ mutate: (MutatedModel) throws -> Void
  ) throws -> StageComparison? {
    let model = try MutatedModel()
    try mutate(model)
    var options = VerificationOptions()
    options.towers = towers
    let (result, _) = try verify(.model(model.open(), name: "mutated"), against: .golden(reference), options: options)
    return result.firstDeparture(Tolerances(.f32))
  }

  @Test func theModelItselfAgrees() throws {
    #expect(try departure { _ in } == nil)
  }

  @Test(arguments: ["vision", "text"]) func anotherActivation(_ encoder: String) throws {
    let first = try departure {
      try $0.edit("config.json", "\"quick_gelu\"", "\"gelu\"", after: "\"\(encoder)_config\"")
    }
    #expect(first?.stage.name == (encoder == "text" ? "text.blocks.0" : "image.blocks.0"))
  }

  /// Two models say why they depart, where their configs do.
  @Test func factsThatDifferAreNoted() throws {
    let model = try MutatedModel()
    try model.edit("config.json", "\"quick_gelu\"", "\"gelu\"", after: "\"text_config\"")
    let original = try #require(try CLIPModel.open(fixture("checkpoints/hf-square")))
    let inputs = try GoldenInputs(imagePaths: [], prompts: ["a cat"])
    let (result, _) = try verify(
      .model(model.open(), name: "a"), against: .model(original, name: "b"), inputs: inputs)
    #expect(result.notes == [#"text.activation is "gelu", the reference's is "quick_gelu""#])
  }

  /// NaN has no rank, and is within no limit.
  @Test func notANumber() throws {
    let name = "text_model.final_layer_norm.bias"
    #expect(try departure { try $0.poison(name) }?.stage.name == "text.pooled")
    let model = try MutatedModel()
    try model.poison(name)
    let poisoned = try model.open()
    let inputs = try GoldenInputs(imagePaths: [], prompts: ["a cat", "a dog"])
    let error = #expect(throws: FileError.self) {
      try verify(.model(poisoned, name: "a"), against: .model(poisoned, name: "b"), inputs: inputs)
    }
    #expect(error?.tensor?.hasPrefix("text") == true)
  }

  @Test(arguments: [("visual_projection.weight", "image_embeds"), ("text_projection.weight", "text_embeds")])
  func aTransposedProjection(_ name: String, _ stage: String) throws {
    #expect(try departure { try $0.transpose(name) }?.stage.name == stage)
  }

  @Test(arguments: [("vision_model", 1, "image.blocks.1"), ("text_model", 0, "text.blocks.0")])
  func swappedLayers(_ encoder: String, _ block: Int, _ stage: String) throws {
    let first = try departure { model in
      for part in ["weight", "bias"] {
        let mlp = "\(encoder).encoder.layers.\(block).mlp"
        model.swap("\(mlp).fc1.\(part)", "\(mlp).fc2.\(part)")
      }
    }
    #expect(first?.stage.name == stage)
  }

  @Test(arguments: [("vision_model", 0, "image.blocks.0"), ("text_model", 1, "text.blocks.1")])
  func aPermutedHead(_ encoder: String, _ block: Int, _ stage: String) throws {
    let first = try departure { model in
      for part in ["weight", "bias"] {
        try model.rotateRows("\(encoder).encoder.layers.\(block).self_attn.q_proj.\(part)", by: 8)
      }
    }
    #expect(first?.stage.name == stage)
  }

  @Test func anotherMean() throws {
    let first = try departure { try $0.edit("preprocessor_config.json", "0.4578275", "0.456", after: "image_mean") }
    #expect(first?.stage.name == "pixel_values")
  }

  @Test func anotherDeviation() throws {
    let first = try departure { try $0.edit("preprocessor_config.json", "0.26862954", "0.229", after: "image_std") }
    #expect(first?.stage.name == "pixel_values")
  }

  @Test func bilinearForBicubic() throws {
    let first = try departure { try $0.edit("preprocessor_config.json", "\"resample\": 3", "\"resample\": 2") }
    #expect(first?.stage.name == "pixels")
  }

  /// The same model in open_clip's layout: open_clip rounds the half of an odd margin otherwise than transformers.
  @Test func aCropThatIsOffByOne() throws {
    let directory = try TemporaryDirectory()
    var conversion = ConversionOptions()
    conversion.layout = .openCLIP
    _ = try convert(fixture("checkpoints/hf-square"), to: directory.file("model"), options: conversion)
    // Without what clipkit says in the file, as open_clip would save it.
    var checkpoint = try Checkpoint.open(directory.file("model"))
    checkpoint.metadata = Metadata()
    let writer = try FileWriter(
      directory.file("model/open_clip_model.safetensors"), policy: FileWriter.Policy(force: true))
    try Safetensors.write(checkpoint, to: writer)
    try writer.commit()
    let model = try #require(try CLIPModel.open(directory.file("model")))
    var options = VerificationOptions()
    options.givesIDs = true
    let (result, _) = try verify(.model(model, name: "moved"), against: .golden(reference), options: options)
    let first = result.firstDeparture(Tolerances(.f32))
    #expect(first?.stage.name == "pixels")
    #expect(first?.remark?.hasPrefix("image 1, row 0, column 0, red: ") == true)
    #expect(result.notes == ["tokens are the reference's: no tokenizer was compared"])
    // Nothing else is wrong with it.
    options.towers = .text
    let (texts, _) = try verify(.model(model, name: "moved"), against: .golden(reference), options: options)
    #expect(texts.firstDeparture(Tolerances(.f32)) == nil)
  }

  @Test func anotherScale() throws {
    #expect(try departure { try $0.scale("logit_scale", by: 1.5) }?.stage.name == "logits")
  }

  @Test func anotherEndOfText() throws {
    let first = try departure {
      try $0.edit("config.json", "\"eos_token_id\": 527", "\"eos_token_id\": 526", after: "\"text_config\"")
    }
    #expect(first?.stage.name == "text.stem")
    #expect(first?.remark == "shape [3, 24], the reference's is [27, 24]")
  }
}
