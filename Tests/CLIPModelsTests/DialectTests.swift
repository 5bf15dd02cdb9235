import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// True-size models, from OpenAI's table and open_clip's configs: no weights are needed to check their names.
private enum TrueSize: String, CaseIterable, Sendable {
  case vitB32, vitL14, vitBigG14, rn50, rn101, rn50x4, rn50x16, rn50x64

  var config: ModelConfig {
    switch self {
    case .vitB32: Self.vit(224, 32, 768, 12, 3072, embed: 512, text: (512, 12, 2048))
    case .vitL14: Self.vit(224, 14, 1024, 24, 4096, embed: 768, text: (768, 12, 3072))
    case .vitBigG14: Self.vit(224, 14, 1664, 48, 8192, embed: 1280, text: (1280, 32, 5120))
    case .rn50: Self.resNet(224, 64, [3, 4, 6, 3], embed: 1024, text: 512)
    case .rn101: Self.resNet(224, 64, [3, 4, 23, 3], embed: 512, text: 512)
    case .rn50x4: Self.resNet(288, 80, [4, 6, 10, 6], embed: 640, text: 640)
    case .rn50x16: Self.resNet(384, 96, [6, 8, 18, 8], embed: 768, text: 768)
    case .rn50x64: Self.resNet(448, 128, [3, 15, 36, 10], embed: 1024, text: 1024)
    }
  }

  private static func vit(
    _ size: Int, _ patch: Int, _ width: Int, _ layers: Int, _ mlp: Int, embed: Int,
    text: (width: Int, layers: Int, mlp: Int)
  ) -> ModelConfig {
    var config = ModelConfig(family: .clip)
    config.add(
      [
        .embedDim: .integer(embed), .visionImageSize: .integer(size), .visionPatchSize: .integer(patch),
        .visionWidth: .integer(width), .visionLayers: .integer(layers), .visionMLPWidth: .integer(mlp),
        .textContextLength: .integer(77), .textVocabSize: .integer(49408), .textWidth: .integer(text.width),
        .textLayers: .integer(text.layers), .textMLPWidth: .integer(text.mlp),
      ], from: .shapes)
    return config
  }

  private static func resNet(_ size: Int, _ width: Int, _ stages: [Int], embed: Int, text: Int) -> ModelConfig {
    var config = ModelConfig(family: .clip)
    config.add(
      [
        .embedDim: .integer(embed), .visionImageSize: .integer(size), .visionWidth: .integer(width),
        .visionStages: .integers(stages), .textContextLength: .integer(77), .textVocabSize: .integer(49408),
        .textWidth: .integer(text), .textLayers: .integer(12), .textMLPWidth: .integer(4 * text),
      ], from: .shapes)
    return config
  }

  /// The tensors that the plain class has: no layer scale, no bias beside the projection.
  var names: [String] {
    let optional = [".gamma", "logit_bias", "text_projection.weight", "text_projection.bias", "cls_emb", "conv1.bias"]
    return CanonicalTensors(config).list.map(\.name).filter { name in !optional.contains { name.hasSuffix($0) } }
  }
}

/// OpenAI's ViT-B/32 has 302 tensors, and Hugging Face's 398, without the position ids of old files; their numbers
/// add up to the 151,277,313 parameters that the paper's authors publish.
@Test func viTB32HasTheKnownTensors() throws {
  let names = TrueSize.vitB32.names
  #expect(names.count == 302)
  let hf = try Dialect.named("hf", for: .clip)
  #expect(names.flatMap { hf.fileNames($0) }.count == 398)
  let shapes = CanonicalTensors(TrueSize.vitB32.config).list.filter { names.contains($0.name) }.map(\.shape)
  #expect(shapes.reduce(0) { $0 + $1.reduce(1, *) } == 151_277_313)
}

/// Every dialect that names a model names each tensor, no name twice, and maps each name back.
@Test(arguments: TrueSize.allCases, Dialect.all.filter { $0.family == .clip }.map(\.name))
private func namesAreABijection(_ model: TrueSize, _ dialectName: String) throws {
  let dialect = try Dialect.named(dialectName, for: .clip)
  let isResNet = model.config.isResNet
  if isResNet, !["openai", "open_clip-custom"].contains(dialectName) { return }
  var seen: Set<String> = []
  for name in model.names {
    let files = dialect.fileNames(name)
    // clip.cpp has no tensor for the temperature, which is metadata there.
    #expect(files.isEmpty == (dialectName == "clip.cpp" && name == "logit_scale"), "\(name)")
    for (fileName, rule) in files {
      #expect(seen.insert(fileName).inserted, "\(fileName) twice")
      let back = dialect.canonical(fileName)
      #expect(back?.name == name)
      #expect(back?.rule.form == rule.form)
    }
  }
}

/// No two lines of a table give one name, whichever way it is read.
@Test(arguments: Dialect.all.indices)
func tablesHaveNoLineTwice(_ index: Int) {
  let rules = Dialect.all[index].rules
  #expect(Set(rules.map(\.file.text)).count == rules.count)
  let targets = rules.map { "\($0.canonical.text) \($0.form.part?.index ?? 0)" }
  #expect(Set(targets).count == targets.count)
}

@Test func templatesMatchOnlyNumbersInTheirOwnForm() {
  let template = NameTemplate("a.{}.b{}")
  #expect(template.match("a.3.b12") == [3, 12])
  #expect(template.match("a.03.b1") == nil)
  #expect(template.match("a..b1") == nil)
  #expect(template.match("a.3.b1c") == nil)
  #expect(template.match("a.99999999999999999999.b1") == nil)
  #expect(template.name([3, 12]) == "a.3.b12")
}

/// The swap that clip.cpp never noticed: told by the shapes, not by the names.
@Test func ffnOrderIsToldByShapes() throws {
  let directory = try TemporaryDirectory()
  for name in ["clip.cpp", "llama.cpp"] {
    var options = ConversionOptions()
    options.dialect = name
    let path = directory.file("\(name).safetensors")
    _ = try convert(fixture("checkpoints/openclip-vit"), to: path, options: options)
    let model = try #require(try CLIPModel.open(path))
    #expect(model.dialect.name == name)
    let down = try #require(model.checkpoint["v.blk.0.ffn_down.weight"])
    #expect(down.shape == (name == "clip.cpp" ? [128, 32] : [32, 128]))
  }
}
