extension Safetensors {
  /// Tensors by descending element size, then by name: every tensor is aligned to its element, as the Rust writer does.
  public static func write(_ checkpoint: Checkpoint, to output: FileWriter) throws(FileError) {
    var tensors: [(name: String, tensor: Tensor)] = []
    for name in checkpoint.sortedNames {
      guard let tensor = checkpoint[name] else { continue }
      try checkStorable(tensor, named: name)
      tensors.append((name, tensor))
    }
    let sizes = Set(tensors.map(\.tensor.dtype.blockBytes)).sorted(by: >)
    tensors = sizes.flatMap { size in tensors.filter { $0.tensor.dtype.blockBytes == size } }

    let header = Array(header(tensors, metadata: checkpoint.metadata).utf8)
    let padded = header + [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8)
    try output.write(withUnsafeBytes(of: UInt64(padded.count).littleEndian) { Array($0) })
    try output.write(padded)
    for (name, tensor) in tensors {
      output.write(tensor.bytes, of: name)
    }
  }

  private static func header(_ tensors: [(name: String, tensor: Tensor)], metadata: Metadata) -> String {
    var header = JSONObject()
    var strings = JSONObject()
    var metadata = metadata
    // transformers refuses a file that does not say which framework's layout it has.
    metadata["format"] = .string("pt")
    for key in metadata.keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
      strings[key] = .string(metadata[key]?.text ?? "")
    }
    header["__metadata__"] = .object(strings)
    var offset = 0
    for (name, tensor) in tensors {
      let dtype = dtypes.first { $0.dtype == tensor.dtype }?.name
      header[name] = [
        "dtype": JSONValue(dtype), "shape": JSONValue(tensor.shape),
        "data_offsets": JSONValue([offset, offset + tensor.bytes.count]),
      ]
      offset += tensor.bytes.count
    }
    return JSONValue.object(header).text()
  }
}

extension MetadataValue {
  /// The value as text, for formats that store text only.
  public var text: String {
    switch self {
    case .string(let value): value
    case .bool(let value): value ? "true" : "false"
    case .float32(let value): "\(value)"
    case .float64(let value): "\(value)"
    case .strings(let values): JSONValue.array(values.map(JSONValue.string)).text()
    case .bools(let values): JSONValue.array(values.map(JSONValue.bool)).text()
    case .floats(let values): JSONValue.array(values.map { JSONValue(Double("\($0)") ?? .nan) }).text()
    case .doubles(let values): JSONValue.array(values.map { JSONValue($0) }).text()
    case .uint8s(let values): Self.list(values)
    case .int8s(let values): Self.list(values)
    case .uint16s(let values): Self.list(values)
    case .int16s(let values): Self.list(values)
    case .uint32s(let values): Self.list(values)
    case .integers(let values): Self.list(values)
    case .uint64s(let values): Self.list(values)
    case .int64s(let values): Self.list(values)
    case .uint64(let value): "\(value)"
    default: integer.map(String.init) ?? ""
    }
  }

  private static func list(_ values: [some FixedWidthInteger]) -> String {
    JSONValue.array(values.map { .number(String($0)) }).text()
  }
}
