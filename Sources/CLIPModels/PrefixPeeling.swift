import Checkpoints

/// Takes off what wrappers put before every tensor's name: DataParallel's `module.`, torch.compile's `_orig_mod.`.
enum PrefixPeeling {
  private static let prefixes = [
    "module.", "_orig_mod.", "model.", "state_dict.", "clip_model.", "clip.", "base_model.", "params/",
  ]

  /// Learned scalars stand outside where only the towers are wrapped.
  private static let unwrapped: Set = ["logit_scale", "logit_bias"]

  static func peel(_ checkpoint: Checkpoint) throws(FileError) -> (Checkpoint, notes: [String]) {
    var prefix = ""
    while let next = prefixes.first(where: { candidate in
      let wrapped = checkpoint.names.count { $0.hasPrefix(prefix + candidate) }
      return wrapped > 0 && checkpoint.names.allSatisfy { $0.hasPrefix(prefix + candidate) || unwrapped.contains($0) }
    }) {
      prefix += next
    }
    var notes: [String] = []
    if !prefix.isEmpty { notes.append("names begin with '\(prefix)', which is taken off") }
    var names: [(from: String, to: String)] = checkpoint.names.map {
      ($0, unwrapped.contains($0) ? $0 : String($0.dropFirst(prefix.count)))
    }
    if let tower = flatTower(Set(names.map(\.to))) {
      notes.append("names have no '\(tower)', which is added")
      names = names.map {
        ($0.from, $0.to.contains("_projection.") || $0.to.hasPrefix("logit_") ? $0.to : tower + $0.to)
      }
    }
    let unstacked = names.contains { $0.to.contains("/encoderblock/") }
    guard !notes.isEmpty || unstacked else { return (checkpoint, []) }
    return (try rename(checkpoint, names), notes)
  }

  /// transformers 5 writes a single tower without the tower's own prefix, and so is one of open_clip exported alone.
  private static func flatTower(_ names: Set<String>) -> String? {
    if names.contains("embeddings.token_embedding.weight") { return "text_model." }
    if names.contains("embeddings.patch_embedding.weight") { return "vision_model." }
    let isVision = names.contains("class_embedding") || names.contains("attnpool.positional_embedding")
    if isVision, names.contains("conv1.weight") { return "visual." }
    return nil
  }

  private static func rename(_ checkpoint: Checkpoint, _ names: [(from: String, to: String)]) throws(FileError)
    -> Checkpoint
  {
    var result = checkpoint
    result.removeAllTensors()
    for (from, to) in names {
      guard let tensor = checkpoint[from] else { continue }
      // Flax stacks the blocks of a scanned encoder in one tensor.
      if to.contains("/encoderblock/"), let layers = tensor.shape.first, layers <= 10_000 {
        let parts = to.split(separator: "/", omittingEmptySubsequences: false)
        for layer in 0..<layers {
          let name = parts.map { $0 == "encoderblock" ? "encoderblock_\(layer)" : String($0) }.joined(separator: "/")
          try result.add(tensor.rows(layer..<(layer + 1)).reshaped(Array(tensor.shape.dropFirst())), named: name)
        }
      } else {
        try result.add(tensor, named: to)
      }
    }
    return result
  }
}
