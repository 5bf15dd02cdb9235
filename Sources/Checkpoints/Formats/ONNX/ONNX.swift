/// ONNX: a graph of operators with its constants, in protobuf. `formats/onnx.md`.
public enum ONNX: CheckpointFormat {
  /// `onnx`.
  public static let name = "onnx"
  /// `.onnx`.
  public static let fileExtensions = ["onnx"]

  /// The most that a file may hold: a protobuf message's length is a positive `int32` for many readers.
  static let maximumFileSize = 1 << 31 - 1
  /// The versions of the container that are read; the third is the first with operator sets.
  static let irVersions: ClosedRange<Int64> = 3...14
  /// The versions of operator sets that may be: the specification is at 28.
  static let opsetVersions: ClosedRange<Int64> = 1...1_000

  /// Without a magic number: by a beginning that is a model's fields up to its graph, the version of the container
  /// among them.
  public static func matches(_ file: InputFile) throws(FileError) -> Bool {
    var reader = ByteReader(Bytes(file))
    var hasVersion = false
    do throws(FileError) {
      while reader.remaining > 0, reader.offset < Limits.onnxSkeleton {
        let (number, wireType) = try reader.protobufKey(end: file.count)
        guard isModelField(number, wireType) else { return false }
        if number == 1 { hasVersion = true }
        if number == 7 { return hasVersion }
        try reader.skipProtobufValue(wireType, end: file.count)
      }
      return hasVersion
    } catch {
      guard error.kind != .io else { throw error }
      // What is cut short is a model's beginning all the same.
      return hasVersion && error.kind == .truncated
    }
  }

  /// Whether the specification's `ModelProto` has such a field.
  private static func isModelField(_ number: Int, _ wireType: UInt64) -> Bool {
    switch number {
    case 1, 5: wireType == 0
    case 2, 3, 4, 6, 7, 8, 14, 20, 25, 26: wireType == 2
    default: false
    }
  }

  /// Reads the constants of a model by their names: initializers, and arrays of floats in `Constant` nodes.
  public static func read(_ file: InputFile, options: ReadOptions) throws(FileError) -> Checkpoint {
    try readModel(file).constants(in: file)
  }

  /// Throws `unsupported` for types that ONNX has not, and names that protobuf's texts cannot be.
  public static func checkStorable(_ tensor: Tensor, named name: String) throws(FileError) {
    guard number(of: tensor.dtype) != nil else {
      throw FileError(
        .unsupported, "ONNX cannot store \(tensor.dtype)", tensor: name, hint: "Use --dtype or another format")
    }
    guard !name.isEmpty, !name.utf8.contains(0) else {
      throw FileError(.unsupported, name.isEmpty ? "empty name" : "name with a NUL byte", tensor: name)
    }
  }

  /// Writes a graph without nodes, whose initializers are the tensors.
  public static func write(_ checkpoint: Checkpoint, to output: FileWriter) throws(FileError) {
    var model = ONNXModel()
    model.producer = "clipkit"
    model.opsets = [("", 17)]
    model.graph.name = "checkpoint"
    for key in checkpoint.metadata.keys { model.metadata.append((key, checkpoint.metadata[key]?.text ?? "")) }
    for name in checkpoint.sortedNames {
      guard let tensor = checkpoint[name] else { continue }
      try checkStorable(tensor, named: name)
      model.graph.initializers.append((name, tensor))
    }
    try write(model, to: output)
  }
}
