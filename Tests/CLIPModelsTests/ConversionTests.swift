import CLIPModels
import Checkpoints
import TestSupport
import Testing

@Suite struct ConversionTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func run(
    _ source: String, to name: String = "out.safetensors", _ change: (inout ConversionOptions) -> Void = { _ in }
  ) throws -> (report: ConversionReport, output: Checkpoint) {
    var options = ConversionOptions()
    change(&options)
    let report = try convert(fixture("checkpoints/\(source)"), to: directory.file(name), options: options)
    return (report, try Checkpoint.open(directory.file(name)))
  }

  @Test func towersAreSplit() throws {
    let (report, image) = try run("hf-clip") { $0.towers = .image }
    #expect(image.names.allSatisfy { !$0.hasPrefix("text_") })
    #expect(image["logit_scale"] != nil)
    #expect(report.dropped.count == 53)
    let (_, text) = try run("openclip-vit", to: "text.gguf") { $0.towers = .text }
    #expect(text.names.allSatisfy { !$0.hasPrefix("visual.") })
    let model = try #require(try CLIPModel(text))
    #expect(model.config.hasText && !model.config.hasVision)
    #expect(model.problems.isEmpty)
  }

  @Test func buffersAreDroppedAndSaidToBe() throws {
    let (report, output) = try run("openai-vit.pt")
    #expect(report.dropped.sorted() == ["attn_mask", "context_length", "input_resolution", "vocab_size"])
    #expect(output["input_resolution"] == nil)
  }

  /// A tensor that no dialect names is kept under its own name.
  @Test func extrasAreKept() throws {
    var source = try Checkpoint.open(fixture("checkpoints/openclip-vit"))
    try source.add(Tensor(dtype: .u8, shape: [2], bytes: Bytes([1, 2])), named: "decoder.weight")
    let writer = try FileWriter(directory.file("with.safetensors"))
    try Safetensors.write(source, to: writer)
    try writer.commit()
    var options = ConversionOptions()
    options.dialect = "hf"
    let report = try convert(directory.file("with.safetensors"), to: directory.file("out.pt"), options: options)
    #expect(report.extras == ["decoder.weight"])
    #expect(try Checkpoint.open(directory.file("out.pt"))["decoder.weight"]?.bytes.load() == [1, 2])
  }

  @Test func halvingReportsRoundingAndOverflow() throws {
    let values: [Float] = [70000, -1e9, 0.1, 1, .nan, .infinity]
    let bytes = values.withUnsafeBytes { Array($0) }
    var source = Checkpoint()
    try source.add(Tensor(dtype: .f32, shape: [6], bytes: Bytes(bytes)), named: "w")
    let writer = try FileWriter(directory.file("w.safetensors"))
    try Safetensors.write(source, to: writer)
    try writer.commit()
    var options = ConversionOptions()
    options.dtype = .f16
    let report = try convert(directory.file("w.safetensors"), to: directory.file("w16.safetensors"), options: options)
    let cast = try #require(report.tensors.first?.cast)
    #expect(cast.overflows == 2)
    #expect(cast.nonFinite == 2)
    #expect(cast.firstNonFinite == 4)
    // 0.1 is 0x2E66 in half precision: 0.0999755859375, 2.44e-4 off relative to the float nearest to 0.1.
    #expect(abs(cast.maxRelativeError - 2.4415e-4) < 1e-7)
    #expect(report.warnings.contains { $0.contains("2 values are too large for f16") })
    #expect(
      report.warnings.contains { $0.contains("2 values are NaN or infinite in the source, the first at element 4") })
    // numpy: np.array([70000, -1e9, .1, 1, nan, inf], 'f4').astype('f2').view('u2')
    let half = try Checkpoint.open(directory.file("w16.safetensors"))["w"]?.bytes.load()
    #expect(half == [0x00, 0x7C, 0x00, 0xFC, 0x66, 0x2E, 0x00, 0x3C, 0x00, 0x7E, 0x00, 0x7C])
  }

  /// A NaN or an infinity is said of even when nothing is cast.
  @Test func copiesReportWhatIsNotFinite() throws {
    let bytes = [Float](arrayLiteral: 1, -.infinity).withUnsafeBytes { Array($0) }
    var source = Checkpoint()
    try source.add(Tensor(dtype: .f32, shape: [2], bytes: Bytes(bytes)), named: "w")
    let writer = try FileWriter(directory.file("w.safetensors"))
    try Safetensors.write(source, to: writer)
    try writer.commit()
    let report = try convert(directory.file("w.safetensors"), to: directory.file("w.npz"))
    #expect(report.warnings.contains { $0.contains("1 values are NaN or infinite") })
  }

  @Test func scalarsAndCountersKeepTheirTypes() throws {
    let (_, output) = try run("openclip-rn") { $0.dtype = .f16 }
    #expect(output["logit_scale"]?.dtype == .f32)
    #expect(output["visual.bn1.num_batches_tracked"]?.dtype == .i64)
    #expect(output["visual.conv1.weight"]?.dtype == .f16)
  }

  @Test func quantizingTakesMatricesOfWholeBlocksOnly() throws {
    let (report, output) = try run("hf-clip", to: "q.gguf") { $0.dtype = .q8_0 }
    #expect(output["vision_model.encoder.layers.0.mlp.fc1.weight"]?.dtype == .q8_0)
    // Rows of 16 do not fill a block of 32, positions and vectors are left alone.
    #expect(output["text_model.encoder.layers.0.mlp.fc1.weight"]?.dtype == .f32)
    #expect(output["vision_model.embeddings.position_embedding.weight"]?.dtype == .f32)
    #expect(output["vision_model.embeddings.class_embedding"]?.dtype == .f32)
    #expect(report.tensors.contains { $0.to == .q8_0 && ($0.cast?.maxAbsoluteError ?? 0) > 0 })
    #expect(throws: FileError.self) { try run("hf-clip", to: "q.safetensors") { $0.dtype = .q8_0 } }
  }

  @Test func shardsHoldNoMoreThanAsked() throws {
    let (report, output) = try run("hf-clip", to: "shards") { $0.shardSize = 40_000 }
    #expect(output.files.count > 3)
    #expect(output.files.allSatisfy { $0.count < 40_000 + 20_000 })
    #expect(
      report.bytes
        == (try OutputDirectory.entries(of: directory.file("shards"))).reduce(0) {
          $0 + ((try? InputFile(directory.file("shards/\($1)")).count) ?? 0)
        })
    #expect(
      try Manifest(#require(try CLIPModel(output)))
        == Manifest(#require(try CLIPModel.open(fixture("checkpoints/hf-clip")))))
    #expect(throws: FileError.self) {
      try run("hf-clip", to: "gguf") {
        $0.shardSize = 1000; $0.format = "gguf"
      }
    }
  }

  @Test func whatIsNoCLIPIsCopiedAsItIs() throws {
    var source = Checkpoint()
    source.metadata["who"] = .string("me")
    try source.add(Tensor(dtype: .i32, shape: [1], bytes: Bytes([1, 0, 0, 0])), named: "any thing")
    let writer = try FileWriter(directory.file("a.safetensors"))
    try Safetensors.write(source, to: writer)
    try writer.commit()
    // A graph needs nodes.
    for format in allFormats where format != ONNX.self {
      let path = directory.file("b.\(format.fileExtensions[0])")
      let report = try convert(directory.file("a.safetensors"), to: path)
      #expect(report.dialect == nil)
      let copy = try Checkpoint.open(path)
      #expect(copy.names == ["any thing"])
      #expect(copy.metadata["who"]?.string == "me")
    }
    var options = ConversionOptions()
    options.dialect = "hf"
    let error = #expect(throws: FileError.self) {
      try convert(directory.file("a.safetensors"), to: directory.file("c.pt"), options: options)
    }
    #expect(error?.kind == .unsupported)
  }

  @Test func wrappersArePeeled() throws {
    let plain = try Checkpoint.open(fixture("checkpoints/openclip-vit"))
    let expected = try Manifest(#require(try CLIPModel(plain)))
    for prefix in ["module.", "_orig_mod.", "model.module.", "module._orig_mod."] {
      var wrapped = plain
      wrapped.removeAllTensors()
      for name in plain.names { if let tensor = plain[name] { try wrapped.add(tensor, named: prefix + name) } }
      let model = try #require(try CLIPModel(wrapped), "\(prefix)")
      #expect(try Manifest(model) == expected)
      #expect(model.notes.contains { $0.contains("'\(prefix)'") })
    }
  }
}
