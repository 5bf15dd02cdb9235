/// What tells a tensor's name from a name that an exporter made up.
struct TensorNaming {
  /// What a wrapper put before every name: `model.`.
  let prefix: String

  private static let endings: Set = [
    "weight", "bias", "in_proj_weight", "in_proj_bias", "class_embedding", "positional_embedding", "proj",
    "text_projection", "probe", "latent", "pos_embed", "cls_token", "cls_emb", "gamma", "running_mean", "running_var",
    "num_batches_tracked", "position_ids", "logit_scale", "logit_bias",
  ]

  /// Whether a constant still has the name that it had in the checkpoint.
  static func isName(_ name: String) -> Bool {
    guard !name.contains(":"), !name.contains("/") else { return false }
    return endings.contains(name.split(separator: ".").last.map(String.init) ?? "")
  }

  /// Finds the prefix after which most names are a dialect's.
  init(_ names: [String]) {
    var counts: [String: Int] = [:]
    for name in names {
      let parts = name.split(separator: ".")
      for dropped in 0..<min(3, parts.count) where Self.isKnown(parts[dropped...].joined(separator: ".")) {
        counts[parts[..<dropped].map { "\($0)." }.joined(), default: 0] += 1
        break
      }
    }
    prefix = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? ""
  }

  /// The first of these tensors of a module that some dialect has, under its full name.
  func name(of endings: [String], in module: String) -> String? {
    let module = module.isEmpty || module.hasPrefix(prefix) ? module : prefix + module
    for ending in endings {
      let name = module.isEmpty ? prefix + ending : "\(module).\(ending)"
      if Self.isKnown(String(name.dropFirst(prefix.count))) { return name }
    }
    return nil
  }

  /// Whether a dialect has the name, of a whole model or of one of its towers.
  private static func isKnown(_ name: String) -> Bool {
    for tower in ["", "visual.", "text.", "vision_model.", "text_model."] {
      if Dialect.all.contains(where: { !$0.isGGML && $0.canonical(tower + name) != nil }) { return true }
    }
    return false
  }
}
