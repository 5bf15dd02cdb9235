import Checkpoints

/// What configs state that no fact holds and that changes embeddings: said, since it is lost.
enum ConfigLimits {
  /// What a config states of an encoder.
  struct Statement {
    let tower: TowerSelection
    let text: String
    /// Whether a graph's nodes state it, against what every config could.
    var isOfGraph = false
  }

  /// The statements of a Hugging Face or open_clip config, or of a preprocessor's, that outputs cannot repeat.
  static func notCarried(_ json: JSONValue) -> [String] {
    let text = (json["model_cfg"] ?? json)["text_cfg"]
    let tokenizer = isTimm(json) ? nil : text?["hf_tokenizer_name"]?.string
    return encoding(json).map(\.text) + (tokenizer.map { ["text_cfg.hf_tokenizer_name is \($0)"] } ?? [])
      + preprocessing(json)
  }

  /// The statements of an open_clip config that ask for what `Encoder` does not compute.
  static func encoding(_ json: JSONValue) -> [Statement] {
    var statements: [Statement] = []
    let model = json["model_cfg"] ?? json
    if let pooling = model["vision_cfg"]?["pool_type"]?.string, pooling != "tok" {
      statements.append(Statement(tower: .image, text: "vision_cfg.pool_type is \(pooling)"))
    }
    // SigLIP's texts see themselves whole, CLIP's do not; a timm tower may stand beside either.
    if let text = model["text_cfg"], model["vision_cfg"] != nil,
      (text["no_causal_mask"]?.bool == true) != isTimm(json)
    {
      statements.append(Statement(tower: .text, text: "text_cfg.no_causal_mask is \(!isTimm(json))"))
    }
    return statements
  }

  /// SigLIP in open_clip, whose texts see themselves whole.
  private static func isTimm(_ json: JSONValue) -> Bool {
    (json["model_cfg"] ?? json)["vision_cfg"]?["timm_model_name"] != nil
  }

  /// The statements of a `preprocessor_config.json` that ask for what `Preprocessor` does not do.
  static func preprocessing(_ json: JSONValue) -> [String] {
    var statements: [String] = []
    for key in ["do_resize", "do_center_crop", "do_rescale"] where json[key]?.bool == false {
      // What is squashed needs no crop.
      if key != "do_center_crop" || json["size"]?["shortest_edge"] != nil || json["size"]?.integer != nil {
        statements.append("\(key) is false")
      }
    }
    if json["do_pad"]?.bool == true { statements.append("do_pad is true") }
    if let factor = json["rescale_factor"]?.number, factor != 1.0 / 255 {
      statements.append("rescale_factor is \(factor)")
    }
    for key in ["longest_edge", "max_height", "max_width"] where json["size"]?[key]?.integer != nil {
      statements.append("size has a \(key)")
    }
    for key in ["size", "crop_size"] {
      if let height = json[key]?["height"]?.integer, let width = json[key]?["width"]?.integer, height != width {
        statements.append("\(key) is \(height) × \(width)")
      }
    }
    return statements
  }
}
