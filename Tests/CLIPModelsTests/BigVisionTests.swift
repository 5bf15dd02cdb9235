import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// big_vision's two towers beside SigLIP: with a class token, with tokens averaged, and what is refused by name.
@Suite struct BigVisionTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func checkpoint(_ name: String, without dropped: String = "") throws -> Checkpoint {
    let whole = try Checkpoint.open(fixture("checkpoints/big-vision-\(name).npz"))
    var rest = whole
    rest.removeAllTensors()
    for name in whole.names where name != dropped { try rest.add(#require(whole[name]), named: name) }
    return rest
  }

  private func zeros(_ shape: [Int]) throws -> Tensor {
    let bytes = [UInt8](repeating: 0, count: 4 * shape.reduce(1, *))
    return try Tensor(dtype: .f32, shape: shape, bytes: Bytes(bytes))
  }

  /// Heads stand apart in the kernels; flax's gelu is tanh's, its layer norm's epsilon 1e-6.
  @Test(arguments: ["class-token", "average"]) func factsComeFromTheFileAndTheLibrary(_ name: String) throws {
    let model = try #require(try CLIPModel(checkpoint(name)))
    #expect(model.problems.isEmpty)
    for field in [ConfigField.visionHeads, .textHeads] {
      #expect(model.config[field] == .integer(2) && model.config.origins[field] == .shapes)
    }
    for field in [ConfigField.visionActivation, .textActivation] {
      #expect(model.config[field] == .text("gelu_tanh"))
      #expect(model.config.origins[field] == .known("every model of big_vision"))
    }
  }

  /// Whether tokens are averaged or the first is taken, the weights do not tell.
  @Test func poolingWithoutATokenOrAHeadIsUnknownUntilStated() throws {
    #expect(try #require(try CLIPModel(checkpoint("class-token"))).config.text(.visionPooling) == "class_token")
    let model = try #require(try CLIPModel(checkpoint("average")))
    #expect(model.config[.visionPooling] == nil)
    #expect(Findings(model).warnings.contains { $0.code == "config-unknown" && $0.message.contains("vision.pooling") })

    let json = #"{"embed_dim": 24, "vision_cfg": {"timm_model_name": "x", "timm_pool": "avg"}}"#
    let config = ConfigOptions(file: try directory.write(Array(json.utf8), to: "config.json"))
    let stated = try #require(try CLIPModel(checkpoint("average"), options: config))
    #expect(stated.config[.visionPooling] == .text("average") && stated.problems.isEmpty)
  }

  /// Files from before the class token lost its position have one position more.
  @Test func theClassTokenMayHaveAPosition() throws {
    let name = "params/img/pos_embedding"
    for (positions, isRight) in [(16, true), (17, true), (18, false)] {
      var old = try checkpoint("class-token", without: name)
      try old.add(zeros([1, positions, 32]), named: name)
      let model = try #require(try CLIPModel(old))
      #expect(model.problems.isEmpty)
      #expect((model.config[.visionImageSize] == .integer(16)) == isRight, "\(positions)")
    }
  }

  @Test(arguments: [
    ("img/pre_logits/kernel", "a tanh layer before the image's projection (rep_size), which nobody else has"),
    ("txt/MAPHead_0/probe", "texts pooled by attention, which nobody else does"),
    ("txt/BertEncoder_0/embedder/scale", "a BERT as text encoder, as LiT has: not known"),
    ("img/probe", "a name from before 2022, which big_vision renames when it loads"),
    ("txt/Encoder_0/pos_embedding", "a second position embedding, which big_vision adds to the first"),
  ])
  func whatNobodyElseHasIsRefusedByName(_ name: String, _ why: String) throws {
    var checkpoint = try checkpoint("class-token")
    try checkpoint.add(zeros([1, 4]), named: "params/\(name)")
    let model = try #require(try CLIPModel(checkpoint))
    #expect(model.problems.map(\.message) == [why])
    #expect(model.problems.first?.tensor == name)
    #expect(model.problems.first?.kind == .unsupported)
  }

  @Test(arguments: [("img", "visual."), ("txt", "")]) func computedPositionsAreRefused(
    _ tower: String, _ prefix: String
  )
    throws
  {
    let model = try #require(try CLIPModel(checkpoint("average", without: "params/\(tower)/pos_embedding")))
    #expect(model.problems.map(\.tensor) == ["\(prefix)positional_embedding"])
    #expect(model.problems.first?.hint == "Positions that are computed, not learned, are not known")
  }

  /// transformers' SigLIP would start with a random head; what goes to open_clip is its own.
  @Test func transformersGetsNoModelWithoutItsHead() throws {
    let source = fixture("checkpoints/big-vision-class-token.npz")
    let average = fixture("checkpoints/big-vision-average.npz")
    var options = ConversionOptions()
    options.dialect = "hf"
    let headless = #expect(throws: FileError.self) {
      try convert(source, to: directory.file("out.safetensors"), options: options)
    }
    #expect(headless?.message == "transformers' SigLIP pools by attention, this model has no head for it")
    #expect(headless?.hint == "Write a file with --dialect open_clip-custom")
    options.layout = .hf
    #expect(throws: FileError.self) { try convert(average, to: directory.file("out"), options: options) }

    let report = try convert(average, to: directory.file("out.safetensors"))
    #expect(report.dialect == "open_clip-custom")
  }
}
