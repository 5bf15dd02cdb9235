import Checkpoints

/// `config.json` and `preprocessor_config.json` of Hugging Face's transformers.
enum HuggingFaceConfig {
  /// Facts of a `config.json`, with the defaults of the library's classes for what it leaves out.
  static func facts(_ json: JSONValue) -> ConfigFacts? {
    let type = json["model_type"]?.string ?? ""
    let isSigLIP = type.hasPrefix("siglip")
    let isTower = type.hasSuffix("_text_model") || type.hasSuffix("_vision_model")
    guard type.hasPrefix("clip") || isSigLIP else { return nil }
    var facts: ConfigFacts = [:]
    if !type.hasSuffix("_vision_model") {
      // Old files repeat the towers' configs under `…_dict`, which wins over the other.
      let text = isTower ? json : json["text_config_dict"].flatMap(nonEmpty) ?? json["text_config"]
      addText(text, isSigLIP: isSigLIP, to: &facts)
    }
    if !type.hasSuffix("_text_model") {
      let vision = isTower ? json : json["vision_config_dict"].flatMap(nonEmpty) ?? json["vision_config"]
      addVision(vision, isSigLIP: isSigLIP, to: &facts)
    }
    if !isSigLIP { facts[.embedDim] = .integer(json["projection_dim"]?.integer ?? 512) }
    return facts
  }

  private static func nonEmpty(_ json: JSONValue) -> JSONValue? {
    json.object.map { $0.keys.isEmpty } == false ? json : nil
  }

  private static let activations: [String: Activation] = [
    "quick_gelu": .quickGELU, "gelu": .gelu, "gelu_pytorch_tanh": .geluTanh, "gelu_new": .geluTanh,
  ]

  private static func addText(_ json: JSONValue?, isSigLIP: Bool, to facts: inout ConfigFacts) {
    func integer(_ key: String, _ standard: Int) -> ConfigValue { .integer(json?[key]?.integer ?? standard) }
    facts[.textWidth] = integer("hidden_size", isSigLIP ? 768 : 512)
    facts[.textLayers] = integer("num_hidden_layers", 12)
    facts[.textHeads] = integer("num_attention_heads", isSigLIP ? 12 : 8)
    facts[.textMLPWidth] = integer("intermediate_size", isSigLIP ? 3072 : 2048)
    facts[.textContextLength] = integer("max_position_embeddings", isSigLIP ? 64 : 77)
    facts[.textVocabSize] = integer("vocab_size", isSigLIP ? 32000 : 49408)
    facts[.textEpsilon] = .number(json?["layer_norm_eps"]?.number ?? (isSigLIP ? 1e-6 : 1e-5))
    facts[.textActivation] = activation(json, isSigLIP: isSigLIP)
    guard !isSigLIP else {
      facts[.textPooling] = .text(TextPooling.last.rawValue)
      facts[.textTokenizer] = .text(TokenizerDialect.sentencePiece.rawValue)
      return
    }
    facts[.textTokenizer] = .text(TokenizerDialect.huggingFace.rawValue)
    // transformers takes the largest id when the config says 2, which old configs wrongly do.
    let end = json?["eos_token_id"]?.integer ?? 49407
    facts[.textPooling] = .text((end == 2 ? TextPooling.argmax : .endOfText).rawValue)
    if end != 2 { facts[.textEndID] = .integer(end) }
  }

  private static func addVision(_ json: JSONValue?, isSigLIP: Bool, to facts: inout ConfigFacts) {
    func integer(_ key: String, _ standard: Int) -> ConfigValue { .integer(json?[key]?.integer ?? standard) }
    facts[.visionWidth] = integer("hidden_size", 768)
    facts[.visionLayers] = integer("num_hidden_layers", 12)
    facts[.visionHeads] = integer("num_attention_heads", 12)
    facts[.visionMLPWidth] = integer("intermediate_size", 3072)
    facts[.visionImageSize] = integer("image_size", 224)
    facts[.visionPatchSize] = integer("patch_size", isSigLIP ? 16 : 32)
    facts[.visionEpsilon] = .number(json?["layer_norm_eps"]?.number ?? (isSigLIP ? 1e-6 : 1e-5))
    facts[.visionActivation] = activation(json, isSigLIP: isSigLIP)
  }

  private static func activation(_ json: JSONValue?, isSigLIP: Bool) -> ConfigValue? {
    let name = json?["hidden_act"]?.string ?? (isSigLIP ? "gelu_pytorch_tanh" : "quick_gelu")
    return activations[name].map { .text($0.rawValue) }
  }

  private static let filters = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]

  /// Facts of a `preprocessor_config.json`.
  static func preprocessingFacts(_ json: JSONValue) -> ConfigFacts {
    var facts: ConfigFacts = [:]
    func numbers(_ key: String) -> [Double]? { json[key]?.array?.compactMap(\.number) }
    if let mean = numbers("image_mean"), mean.count == 3 { facts[.imageMean] = .numbers(mean) }
    if let std = numbers("image_std"), std.count == 3 { facts[.imageStd] = .numbers(std) }
    if json["do_normalize"]?.bool == false {
      facts[.imageMean] = .numbers([0, 0, 0])
      facts[.imageStd] = .numbers([1, 1, 1])
    }
    if let resample = json["resample"]?.integer, filters.indices.contains(resample) {
      facts[.imageInterpolation] = .text(filters[resample])
    }
    let shortest = json["size"]?.integer ?? json["size"]?["shortest_edge"]?.integer
    let square = json["size"]?["height"]?.integer
    if shortest != nil || square != nil {
      facts[.imageResizeMode] = .text(shortest != nil ? "shortest" : "squash")
    }
    let crop = json["crop_size"]?.integer ?? json["crop_size"]?["height"]?.integer
    if let side = shortest ?? square {
      let isCropped = json["do_center_crop"]?.bool ?? (crop != nil)
      if let input = isCropped ? crop : square { facts[.visionImageSize] = .integer(input) }
      if isCropped, let crop, crop != side { facts[.imageResizeSize] = .integer(side) }
    }
    if !facts.isEmpty { facts[.imagePreprocessing] = .text(PreprocessingDialect.huggingFace.rawValue) }
    return facts
  }
}
