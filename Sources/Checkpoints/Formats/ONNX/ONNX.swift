/// ONNX: a graph of operators with its constants, in protobuf. `formats/onnx.md`.
public enum ONNX {
  /// The most that a file may hold: a protobuf message's length is a positive `int32` for many readers.
  static let maximumFileSize = 1 << 31 - 1
  /// The versions of the container that are read; the third is the first with operator sets.
  static let irVersions: ClosedRange<Int64> = 3...14
  /// The versions of operator sets that may be: the specification is at 27.
  static let opsetVersions: ClosedRange<Int64> = 1...1_000

  /// Reads a model's graph; the data of its tensors stays in the file until it is asked for.
  package static func readModel(_ file: InputFile) throws(FileError) -> ONNXModel {
    do throws(FileError) {
      guard file.count <= maximumFileSize else {
        throw FileError(
          .unsupported, "\(file.count) bytes in one file, ONNX allows \(maximumFileSize)",
          hint: "Save it with external data")
      }
      let scanner = try Scanner(Bytes(file))
      var data = ExternalData()
      let model = try unpack(scanner, data: &data)
      try check(model)
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
    guard model.graph.initializers.count <= Limits.tensors else {
      throw FileError(.malformed, "\(model.graph.initializers.count) initializers, allowed \(Limits.tensors)")
    }
    var names: Set<String> = []
    for (name, _) in model.graph.initializers where !names.insert(name).inserted {
      throw FileError(.malformed, "two initializers have this name", tensor: name)
    }
  }

  /// Writes a model in one file; the data of its tensors is read when `output` writes what is pending.
  package static func write(_ model: ONNXModel, to output: FileWriter) throws(FileError) {
    for part in try PackedONNX(model).parts {
      switch part {
      case .bytes(let bytes): try output.write(bytes)
      case .data(let name, let bytes): output.write(bytes, of: name)
      }
    }
  }
}
