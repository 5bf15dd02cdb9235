import Checkpoints

extension ONNXRecovery {
  /// A checkpoint that was read of an ONNX file, with the names and layouts of the model; of what clipkit wrote only
  /// what a graph leaves out; and what the graphs' nodes tell of the config.
  static func recovered(_ checkpoint: Checkpoint) throws(FileError) -> (Checkpoint, GraphFacts) {
    var facts = GraphFacts()
    guard checkpoint.format == ONNX.name else { return (checkpoint, facts) }
    var result = checkpoint
    result.removeAllTensors()
    // A directory's model has a file for each encoder.
    for (index, file) in checkpoint.files.enumerated() where index == 0 || file.path.hasSuffix(".onnx") {
      let model = try ONNX.readModel(file)
      guard !isOwn(model) else { return (try own(checkpoint), GraphFacts()) }
      let recovery: ONNXRecovery
      do throws(FileError) {
        recovery = try ONNXRecovery(model)
        facts.merge(try GraphFacts(recovery.constants))
      } catch {
        throw error.located(file: file.path)
      }
      for found in recovery.found {
        if let known = result[found.name] {
          try TowerFiles.check(found, known, path: file.path)
        } else {
          try result.add(found.tensor, named: found.name)
        }
      }
      result.notes += recovery.notes
    }
    return (result, facts)
  }

  /// Whether clipkit wrote a file and what it said of it is still there; without that, the nodes say more.
  private static func isOwn(_ model: ONNXModel) -> Bool {
    model.producer == "clipkit" && model.metadata.contains { $0.key == "clipkit.onnx.normalized" }
  }

  /// What clipkit wrote has its names and its config; counters and folded norms are put back.
  private static func own(_ checkpoint: Checkpoint) throws(FileError) -> Checkpoint {
    var result = try FoldedNorms.restore(checkpoint)
    var files = TowerFiles()
    for (index, file) in checkpoint.files.enumerated() where index == 0 || file.path.hasSuffix(".onnx") {
      do throws(FileError) {
        let model = try ONNX.readModel(file)
        guard isOwn(model) else { continue }
        try files.check(model.metadata)
        for entry in model.metadata where entry.key == BatchCounters.key {
          try BatchCounters.restore(entry.value, to: &result)
        }
      } catch {
        throw error.located(file: file.path)
      }
    }
    return result
  }

  /// How the names were found, rule by rule, and what has none.
  var notes: [String] {
    var notes: [String] = []
    for rule in Rule.allCases {
      let names = found.filter { $0.rule == rule }.map(\.name)
      guard !names.isEmpty else { continue }
      let list = rule == .name ? "" : ": \(names.joined(separator: " "))"
      notes.append("\(names.count) \(names.count == 1 ? "tensor is" : "tensors are") named \(rule.rawValue)\(list)")
    }
    if found.contains(where: { $0.rule == .foldedNorm }) {
      notes.append(FoldedNorms.note)
    }
    let rest = unresolved.map { "\($0.name) \($0.tensor.shape)" }
    if !rest.isEmpty {
      notes.append("\(rest.count) constants of the graph are no tensor of a model: \(rest.joined(separator: " "))")
    }
    return notes
  }
}
