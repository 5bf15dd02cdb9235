import Checkpoints

/// What configs state that no fact holds and that changes embeddings: said, since it is lost.
enum ConfigLimits {
  /// The statements of a Hugging Face or open_clip config, or of a preprocessor's, that outputs cannot repeat.
  static func notCarried(_ json: JSONValue) -> [String] {
    var statements: [String] = []
    let model = json["model_cfg"] ?? json
    if let pooling = model["vision_cfg"]?["pool_type"]?.string, pooling != "tok" {
      statements.append("vision_cfg.pool_type is \(pooling)")
    }
    if let text = model["text_cfg"], model["vision_cfg"]?["timm_model_name"] == nil {
      if text["no_causal_mask"]?.bool == true { statements.append("text_cfg.no_causal_mask is true") }
      if let name = text["hf_tokenizer_name"]?.string { statements.append("text_cfg.hf_tokenizer_name is \(name)") }
    }
    for key in ["do_resize", "do_center_crop", "do_rescale", "do_normalize"] where json[key]?.bool == false {
      // SigLIP's processors have no crop to do.
      if key != "do_center_crop" || json["size"]?["shortest_edge"] != nil { statements.append("\(key) is false") }
    }
    let size = json["size"]?["shortest_edge"]?.integer ?? json["size"]?.integer
    let crop = json["crop_size"]?["height"]?.integer ?? json["crop_size"]?.integer
    if let size, let crop, size != crop {
      statements.append("the shorter side is resized to \(size), the crop is \(crop)")
    }
    return statements
  }
}
