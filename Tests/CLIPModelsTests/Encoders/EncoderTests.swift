import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// What PyTorch computed in f64 from a fixture, with what went in.
struct ExpectedEncoding {
  let model: CLIPModel
  let expected: Checkpoint
  let pixelValues: [Float]
  let texts: [TokenSequence]

  static let names = [
    "openclip-vit", "openclip-rn", "openclip-siglip", "openclip-layer-scale", "openai-vit.pt", "hf-clip", "hf-siglip",
    "big-vision-class-token.npz", "big-vision-average.npz",
  ]

  init(_ name: String) throws {
    // timm's config does not say how many heads there are; transformers' does. An npz file has no config beside it.
    let beside = fixture("expected/encoders/\(name).json")
    var config = ConfigOptions()
    if name == "openclip-siglip" { config.file = fixture("checkpoints/hf-siglip/config.json") }
    if name.hasSuffix(".npz") { config.file = beside }
    model = try #require(try CLIPModel.open(fixture("checkpoints/\(name)"), options: config))
    expected = try Checkpoint.open(fixture("expected/encoders/\(name).safetensors"))
    pixelValues = try Self.numbers(expected["pixel_values"]).map { Float($0) }
    let ids = try #require(expected["input_ids"])
    let all = try ids.bytes.load().withUnsafeBytes { Array($0.bindMemory(to: Int32.self)) }
    texts = (0..<ids.shape[0]).map { row in
      TokenSequence(ids: Array(all[row * ids.shape[1]..<(row + 1) * ids.shape[1]]), count: 0, isTruncated: false)
    }
  }

  static func numbers(_ tensor: Tensor?) throws -> [Double] {
    let bytes = try #require(tensor).cast(to: .f64).bytes.load()
    return bytes.withUnsafeBytes { Array($0.bindMemory(to: Double.self)) }
  }
}

@Suite struct EncoderTests {
  /// Within f32's rounding of PyTorch in f64, on unit vectors.
  @Test(arguments: ExpectedEncoding.names)
  func embeddingsAreThoseOfPyTorch(name: String) throws {
    let example = try ExpectedEncoding(name)
    let encoder = try Encoder(example.model, threads: 2)
    let images = try encoder.encode(pixelValues: example.pixelValues)
    let texts = try encoder.encode(texts: example.texts)
    for (found, tensor) in [(images, "image_embeds"), (texts, "text_embeds")] {
      let expected = try ExpectedEncoding.numbers(example.expected[tensor])
      #expect(found.count == expected.count)
      let error = zip(found, expected).map { abs(Double($0) - $1) }.max() ?? .infinity
      #expect(error < 5e-7, "\(tensor) of \(name)")
    }
  }

  /// Every stage that PyTorch shows, within f32's rounding of its largest number.
  @Test(arguments: ExpectedEncoding.names)
  func stagesAreThoseOfPyTorch(name: String) throws {
    let example = try ExpectedEncoding(name)
    let encoder = try Encoder(example.model, threads: 2)
    var stages: [StageOutput] = []
    _ = try encoder.encode(pixelValues: example.pixelValues) { stages.append($0) }
    _ = try encoder.encode(texts: example.texts) { stages.append($0) }
    var compared = 0
    for stage in stages {
      guard let tensor = example.expected[stage.stage] else { continue }
      let expected = try ExpectedEncoding.numbers(tensor)
      // PyTorch computes the padding too.
      let tokens = tensor.shape.count == 3 ? tensor.shape[1] : 1
      var (row, largest, error) = (0, 0.0, 0.0)
      for (item, rows) in stage.rows.enumerated() {
        #expect(rows <= tokens && stage.columns == tensor.shape.last)
        for index in 0..<rows * stage.columns {
          let wanted = expected[item * tokens * stage.columns + index]
          error = max(error, abs(Double(stage.values[row * stage.columns + index]) - wanted))
          largest = max(largest, abs(wanted))
        }
        row += rows
      }
      #expect(error <= 2e-6 * max(1, largest), "\(stage.stage) of \(name)")
      compared += 1
    }
    #expect(compared == example.expected.names.count - 3, "stages of PyTorch's that no stage of ours was compared with")
  }

  /// Neither threads, nor what else is in the batch, nor an observer changes a bit.
  @Test(arguments: ExpectedEncoding.names)
  func bitsDoNotDependOnCompany(name: String) throws {
    let example = try ExpectedEncoding(name)
    let one = try Encoder(example.model, threads: 1)
    let images = try one.encode(pixelValues: example.pixelValues)
    let texts = try one.encode(texts: example.texts)
    let three = try Encoder(example.model, threads: 3)
    #expect(try three.encode(pixelValues: example.pixelValues + example.pixelValues) == images + images)
    let reversed = try three.encode(texts: example.texts.reversed())
    #expect(reversed.suffix(one.embedDim) == texts.prefix(one.embedDim))
    let length = example.pixelValues.count * one.embedDim / images.count
    let first = try one.encode(pixelValues: Array(example.pixelValues.prefix(length)))
    #expect(first == Array(images.prefix(one.embedDim)))
    #expect(try one.encode(pixelValues: example.pixelValues, observer: { _ in }) == images)
    #expect(try one.encode(texts: example.texts, observer: { _ in }) == texts)
  }

  @Test func rawRowsPointWhereUnitRowsDo() throws {
    let example = try ExpectedEncoding("openclip-vit")
    let encoder = try Encoder(example.model, threads: 1)
    let unit = try encoder.encode(texts: example.texts)
    let raw = try encoder.encode(texts: example.texts, normalize: false)
    let length = raw.prefix(encoder.embedDim).map { Double($0) * Double($0) }.reduce(0, +).squareRoot()
    #expect(abs(length - 1) > 0.01)
    for (a, b) in zip(unit, raw).prefix(encoder.embedDim) { #expect(abs(Double(a) - Double(b) / length) < 1e-7) }
  }

  @Test func refusesWhatDoesNotFit() throws {
    let example = try ExpectedEncoding("openclip-vit")
    let images = try Encoder(example.model, towers: .image, threads: 1)
    #expect(throws: FileError.self) { try images.encode(texts: example.texts) }
    #expect(throws: FileError.self) { try images.encode(pixelValues: [0, 1, 2]) }
    let texts = try Encoder(example.model, towers: .text, threads: 1)
    #expect(throws: FileError.self) { try texts.encode(pixelValues: example.pixelValues) }
    let foreign = TokenSequence(ids: [1, 528], count: 2, isTruncated: false)
    let error = #expect(throws: FileError.self) { try texts.encode(texts: [foreign]) }
    #expect(error?.tensor == "token_embedding.weight")
  }
}

/// What a config asks for and nothing here computes is refused, and only by the encoder that it is about.
@Test func poolingOverPatchesIsRefused() throws {
  let directory = try TemporaryDirectory()
  let source = fixture("checkpoints/openclip-vit")
  let config = try String(decoding: fixtureBytes("checkpoints/openclip-vit/open_clip_config.json"), as: UTF8.self)
  try directory.write(
    Array(config.replacing("\"patch_size\": 4", with: "\"patch_size\": 4, \"pool_type\": \"avg\"").utf8),
    to: "config.json")
  let options = ConfigOptions(file: directory.file("config.json"))
  let model = try #require(try CLIPModel.open(source, options: options))
  let error = #expect(throws: FileError.self) { try Encoder(model) }
  #expect(error?.kind == .unsupported && error?.message.contains("vision_cfg.pool_type is avg") == true)
  _ = try Encoder(model, towers: .text)
}

/// A tower whose projection is lost is no encoder: its tokens are not in the space of embeddings.
@Test(arguments: ["visual_projection.weight", "text_projection.weight"])
func lostProjectionIsRefused(name: String) throws {
  let source = try Checkpoint.open(fixture("checkpoints/hf-clip"))
  var spoiled = Checkpoint()
  for other in source.names where other != name { try spoiled.add(#require(source[other]), named: other) }
  let directory = try TemporaryDirectory()
  let writer = try FileWriter(directory.file("model.safetensors"))
  try Safetensors.write(spoiled, to: writer)
  try writer.commit()
  let config = ConfigOptions(file: fixture("checkpoints/hf-clip/config.json"))
  let model = try #require(try CLIPModel.open(directory.path, options: config))
  #expect(throws: FileError.self) { try Encoder(model) }
}

/// A config that a user gives replaces the model's, not what lies beside the model about its pictures.
@Test func givenConfigLeavesPreprocessing() throws {
  let directory = try TemporaryDirectory()
  try directory.write(fixtureBytes("checkpoints/hf-clip/config.json"), to: "config.json")
  let options = ConfigOptions(file: directory.file("config.json"))
  let model = try #require(try CLIPModel.open(fixture("checkpoints/hf-clip"), options: options))
  #expect(model.config.origins[.imageMean] == .file("preprocessor_config.json"))
}

/// A timm tower stands beside CLIP's causal texts too; its config says which.
@Test func aTimmTowerWithCausalTextsIsRefused() throws {
  let directory = try TemporaryDirectory()
  let source = fixture("checkpoints/openclip-siglip")
  for name in try OutputDirectory.entries(of: source) {
    var bytes = try Bytes(InputFile("\(source)/\(name)")).load()
    if name == "open_clip_config.json" {
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(text.contains("\"no_causal_mask\": true"))
      bytes = Array(text.replacing("\"no_causal_mask\": true", with: "\"no_causal_mask\": false").utf8)
    }
    try directory.write(bytes, to: name)
  }
  let model = try #require(try CLIPModel.open(directory.path))
  let error = #expect(throws: FileError.self) { _ = try Encoder(model) }
  #expect(error?.message == "text_cfg.no_causal_mask is false, which is not computed here")
}
