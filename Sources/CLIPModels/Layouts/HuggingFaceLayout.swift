import Checkpoints

/// `config.json` and `preprocessor_config.json` as transformers writes them.
struct HuggingFaceLayout {
  private let config: ModelConfig
  /// A tower alone may end before the projection; it has another class.
  private let hasProjection: Bool

  /// Throws `unsupported` for a model that transformers has no class for.
  init(_ config: ModelConfig, hasProjection: Bool) throws(FileError) {
    guard !config.isResNet else {
      throw FileError(.unsupported, "transformers has no CLIP with a ResNet", hint: "Use --layout open_clip")
    }
    let isPooled = config.text(.visionPooling) == VisionPooling.attention.rawValue
    guard config.family != .siglip || !config.hasVision || isPooled else { throw Self.noPoolingHead }
    self.config = config
    self.hasProjection = hasProjection
  }

  static let noPoolingHead = FileError(
    .unsupported, "transformers' SigLIP pools by attention, this model has no head for it",
    hint: "Write a file with --dialect open_clip-custom")

  private var isSigLIP: Bool { config.family == .siglip }
  private var typePrefix: String { isSigLIP ? "siglip" : "clip" }
  private var classPrefix: String { isSigLIP ? "Siglip" : "CLIP" }

  func config(dtype: DType) throws(FileError) -> JSONValue {
    var json = JSONObject()
    let text = config.hasText ? try textConfig() : nil
    let vision = config.hasVision ? try visionConfig() : nil
    if let text, let vision {
      json["architectures"] = [.string("\(classPrefix)Model")]
      json["model_type"] = .string(typePrefix)
      if !isSigLIP {
        json["projection_dim"] = try config.required(.embedDim, for: "config.json")
        json["logit_scale_init_value"] = 2.6592
      }
      json["text_config"] = .object(text)
      json["vision_config"] = .object(vision)
    } else {
      let tower = text != nil ? "Text" : "Vision"
      json = text ?? vision ?? JSONObject()
      let suffix = isSigLIP || !hasProjection ? "" : "WithProjection"
      json["architectures"] = [.string("\(classPrefix)\(tower)Model\(suffix)")]
    }
    if let name = [DType.f32: "float32", .f16: "float16", .bf16: "bfloat16"][dtype] { json["dtype"] = .string(name) }
    return .object(json)
  }

  private func tower(_ type: String, _ fields: [(String, ConfigField)]) throws(FileError) -> JSONObject {
    var json = JSONObject()
    json["model_type"] = .string("\(typePrefix)_\(type)_model")
    for (key, field) in fields { json[key] = try config.required(field, for: "config.json") }
    if !isSigLIP, let embedDim = config.integer(.embedDim) { json["projection_dim"] = JSONValue(embedDim) }
    return json
  }

  private func activation(_ field: ConfigField) throws(FileError) -> JSONValue {
    let name = try config.required(field, for: "config.json").string ?? ""
    return .string(name == Activation.geluTanh.rawValue ? "gelu_pytorch_tanh" : name)
  }

  private func textConfig() throws(FileError) -> JSONObject {
    var json = try tower(
      "text",
      [
        ("hidden_size", .textWidth), ("intermediate_size", .textMLPWidth), ("num_hidden_layers", .textLayers),
        ("num_attention_heads", .textHeads), ("max_position_embeddings", .textContextLength),
        ("vocab_size", .textVocabSize), ("layer_norm_eps", .textEpsilon),
      ])
    json["hidden_act"] = try activation(.textActivation)
    if isSigLIP {
      if let embedDim = config.integer(.embedDim) { json["projection_size"] = JSONValue(embedDim) }
      return json
    }
    let pooling = try config.required(.textPooling, for: "config.json").string
    guard pooling == TextPooling.argmax.rawValue || pooling == TextPooling.endOfText.rawValue else {
      throw FileError(.unsupported, "transformers' CLIP cannot pool text at '\(pooling ?? "")'")
    }
    if let end = config.integer(.textEndID) {
      json["eos_token_id"] = JSONValue(end)
    } else {
      // In CLIP's vocabulary the largest id is end-of-text; in another, 2 makes transformers take the largest.
      let isStandard = config.integer(.textVocabSize) == 49408
      json["eos_token_id"] = isStandard ? 49407 : 2
    }
    // Start-of-text comes before end-of-text, which is last; the class's own default may be beyond the vocabulary.
    if let size = config.integer(.textVocabSize), size >= 2 { json["bos_token_id"] = JSONValue(size - 2) }
    return json
  }

  private func visionConfig() throws(FileError) -> JSONObject {
    var json = try tower(
      "vision",
      [
        ("hidden_size", .visionWidth), ("intermediate_size", .visionMLPWidth), ("num_hidden_layers", .visionLayers),
        ("num_attention_heads", .visionHeads), ("image_size", .visionImageSize), ("patch_size", .visionPatchSize),
        ("layer_norm_eps", .visionEpsilon),
      ])
    json["num_channels"] = 3
    json["hidden_act"] = try activation(.visionActivation)
    return json
  }

  func preprocessor() throws(FileError) -> JSONValue {
    let file = "preprocessor_config.json"
    let size = try config.required(.visionImageSize, for: file)
    let mode = try config.required(.imageResizeMode, for: file).string
    let interpolation = try config.required(.imageInterpolation, for: file).string ?? ""
    guard mode != "longest" else { throw FileError(.unsupported, "transformers cannot resize the longest side") }
    let square: JSONValue = ["height": size, "width": size]
    var json = JSONObject()
    json["image_processor_type"] = .string(isSigLIP ? "SiglipImageProcessor" : "CLIPImageProcessor")
    json["do_resize"] = true
    let resized = config.integer(.imageResizeSize).map { JSONValue($0) } ?? size
    let isCropped = mode == "shortest" || resized != size
    json["size"] = mode == "shortest" ? ["shortest_edge": resized] : ["height": resized, "width": resized]
    guard let resample = ["nearest": 0, "bilinear": 2, "bicubic": 3, "box": 4][interpolation] else {
      throw FileError(.unsupported, "transformers has no interpolation '\(escaped(interpolation))'")
    }
    json["resample"] = JSONValue(resample)
    if !isSigLIP || isCropped {
      json["do_center_crop"] = .bool(isCropped)
      json["crop_size"] = square
      json["do_convert_rgb"] = true
    }
    json["do_rescale"] = true
    json["rescale_factor"] = .number("0.00392156862745098")
    json["do_normalize"] = true
    json["image_mean"] = try config.required(.imageMean, for: file)
    json["image_std"] = try config.required(.imageStd, for: file)
    return .object(json)
  }
}
