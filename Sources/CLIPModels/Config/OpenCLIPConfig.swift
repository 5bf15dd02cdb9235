import Checkpoints

/// `open_clip_config.json`, and the bare model configs of open_clip.
enum OpenCLIPConfig {
  /// Facts of a config, with the defaults of open_clip's classes for what it leaves out.
  static func facts(_ json: JSONValue) -> ConfigFacts? {
    let model = json["model_cfg"] ?? json
    guard let embedDim = model["embed_dim"]?.integer, let vision = model["vision_cfg"] else { return nil }
    var facts: ConfigFacts = [.embedDim: .integer(embedDim)]
    let isQuick = model["quick_gelu"]?.bool ?? false
    let isTimm = vision["timm_model_name"]?.string != nil
    if !isTimm { addVision(vision, isQuick: isQuick, to: &facts) }
    if isTimm, let pooling = timmPooling[vision["timm_pool"]?.string ?? "avg"] {
      facts[.visionPooling] = .text(pooling.rawValue)
    }
    if let size = vision["image_size"]?.integer { facts[.visionImageSize] = .integer(size) }
    if let text = model["text_cfg"], text["hf_model_name"] == nil { addText(text, isQuick: isQuick, to: &facts) }
    addPreprocessing(json["preprocess_cfg"], to: &facts)
    return facts
  }

  /// Facts of a `preprocess_cfg.json`, which immich has beside the graph of pictures.
  static func preparation(_ json: JSONValue) -> ConfigFacts {
    var facts: ConfigFacts = [:]
    guard json.object != nil else { return facts }
    addPreprocessing(json, to: &facts)
    let sides = json["size"]?.array?.compactMap(\.integer) ?? json["size"]?.integer.map { [$0] } ?? []
    if let side = sides.first, sides.allSatisfy({ $0 == side }) { facts[.visionImageSize] = .integer(side) }
    return facts
  }

  /// timm's names; the others are those of convolutional trunks.
  static let timmPooling: [String: VisionPooling] = ["map": .attention, "token": .classToken, "avg": .average]

  private static func addVision(_ json: JSONValue, isQuick: Bool, to facts: inout ConfigFacts) {
    let width = json["width"]?.integer ?? 768
    let headWidth = json["head_width"]?.integer ?? 64
    if let stages = json["layers"]?.array?.compactMap(\.integer), !stages.isEmpty {
      facts[.visionWidth] = .integer(width)
      facts[.visionStages] = .integers(stages)
      if headWidth > 0, (1...1 << 20).contains(width) { facts[.visionHeads] = .integer(width * 32 / headWidth) }
      return
    }
    facts[.visionWidth] = .integer(width)
    facts[.visionLayers] = .integer(json["layers"]?.integer ?? 12)
    if headWidth > 0 { facts[.visionHeads] = .integer(width / headWidth) }
    let ratio = Double(width) * (json["mlp_ratio"]?.number ?? 4)
    if let mlpWidth = Int(exactly: ratio.rounded(.towardZero)) { facts[.visionMLPWidth] = .integer(mlpWidth) }
    facts[.visionPatchSize] = .integer(json["patch_size"]?.integer ?? 16)
    facts[.visionActivation] = activation(json, isQuick: isQuick)
    facts[.visionEpsilon] = .number(json["norm_kwargs"]?["eps"]?.number ?? 1e-5)
  }

  private static func addText(_ json: JSONValue, isQuick: Bool, to facts: inout ConfigFacts) {
    let width = json["width"]?.integer ?? 512
    facts[.textWidth] = .integer(width)
    facts[.textLayers] = .integer(json["layers"]?.integer ?? 12)
    facts[.textHeads] = .integer(json["heads"]?.integer ?? 8)
    facts[.textContextLength] = .integer(json["context_length"]?.integer ?? 77)
    facts[.textVocabSize] = .integer(json["vocab_size"]?.integer ?? 49408)
    let ratio = Double(width) * (json["mlp_ratio"]?.number ?? 4)
    if let mlpWidth = Int(exactly: ratio.rounded(.towardZero)) { facts[.textMLPWidth] = .integer(mlpWidth) }
    facts[.textActivation] = activation(json, isQuick: isQuick)
    facts[.textEpsilon] = .number(json["norm_kwargs"]?["eps"]?.number ?? 1e-5)
    facts[.textPooling] = .text(json["pool_type"]?.string ?? "argmax")
    if let end = json["eos_id"]?.integer { facts[.textEndID] = .integer(end) }
    if let padding = json["pad_id"]?.integer { facts[.textPaddingID] = .integer(padding) }
    if let cleaning = json["tokenizer_kwargs"]?["clean"]?.string { facts[.textCleaning] = .text(cleaning) }
    let isSentencePiece = json["hf_tokenizer_name"]?.string != nil
    facts[.textTokenizer] = .text((isSentencePiece ? TokenizerDialect.sentencePiece : .openCLIP).rawValue)
  }

  private static func activation(_ json: JSONValue, isQuick: Bool) -> ConfigValue {
    let isTanh = json["act_kwargs"]?["approximate"]?.string == "tanh"
    return .text((isQuick ? Activation.quickGELU : isTanh ? .geluTanh : .gelu).rawValue)
  }

  private static func addPreprocessing(_ json: JSONValue?, to facts: inout ConfigFacts) {
    guard let json else { return }
    // What the file leaves out, open_clip's class has; one number stands for three.
    let standard = Conventions.laion.facts
    func numbers(_ key: String) -> ConfigValue? {
      let numbers = json[key]?.number.map { [$0, $0, $0] } ?? json[key]?.array?.compactMap(\.number)
      return numbers.map { .numbers($0) }
    }
    func text(_ key: String) -> ConfigValue? { json[key]?.string.map { .text($0) } }
    facts[.imageMean] = numbers("mean") ?? standard[.imageMean]
    facts[.imageStd] = numbers("std") ?? standard[.imageStd]
    let interpolation = text("interpolation")
    // "random" is for training; elsewhere open_clip takes it for bicubic.
    let isRandom = interpolation == .text("random")
    facts[.imageInterpolation] = isRandom ? .text("bicubic") : interpolation ?? standard[.imageInterpolation]
    facts[.imageResizeMode] = text("resize_mode") ?? standard[.imageResizeMode]
    if let color = json["fill_color"]?.integer, color != 0 { facts[.imageFillColor] = .integer(color) }
    facts[.imagePreprocessing] = .text(PreprocessingDialect.openCLIP.rawValue)
  }
}
