extension ONNX {
  /// Reads a model's graph; the data of its tensors stays in its files until it is asked for.
  package static func readModel(_ file: InputFile) throws(FileError) -> ONNXModel {
    do throws(FileError) {
      guard file.count <= maximumFileSize else {
        throw FileError(
          .unsupported, "\(file.count) bytes in one file, ONNX allows \(maximumFileSize)",
          hint: "Save it with external data")
      }
      let scanner = try Scanner(Bytes(file))
      var data = ExternalData(of: file)
      var model = try unpack(scanner, data: &data)
      try check(model)
      model.dataFiles = data.files
      model.notes += data.unknownKeys.sorted().map { "external data has the key '\(escaped($0))', which is not known" }
      return model
    } catch {
      throw error.located(file: file.path)
    }
  }

  private static func check(_ model: ONNXModel) throws(FileError) {
    guard irVersions.contains(model.irVersion) else {
      throw FileError(
        .unsupported, "ir_version \(model.irVersion), allowed \(irVersions.lowerBound) to \(irVersions.upperBound)")
    }
    guard !model.opsets.isEmpty else { throw FileError(.malformed, "no operator set: opset_import is empty") }
    for opset in model.opsets where !opsetVersions.contains(opset.version) {
      throw FileError(
        .malformed,
        "version \(opset.version) of the operators '\(escaped(opset.domain))', allowed "
          + "\(opsetVersions.lowerBound) to \(opsetVersions.upperBound)")
    }
    let graph = model.graph
    guard graph.initializers.count + graph.unreadable.count <= Limits.tensors else {
      throw FileError(.malformed, "\(graph.initializers.count) initializers, allowed \(Limits.tensors)")
    }
    var names: Set<String> = []
    for name in graph.initializers.map(\.name) + graph.unreadable.map({ $0.tensor ?? "" }) {
      guard names.insert(name).inserted else {
        throw FileError(.malformed, "two initializers have this name", tensor: name)
      }
    }
  }
}

extension ONNXModel {
  /// The constants as a checkpoint.
  func constants(in file: InputFile) throws(FileError) -> Checkpoint {
    var checkpoint = Checkpoint(format: ONNX.name, notes: notes)
    checkpoint.formatDetail = "IR \(irVersion), opset \(opset)" + (producer.isEmpty ? "" : ", by \(producer)")
    checkpoint.files = [file] + dataFiles
    checkpoint.unreadable = graph.unreadable
    for (key, value) in metadata {
      guard checkpoint.metadata[key] == nil else {
        throw FileError(.malformed, "two metadata_props '\(escaped(key))'")
      }
      checkpoint.metadata[key] = .string(value)
    }
    for (name, tensor) in graph.initializers { try checkpoint.add(tensor, named: name) }
    // Single numbers and integers are the graph's own: axes, shapes, epsilons.
    for node in graph.nodes where node.kind == "Constant" && node.domain.isEmpty {
      guard let name = node.outputs.first, case .tensor(let tensor)? = node.attributes["value"], tensor.count > 1,
        tensor.dtype.isFloat
      else { continue }
      try checkpoint.add(tensor, named: name)
    }
    return checkpoint
  }
}
