extension ONNX {
  /// Tensors of fewer bytes stay in the model.
  static let smallestExternal = 1 << 10
  /// What external data is aligned to: a page, or from a mebibyte on what Windows needs to map it.
  static let alignment = 4_096
  static let largeAlignment = 64 << 10
  static let largeTensor = 1 << 20

  /// Writes a model in one file; the data of its tensors is read when `output` writes what is pending.
  package static func write(_ model: ONNXModel, to output: FileWriter) throws(FileError) {
    try write(PackedONNX(model), to: output)
  }

  /// Writes a model whose tensors' data lies in `data`, a file beside it that it calls `location`.
  ///
  /// The data is complete, and its sum in the model, before the model is written.
  package static func write(
    _ model: ONNXModel, to output: FileWriter, data: FileWriter, location: String
  ) throws(FileError) {
    var external: [String: [(key: String, value: String)]] = [:]
    var parts: [Bytes] = []
    var places: [(name: String, offset: Int, length: Int)] = []
    for (name, tensor) in model.graph.initializers where tensor.bytes.count >= smallestExternal {
      let alignment = tensor.bytes.count >= largeTensor ? largeAlignment : alignment
      let gap = (alignment - data.offset % alignment) % alignment
      let zeros = [UInt8](repeating: 0, count: gap)
      try data.write(zeros)
      places.append((name, data.offset, tensor.bytes.count))
      parts += [Bytes(zeros), tensor.bytes]
      data.write(tensor.bytes, of: name)
    }
    try data.writePending()
    let checksum =
      try data.isMeasuring ? String(repeating: "0", count: 40) : SHA256.hex(sha1(of: Bytes(concatenating: parts)))
    for place in places {
      external[place.name] = [
        ("location", location), ("offset", "\(place.offset)"), ("length", "\(place.length)"), ("checksum", checksum),
      ]
    }
    try write(PackedONNX(model, external: external), to: output)
  }

  /// Whether a model is too large for one file.
  package static func needsExternalData(_ model: ONNXModel) -> Bool {
    // Nodes and names take a small part of what is left.
    model.graph.initializers.reduce(0) { $0 + $1.tensor.bytes.count } > maximumFileSize - Limits.onnxSkeleton
  }

  private static func write(_ packed: PackedONNX, to output: FileWriter) throws(FileError) {
    for part in packed.parts {
      switch part {
      case .bytes(let bytes): try output.write(bytes)
      case .data(let name, let bytes): output.write(bytes, of: name)
      }
    }
  }
}
