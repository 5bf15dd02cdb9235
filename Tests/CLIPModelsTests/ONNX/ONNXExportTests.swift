import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// What the graphs of `convert` hold. What they compute is held against PyTorch by `tools/check_onnx.py`.
@Suite struct ONNXExportTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  @discardableResult private func run(
    _ source: String, to name: String = "out.onnx", _ change: (inout ConversionOptions) -> Void = { _ in }
  ) throws -> (report: ConversionReport, model: ONNXModel) {
    var options = ConversionOptions()
    options.policy = FileWriter.Policy(force: true)
    change(&options)
    let report = try convert(fixture("checkpoints/\(source)"), to: directory.file(name), options: options)
    return (report, try ONNX.readModel(InputFile(directory.file(name))))
  }

  @Test func inputsAndOutputsAreThoseOfTransformers() throws {
    let (_, model) = try run("hf-clip")
    #expect(
      model.graph.inputs == [
        ONNXValue("input_ids", .i64, [.named("text_batch_size"), .named("sequence_length")]),
        ONNXValue("pixel_values", .f32, [.named("image_batch_size"), .size(3), .size(16), .size(16)]),
      ])
    #expect(
      model.graph.outputs.map(\.name) == ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"])
    #expect(model.irVersion == 8 && model.opset == 17)
    #expect(model.producer == "clipkit")
    #expect(model.metadata.contains { $0.key == "clip.vision.patch_size" && $0.value == "4" })
    #expect(model.metadata.contains { $0.key == "clipkit.onnx.normalized" && $0.value == "true" })
  }

  /// A text that sees itself whole depends on its padding.
  @Test func onlyTextsThatSeeBackwardsMayBeShorter() throws {
    let (_, model) = try run("hf-siglip") { $0.towers = .text }
    #expect(model.graph.inputs == [ONNXValue("input_ids", .i64, [.named("batch_size"), .size(16)])])
    #expect(model.graph.outputs == [ONNXValue("text_embeds", .f32, [.named("batch_size"), .size(32)])])
  }

  @Test func initializersAreTheCheckpointsTensors() throws {
    let (report, model) = try run("openclip-rn")
    let source = try Checkpoint.open(fixture("checkpoints/openclip-rn"))
    let kept = source.names.filter { !$0.hasSuffix("num_batches_tracked") }
    #expect(Set(model.graph.initializers.map(\.name)) == Set(kept))
    for (name, tensor) in model.graph.initializers {
      #expect(try tensor.bytes.load() == source[name]?.bytes.load(), "\(name)")
      #expect(tensor.shape == source[name]?.shape, "\(name)")
    }
    #expect(report.dropped.isEmpty)
    // No node takes what training counted: it is metadata, and comes back.
    let counters = try #require(model.metadata.first { $0.key == "clipkit.onnx.batch_counters" })
    #expect(counters.value.hasPrefix(#"{"visual.bn1.num_batches_tracked":"#))
    let again = try #require(try CLIPModel.open(directory.file("out.onnx")))
    let expected = try #require(try CLIPModel.open(fixture("checkpoints/openclip-rn")))
    #expect(try Manifest(again) == Manifest(expected))
  }

  @Test func aDialectNamesTheInitializers() throws {
    let (_, model) = try run("openclip-vit") { $0.dialect = "hf" }
    let names = Set(model.graph.initializers.map(\.name))
    #expect(names == Set(try Checkpoint.open(fixture("checkpoints/hf-clip")).names))
  }

  /// A tower has no temperature; what it holds is in the metadata.
  @Test func aTowerAloneKeepsTheTemperature() throws {
    let (report, model) = try run("openclip-vit") { $0.towers = .image }
    #expect(report.asMetadata == ["logit_scale"] && !report.dropped.contains("logit_scale"))
    #expect(model.metadata.contains { $0.key == "clipkit.logit_scale" })
    #expect(model.graph.nodes.allSatisfy { !$0.name.hasPrefix("/text") })
  }

  @Test func newerOperatorsAreUsedWhereTheyAre() throws {
    for (opset, ir, gelu) in [(17, 8, "Erf"), (19, 9, "Erf"), (20, 9, "Gelu"), (21, 10, "Gelu"), (23, 11, "Gelu")] {
      let (_, model) = try run("openclip-vit") { $0.onnx.opset = opset }
      #expect(model.irVersion == Int64(ir))
      #expect(Set(model.graph.nodes.map(\.kind)).intersection(["Erf", "Gelu"]) == [gelu])
    }
  }

  @Test func foldedNormsAreGone() throws {
    let (report, model) = try run("openclip-rn") { $0.onnx.foldsNorms = true }
    #expect(report.folded.contains("visual.bn1.running_mean") && !report.dropped.contains("visual.bn1.running_mean"))
    #expect(report.dropped.allSatisfy { $0.hasSuffix("num_batches_tracked") })
    #expect(model.graph.nodes.allSatisfy { $0.kind != "BatchNormalization" })
    #expect(model.graph.initializers.contains { $0.name == "visual.conv1.bias" })
    #expect(model.graph.initializers.allSatisfy { !$0.name.contains("running_mean") })
  }

  @Test func lengthsAreDividedOutWhenAsked() throws {
    for (normalizes, count) in [(nil, 0), (true, 1), (false, 0)] as [(Bool?, Int)] {
      let (_, model) = try run("openclip-vit") {
        $0.towers = .text
        $0.onnx.normalizes = normalizes
      }
      #expect(model.graph.nodes.count { $0.kind == "ReduceL2" } == count)
    }
  }

  @Test func theSameModelGivesTheSameBytes() throws {
    try run("openclip-vit", to: "a.onnx")
    try run("openclip-vit", to: "b.onnx")
    let a = try Bytes(InputFile(directory.file("a.onnx"))).load()
    #expect(try a == Bytes(InputFile(directory.file("b.onnx"))).load())
  }

  @Test(arguments: [
    (16, nil, "--opset 16, allowed 17 to 23"), (24, nil, "--opset 24, allowed"),
    (17, DType.q8_0, "ONNX is not written in q8_0"), (17, DType.f64, "ONNX is not written in f64"),
  ])
  func whatIsNotWrittenIsSaid(opset: Int, dtype: DType?, message: String) throws {
    let error = #expect(throws: FileError.self) {
      try run("openclip-vit") {
        $0.onnx.opset = opset
        $0.dtype = dtype
      }
    }
    #expect(error?.message.hasPrefix(message) == true, "\(String(describing: error))")
  }

  private func files(_ layout: DirectoryLayout, _ change: (inout ConversionOptions) -> Void = { _ in }) throws
    -> [String]
  {
    var options = ConversionOptions()
    options.layout = layout
    options.policy = FileWriter.Policy(force: true)
    change(&options)
    let path = directory.file(layout.rawValue)
    _ = try convert(fixture("checkpoints/hf-clip"), to: path, options: options)
    return try OutputDirectory.entries(of: path).flatMap { entry in
      let inner = (try? OutputDirectory.entries(of: "\(path)/\(entry)")) ?? []
      return inner.isEmpty ? [entry] : inner.map { "\(entry)/\($0)" }
    }
  }

  private let tokenizer = [
    "merges.txt", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.json",
  ]

  @Test func layoutsAreWholeDirectories() throws {
    let beside = ["config.json", "preprocessor_config.json"] + tokenizer
    #expect(
      Set(try files(.transformersJS))
        == Set(beside + ["onnx/model.onnx", "onnx/text_model.onnx", "onnx/vision_model.onnx"]))
    #expect(
      Set(try files(.immich))
        == Set(
          ["config.json", "visual/model.onnx", "visual/preprocess_cfg.json", "textual/model.onnx"]
            + tokenizer.map { "textual/\($0)" }))
  }

  @Test func dataLiesBesideTheModelWhenAsked() throws {
    let (_, model) = try run("openclip-vit", to: "external.onnx") { $0.onnx.externalData = .always }
    let whole = try run("openclip-vit").model
    #expect(try OutputDirectory.entries(of: directory.path).contains("external.onnx_data"))
    for (external, own) in zip(model.graph.initializers, whole.graph.initializers) {
      #expect(try external.tensor.bytes.load() == own.tensor.bytes.load(), "\(own.name)")
    }
    let names = try files(.transformersJS) { $0.onnx.externalData = .always }
    #expect(names.contains("onnx/model.onnx_data"))
    let config = try JSONValue(contentsOf: directory.file("transformers.js/config.json"))
    #expect(config["transformers.js_config"]?["use_external_data_format"]?["model.onnx"] == true)
  }

  @Test func aTypeIsPartOfTransformersJSNames() throws {
    let names = try files(.transformersJS) {
      $0.dtype = .f16
      $0.towers = .image
    }
    #expect(names.sorted() == ["config.json", "onnx/vision_model_fp16.onnx", "preprocessor_config.json"])
  }
}
