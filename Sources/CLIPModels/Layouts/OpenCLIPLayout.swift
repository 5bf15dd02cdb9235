import Checkpoints

/// `open_clip_config.json` as open_clip writes it.
struct OpenCLIPLayout {
  private let config: ModelConfig
  private let model: CLIPModel
  private let isCustomText: Bool
  /// The source's own file, which says what no fact does: timm's name for a trunk, the tokenizer's.
  private let source: JSONValue?

  init(_ config: ModelConfig, model: CLIPModel, dialect: Dialect) throws(FileError) {
    self.config = config
    self.model = model
    isCustomText = dialect.isCustomText
    let path = "\(directory(of: model.checkpoint.files.first?.path ?? ""))/open_clip_config.json"
    source = FileIdentity(path: path) == nil ? nil : try JSONValue(contentsOf: path)["model_cfg"]
  }

  func json() throws(FileError) -> JSONValue {
    guard config.hasVision, config.hasText else {
      throw FileError(.unsupported, "open_clip's directory needs both towers", hint: "Leave out --layout or --tower")
    }
    var cfg = JSONObject()
    cfg["embed_dim"] = try config.required(.embedDim, for: "open_clip_config.json")
    // A ResNet has none, and timm's trunk of a SigLIP has its own.
    let hasActivation = !config.isResNet && config.family == .clip
    let vision = hasActivation ? try config.required(.visionActivation, for: "open_clip_config.json").string : nil
    let text = try config.required(.textActivation, for: "open_clip_config.json").string
    let isQuick = text == Activation.quickGELU.rawValue
    guard vision == nil || vision == text else {
      throw FileError(
        .unsupported, "open_clip has one activation for both towers, found \(vision ?? "") and \(text ?? "")")
    }
    if isQuick { cfg["quick_gelu"] = true }
    if config.family == .siglip { cfg["init_logit_bias"] = -10 }
    if isCustomText { cfg["custom_text"] = true }
    cfg["vision_cfg"] = .object(try visionConfig())
    cfg["text_cfg"] = .object(try textConfig(isTanh: text == Activation.geluTanh.rawValue))
    var json = JSONObject()
    json["model_cfg"] = .object(cfg)
    if let preprocessing = try preprocessing() { json["preprocess_cfg"] = .object(preprocessing) }
    return .object(json)
  }

  /// `preprocess_cfg.json`, as `open_clip.get_model_preprocess_cfg` gives it.
  func imagePreparation() throws(FileError) -> JSONValue {
    let size = try config.required(.visionImageSize, for: "preprocess_cfg.json")
    for field in [ConfigField.imageMean, .imageStd, .imageInterpolation, .imageResizeMode] {
      _ = try config.required(field, for: "preprocess_cfg.json")
    }
    var json: JSONObject = ["size": [size, size], "mode": "RGB"]
    let rest = try preprocessing() ?? JSONObject()
    for key in rest.keys { json[key] = rest[key] }
    if json["fill_color"] == nil { json["fill_color"] = 0 }
    return .object(json)
  }

  private func visionConfig() throws(FileError) -> JSONObject {
    let file = "open_clip_config.json"
    var json = JSONObject()
    json["image_size"] = try config.required(.visionImageSize, for: file)
    if config.family == .siglip {
      if let own = source?["vision_cfg"]?.object {
        for key in own.keys { json[key] = own[key] }
        return json
      }
      let isAverage = try isAverage()
      json["timm_model_name"] = .string(try timmName(isAverage: isAverage))
      json["timm_model_pretrained"] = false
      json["timm_pool"] = isAverage ? "avg" : "map"
      let hasProjection = model.tensors["visual.proj.weight"] != nil
      json["timm_proj"] = hasProjection ? "linear" : "none"
      if hasProjection, model.tensors["visual.proj.bias"] != nil { json["timm_proj_bias"] = true }
      return json
    }
    json["width"] = try config.required(.visionWidth, for: file)
    let width = config.integer(.visionWidth) ?? 0
    let heads = max(1, try config.required(.visionHeads, for: file).integer ?? 1)
    if config.isResNet {
      json["layers"] = try config.required(.visionStages, for: file)
      if width * 32 / heads != 64 { json["head_width"] = JSONValue(width * 32 / heads) }
      return json
    }
    json["layers"] = try config.required(.visionLayers, for: file)
    json["patch_size"] = try config.required(.visionPatchSize, for: file)
    json["head_width"] = JSONValue(width / heads)
    if model.tensors["visual.transformer.resblocks.0.ls_1.gamma"] != nil { json["ls_init_value"] = 1e-5 }
    addMLPRatio(config.integer(.visionMLPWidth), width, to: &json)
    try addEpsilon(.visionEpsilon, to: &json)
    return json
  }

  private func textConfig(isTanh: Bool) throws(FileError) -> JSONObject {
    let file = "open_clip_config.json"
    var json = JSONObject()
    json["context_length"] = try config.required(.textContextLength, for: file)
    json["vocab_size"] = try config.required(.textVocabSize, for: file)
    json["width"] = try config.required(.textWidth, for: file)
    json["heads"] = try config.required(.textHeads, for: file)
    json["layers"] = try config.required(.textLayers, for: file)
    addMLPRatio(config.integer(.textMLPWidth), config.integer(.textWidth) ?? 0, to: &json)
    try addEpsilon(.textEpsilon, to: &json)
    if model.tensors["transformer.resblocks.0.ls_1.gamma"] != nil { json["ls_init_value"] = 1e-5 }
    for key in ["hf_tokenizer_name", "tokenizer_kwargs"] { json[key] = source?["text_cfg"]?[key] }
    if json["tokenizer_kwargs"] == nil, let cleaning = config.text(.textCleaning) {
      json["tokenizer_kwargs"] = ["clean": .string(cleaning)]
    }
    if isTanh { json["act_kwargs"] = ["approximate": "tanh"] }
    if model.tensors["text_projection.bias"] != nil { json["proj_bias"] = true }
    let pooling = try config.required(.textPooling, for: file).string
    if let pooling, pooling != "argmax" { json["pool_type"] = .string(pooling) }
    if pooling == "eos", let end = config.integer(.textEndID) { json["eos_id"] = JSONValue(end) }
    if config.family == .siglip { json["no_causal_mask"] = true }
    return json
  }

  /// open_clip stores a ratio and truncates; a little is added so that the division's rounding cannot lose one.
  private func addMLPRatio(_ mlpWidth: Int?, _ width: Int, to json: inout JSONObject) {
    guard let mlpWidth, width > 0, mlpWidth != 4 * width else { return }
    let ratio = Double(mlpWidth) / Double(width)
    let isExact = Int(ratio * Double(width)) == mlpWidth
    json["mlp_ratio"] = JSONValue(isExact ? ratio : ratio.nextUp)
  }

  private func addEpsilon(_ field: ConfigField, to json: inout JSONObject) throws(FileError) {
    let epsilon = try config.required(field, for: "open_clip_config.json").number
    if let epsilon, epsilon != 1e-5 { json["norm_kwargs"] = ["eps": JSONValue(epsilon)] }
  }

  private func preprocessing() throws(FileError) -> JSONObject? {
    if let size = config.integer(.imageResizeSize), size != config.integer(.visionImageSize) {
      throw FileError(.unsupported, "open_clip cannot resize to \(size) pixels before the crop")
    }
    guard let mean = config.numbers(.imageMean), let std = config.numbers(.imageStd) else { return nil }
    var json = JSONObject()
    json["mean"] = .array(mean.map { JSONValue($0) })
    json["std"] = .array(std.map { JSONValue($0) })
    if let interpolation = config.text(.imageInterpolation) { json["interpolation"] = .string(interpolation) }
    if let mode = config.text(.imageResizeMode) { json["resize_mode"] = .string(mode) }
    if let color = config.integer(.imageFillColor) { json["fill_color"] = JSONValue(color) }
    return json
  }

  /// timm's SigLIP trunks pool by attention or average.
  private func isAverage() throws(FileError) -> Bool {
    let pooling = try config.required(.visionPooling, for: "open_clip_config.json").string
    guard pooling != VisionPooling.classToken.rawValue else {
      throw FileError(
        .unsupported, "timm has no SigLIP trunk with a class token",
        hint: "Write a file with --dialect open_clip-custom")
    }
    return pooling == VisionPooling.average.rawValue
  }

  /// timm's name for a SigLIP trunk of these shapes.
  private func timmName(isAverage: Bool) throws(FileError) -> String {
    let names = [768: "base", 1024: "large", 1152: "so400m", 1536: "giantopt"]
    guard let size = config.integer(.visionImageSize), let patch = config.integer(.visionPatchSize),
      let width = config.integer(.visionWidth), let name = names[width], KnownModel.matching(config) != nil
    else {
      throw FileError(
        .unsupported, "timm has no SigLIP trunk of these shapes", hint: "Use --layout hf, or a single file")
    }
    return "vit_\(name)_patch\(patch)_siglip_\(isAverage ? "gap_" : "")\(size)"
  }
}
