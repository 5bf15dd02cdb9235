extension GGUF {
  /// Version 3: metadata in its order, tensors by name, each followed by zeros up to the alignment.
  public static func write(_ checkpoint: Checkpoint, to output: FileWriter) throws(FileError) {
    let alignment = try alignment(of: checkpoint.metadata)
    var tensors: [(name: String, tensor: Tensor)] = []
    for name in checkpoint.sortedNames {
      guard let tensor = checkpoint[name] else { continue }
      try checkStorable(tensor, named: name)
      tensors.append((name, tensor))
    }
    var header = HeaderBytes()
    header.append(magic)
    header.append(UInt32(3))
    header.append(UInt64(tensors.count))
    try header.append(metadata(of: checkpoint, scalars: tensors.filter(\.tensor.shape.isEmpty).map(\.name)))
    header.append(tensors, alignment: alignment)
    try output.write(header.bytes)
    try output.pad(to: alignment)
    for (name, tensor) in tensors {
      output.write(tensor.bytes, of: name)
      try output.pad(to: alignment)
    }
  }

  /// The checkpoint's metadata, with what describes this container renewed.
  private static func metadata(of checkpoint: Checkpoint, scalars: [String]) throws(FileError) -> Metadata {
    var metadata = checkpoint.metadata
    for key in Split.keys + [scalarsKey] { metadata[key] = nil }
    if try alignment(of: metadata) == defaultAlignment { metadata[alignmentKey] = nil }
    if !scalars.isEmpty { metadata[scalarsKey] = .strings(scalars) }
    return metadata
  }

  /// A header in the making.
  private struct HeaderBytes {
    var bytes: [UInt8] = []

    mutating func append(_ array: [UInt8]) { bytes += array }

    mutating func append<T: FixedWidthInteger>(_ value: T) {
      withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ text: String) {
      append(UInt64(text.utf8.count))
      bytes.append(contentsOf: text.utf8)
    }

    mutating func append(_ metadata: Metadata) throws(FileError) {
      append(UInt64(metadata.keys.count))
      for key in metadata.keys {
        guard let value = metadata[key] else { continue }
        guard !key.isEmpty, key.utf8.count <= maximumKeyBytes, isKey(key) else {
          throw FileError(
            .unsupported,
            "metadata key '\(escaped(key))', GGUF allows 1 to \(maximumKeyBytes) bytes of printable ASCII")
        }
        append(key)
        append(value)
      }
    }

    mutating func append(_ tensors: [(name: String, tensor: Tensor)], alignment: Int) {
      var offset = 0
      for (name, tensor) in tensors {
        append(name)
        let dimensions = tensor.shape.isEmpty ? [1] : tensor.shape
        append(UInt32(dimensions.count))
        for size in dimensions.reversed() { append(UInt64(size)) }
        append(TensorType.storing(tensor.dtype)?.number ?? 0)
        append(UInt64(offset))
        offset = aligned(offset + tensor.bytes.count, to: alignment)
      }
    }

    mutating func append(_ value: MetadataValue) {
      switch value {
      case .uint8(let value): append(.uint8, value)
      case .int8(let value): append(.int8, value)
      case .uint16(let value): append(.uint16, value)
      case .int16(let value): append(.int16, value)
      case .uint32(let value): append(.uint32, value)
      case .int32(let value): append(.int32, value)
      case .uint64(let value): append(.uint64, value)
      case .int64(let value): append(.int64, value)
      case .float32(let value): append(.float32, value.bitPattern)
      case .float64(let value): append(.float64, value.bitPattern)
      case .bool(let value): append(.bool, value ? UInt8(1) : 0)
      case .string(let value):
        append(ValueType.string.rawValue)
        append(value)
      case .uint8s(let values): append(arrayOf: .uint8, values)
      case .int8s(let values): append(arrayOf: .int8, values)
      case .uint16s(let values): append(arrayOf: .uint16, values)
      case .int16s(let values): append(arrayOf: .int16, values)
      case .uint32s(let values): append(arrayOf: .uint32, values)
      case .integers(let values): append(arrayOf: .int32, values)
      case .uint64s(let values): append(arrayOf: .uint64, values)
      case .int64s(let values): append(arrayOf: .int64, values)
      case .floats(let values): append(arrayOf: .float32, values.map(\.bitPattern))
      case .doubles(let values): append(arrayOf: .float64, values.map(\.bitPattern))
      case .bools(let values): append(arrayOf: .bool, values.map { $0 ? UInt8(1) : 0 })
      case .strings(let values):
        append(arrayOf: .string, count: values.count)
        for value in values { append(value) }
      }
    }

    private mutating func append(_ type: ValueType, _ value: some FixedWidthInteger) {
      append(type.rawValue)
      append(value)
    }

    private mutating func append(arrayOf type: ValueType, _ values: [some FixedWidthInteger]) {
      append(arrayOf: type, count: values.count)
      for value in values { append(value) }
    }

    private mutating func append(arrayOf type: ValueType, count: Int) {
      append(ValueType.array.rawValue)
      append(type.rawValue)
      append(UInt64(count))
    }
  }
}
