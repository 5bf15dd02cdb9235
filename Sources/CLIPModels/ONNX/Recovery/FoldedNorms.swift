import Checkpoints

/// Batch norms that an export computed into the convolutions before them, as norms that pass everything through.
enum FoldedNorms {
  /// What reports say of a model that has such norms.
  static let note =
    "norms are as the graph computes them, not as they were trained: exporting computed them into convolutions"

  /// The module of the norm behind a convolution of a ModifiedResNet.
  static func norm(behind module: String) -> String? {
    if module.hasSuffix("downsample.0") { return module.dropLast() + "1" }
    var parts = module.split(separator: ".").map(String.init)
    guard let last = parts.popLast(), last.hasPrefix("conv") else { return nil }
    return (parts + ["bn" + last.dropFirst(4)]).joined(separator: ".")
  }

  /// The norm that adds a convolution's bias and does nothing else: variance and epsilon add up to 1.
  static func unit(bias: Tensor) throws(FileError) -> [(ending: String, tensor: Tensor)] {
    var parts = [(ending: "bias", tensor: bias)]
    for (ending, value) in [("weight", Float(1)), ("running_mean", 0), ("running_var", 1 - 1e-5)] {
      let tensor = try Tensor([Float](repeating: value, count: bias.count), shape: [bias.count])
      parts.append((ending, try tensor.cast(to: bias.dtype)))
    }
    return parts
  }

  /// Gives our own export with `--fold-batch-norm` the norms of a model: its convolutions have biases instead.
  static func restore(_ checkpoint: Checkpoint) throws(FileError) -> Checkpoint {
    let biases = Set(
      checkpoint.names.filter { name in
        guard name.hasSuffix(".bias"), let norm = norm(behind: name.tensorModule) else { return false }
        return checkpoint["\(name.tensorModule).weight"]?.shape.count == 4 && checkpoint["\(norm).weight"] == nil
      })
    guard !biases.isEmpty else { return checkpoint }
    var result = checkpoint
    result.removeAllTensors()
    for name in checkpoint.sortedNames {
      guard let tensor = checkpoint[name] else { continue }
      guard biases.contains(name), let norm = norm(behind: name.tensorModule) else {
        try result.add(tensor, named: name)
        continue
      }
      for part in try unit(bias: tensor) { try result.add(part.tensor, named: "\(norm).\(part.ending)") }
    }
    result.notes.append(note)
    return result
  }
}

/// What a ModifiedResNet's checkpoint counts of its training and no graph takes: metadata of our exports, so that what
/// is read again is the same model.
enum BatchCounters {
  static let key = "clipkit.onnx.batch_counters"

  private static let ending = ".num_batches_tracked"

  /// Whether a tensor is such a counter.
  static func isCounter(_ name: String, _ tensor: Tensor) -> Bool {
    name.hasSuffix(ending) && tensor.dtype == .i64 && tensor.shape.isEmpty
  }

  /// Counters as a JSON object, by their names.
  static func text(_ counters: [(name: String, tensor: Tensor)]) throws(FileError) -> String {
    var object = JSONObject()
    for (name, tensor) in counters {
      let bits = try tensor.bytes.load().reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      object[name] = JSONValue(Int(truncatingIfNeeded: bits))
    }
    return JSONValue.object(object).text()
  }

  /// Adds the counters of an export's metadata to its tensors, those of norms that are there.
  static func restore(_ text: String, to checkpoint: inout Checkpoint) throws(FileError) {
    guard let object = try JSONValue(parsing: Array(text.utf8)).object else {
      throw FileError(.malformed, "metadata_props '\(key)' is no JSON object")
    }
    for name in object.keys where name.hasSuffix(ending) && checkpoint[name] == nil {
      guard checkpoint["\(name.tensorModule).running_var"] != nil else { continue }
      guard let count = object[name]?.integer else {
        throw FileError(.malformed, "metadata_props '\(key)': '\(escaped(name))' is no whole number of 64 bits")
      }
      let bytes = withUnsafeBytes(of: Int64(count).littleEndian, Array.init)
      try checkpoint.add(Tensor(dtype: .i64, shape: [], bytes: Bytes(bytes)), named: name)
    }
  }

  /// Those of a model's tensors that its source holds as metadata.
  static func restored(_ model: CLIPModel, from source: Checkpoint) -> Set<String> {
    guard source.format == ONNX.name else { return [] }
    return Set(model.checkpoint.names.filter { $0.hasSuffix(ending) && source[$0] == nil })
  }
}
