import Checkpoints

extension ONNXRecovery {
  /// A checkpoint that was read of an ONNX file, with the names and layouts of the model; of what clipkit wrote only
  /// what a graph leaves out; and what the graphs' nodes tell of the config.
  static func recovered(_ checkpoint: Checkpoint) throws(FileError) -> (Checkpoint, GraphFacts) {
    let graphs = try checkpoint.graphFiles()
    var facts = GraphFacts()
    guard !graphs.isEmpty else { return (checkpoint, facts) }
    guard !graphs.contains(where: { isOwn($0.model) }) else { return (try own(checkpoint, graphs), facts) }
    var result = checkpoint
    result.removeAllTensors()
    for (file, model) in graphs {
      do throws(FileError) {
        let recovery = try ONNXRecovery(model)
        facts.merge(try GraphFacts(recovery.constants))
        for found in recovery.found {
          if let known = result[found.name] {
            try TowerFiles.check(found, known)
          } else {
            try result.add(found.tensor, named: found.name)
          }
        }
        result.notes += recovery.notes
      } catch {
        throw error.located(file: file.path)
      }
    }
    return (result, facts)
  }

  /// Whether clipkit wrote a file and what it said of it is still there; without that, the nodes say more.
  private static func isOwn(_ model: ONNXModel) -> Bool {
    model.producer == "clipkit" && model.metadata.contains { $0.key == "clipkit.onnx.normalized" }
  }

  /// What clipkit wrote has its names and its config; counters and folded norms are put back.
  private static func own(
    _ checkpoint: Checkpoint, _ graphs: [(file: InputFile, model: ONNXModel)]
  ) throws(FileError) -> Checkpoint {
    var result = try FoldedNorms.restore(checkpoint)
    var files = TowerFiles()
    for (file, model) in graphs where isOwn(model) {
      do throws(FileError) {
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
