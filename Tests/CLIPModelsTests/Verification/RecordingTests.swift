import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// Our own encoders, held against what open_clip and transformers recorded of the same model.
@Suite struct RecordingTests {
  private func result(
    _ model: String, _ golden: String, _ change: (inout VerificationOptions) -> Void = { _ in }
  ) throws -> Verification {
    var options = VerificationOptions()
    change(&options)
    return try verify(
      VerificationSource(fixture("checkpoints/\(model)")),
      against: VerificationSource(fixture("golden/\(golden).safetensors")), options: options
    ).result
  }

  /// The model that was recorded, and others that hold the same numbers in other suits.
  @Test(arguments: [
    ("hf-clip", "hf-clip"), ("hf-square", "hf-square"), ("openclip-vit", "openclip-vit"),
    ("openclip-custom", "openclip-vit"), ("openclip-rn", "openclip-rn"), ("hf-siglip", "hf-siglip"),
    ("hf-siglip", "openclip-siglip"),
  ])
  func everyStageAgrees(_ model: String, _ golden: String) throws {
    let result = try result(model, golden)
    let first = result.firstDeparture(Tolerances(.f32))
    #expect(first == nil, "\(first.map { "\($0)" } ?? "")")
    for comparison in result.stages where comparison.stage.group != .tokens {
      #expect(comparison.error < 1e-5, "\(comparison.stage)")
    }
    // Numbers that another implementation made differ in their last bits: the comparison has something to compare.
    #expect(result.stages.contains { $0.error > 0 })
    #expect(result.stages.contains { $0.stage.name == "image.blocks.1" })
    #expect(result.ranking?.top1 == 1)
  }

  /// Without an observer the encoders leave out what no embedding needs; the embeddings are the same.
  @Test func embeddingsAloneAgree() throws {
    let result = try result("hf-clip", "hf-clip") { $0.blocks = false }
    #expect(result.firstDeparture(Tolerances(.f32)) == nil)
    #expect(!result.stages.contains { $0.stage.group == .hidden })
    #expect(result.notes.count == 2)
  }

  /// Weights of 16 bits, of the model that was recorded in 32.
  @Test(arguments: ["openclip-vit-mixed-f16.safetensors", "openclip-vit-compiled-bf16.pt"])
  func halfPrecisionIsWithinItsProfile(_ model: String) throws {
    var options = VerificationOptions()
    options.givesIDs = true
    let config = ConfigOptions(file: fixture("checkpoints/openclip-vit/open_clip_config.json"))
    let (result, _) = try verify(
      VerificationSource(fixture("checkpoints/\(model)"), config: config),
      against: VerificationSource(fixture("golden/openclip-vit.safetensors")), options: options)
    #expect(result.firstDeparture(Tolerances(.f16)) == nil)
    // The weights' rounding is seen by the profile of 32 bits.
    #expect(result.firstDeparture(Tolerances(.f32)) != nil)
  }

  @Test(arguments: [(TowerSelection.image, "image_embeds"), (.text, "text_embeds")])
  func oneTowerIsHeldAgainstItsPart(_ tower: TowerSelection, _ last: String) throws {
    let directory = try TemporaryDirectory()
    var conversion = ConversionOptions()
    (conversion.towers, conversion.layout) = (tower, .hf)
    _ = try convert(fixture("checkpoints/hf-clip"), to: directory.file("tower"), options: conversion)
    let candidate = try VerificationSource(directory.file("tower"))
    let golden = try VerificationSource(fixture("golden/hf-clip.safetensors"))
    var options = VerificationOptions()
    options.towers = tower
    let (part, _) = try verify(candidate, against: golden, options: options)
    #expect(part.stages.last?.stage.name == last)
    #expect(part.firstDeparture(Tolerances(.f32)) == nil)
    // Unasked, what is not there departs.
    let (whole, _) = try verify(candidate, against: golden)
    let missing = whole.firstDeparture(Tolerances(.int8))
    #expect(missing?.stage.name == (tower == .image ? "tokens" : "pixels"))
    #expect(missing?.remark == "the candidate has none")
  }

  @Test func twoModelsNeedInputs() throws {
    let source = try VerificationSource(fixture("checkpoints/hf-clip"))
    let error = #expect(throws: FileError.self) { try verify(source, against: source) }
    #expect(error?.description == "two models, and nothing to give them. Use --images, --prompts or both")
    let golden = try VerificationSource(fixture("golden/hf-clip.safetensors"))
    let inputs = try GoldenInputs(imagePaths: [], prompts: ["a"])
    let second = #expect(throws: FileError.self) { try verify(source, against: golden, inputs: inputs) }
    #expect(second?.message == "the reference is a golden file, which has its own inputs")
  }

  @Test func twoModelsAreRecordedAndCompared() throws {
    let inputs = try GoldenInputs(
      imagePaths: [fixture("images/jpeg-420.jpg"), fixture("images/png-2-8.png")], prompts: ["a cat", "the dog", "x"])
    let reference = try VerificationSource(fixture("checkpoints/hf-clip"))
    let (same, golden) = try verify(reference, against: reference, inputs: inputs)
    #expect(same.stages.allSatisfy { $0.error == 0 })
    #expect(golden.imageNames == ["jpeg-420.jpg", "png-2-8.png"])
    #expect(golden.pairs == [nil, nil, nil])
    let (other, _) = try verify(
      VerificationSource(fixture("checkpoints/hf-square")), against: reference, inputs: inputs)
    #expect(other.firstDeparture(Tolerances(.int8))?.stage.name == "image.stem")
    #expect(other.stages.first { $0.stage.name == "tokens" }?.error == 0)
  }

  /// What we record is a golden file like the libraries', and theirs can be the candidate of ours.
  @Test func ownRecordingsAreGoldenFiles() throws {
    let directory = try TemporaryDirectory()
    var options = GoldenRecorder.Options()
    options.blocks = true
    let theirs = try Golden.open(fixture("golden/hf-clip.safetensors"))
    let model = try #require(try CLIPModel.open(fixture("checkpoints/hf-clip")))
    let recorded = try GoldenRecorder.record(model, GoldenInputs(theirs), options: options)
    try recorded.write(to: directory.file("own.safetensors"), policy: FileWriter.Policy())
    let own = try Golden.open(directory.file("own.safetensors"))
    #expect(own.checkpoint.sortedNames == theirs.checkpoint.sortedNames)
    #expect(try verify(theirs, against: own).firstDeparture(Tolerances(.f32)) == nil)
    #expect(
      try JSONValue(parsing: Array((own.checkpoint.metadata["clipkit.config"]?.string ?? "").utf8))["embed_dim"] == 24)
  }

  /// A model that makes NaN is a result, but no reference.
  @Test func numbersThatAreNotFiniteAreNoReference() throws {
    let mutated = try MutatedModel()
    try mutated.scale("logit_scale", by: .nan)
    let model = try mutated.open()
    let inputs = try GoldenInputs(Golden.open(fixture("golden/hf-square.safetensors")))
    let error = #expect(throws: FileError.self) { try GoldenRecorder.record(model, inputs, options: .init()) }
    #expect(error?.tensor == "logit_scale")
  }
}
