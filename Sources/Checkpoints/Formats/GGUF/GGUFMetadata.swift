extension GGUF {
  /// Reads `count` metadata entries, each at its own type.
  static func readMetadata(_ reader: inout ByteReader, count: Int) throws(FileError) -> Metadata {
    var metadata = Metadata()
    metadata.reserveCapacity(count)
    for index in 0..<count {
      let start = reader.fileOffset
      let key = try readKey(&reader, index: index)
      guard metadata[key] == nil else {
        throw FileError(.malformed, "two metadata entries '\(escaped(key))'", offset: start)
      }
      metadata[key] = try readValue(&reader, of: key)
    }
    return metadata
  }

  private static func readKey(_ reader: inout ByteReader, index: Int) throws(FileError) -> String {
    let start = reader.fileOffset
    let length = try reader.length("length of metadata key \(index)")
    guard length >= 1, length <= maximumKeyBytes else {
      throw FileError(
        .malformed, "metadata key \(index) of \(length) bytes, allowed 1 to \(maximumKeyBytes)", offset: start)
    }
    let key = try reader.string(length, "metadata key \(index)")
    guard isKey(key) else {
      throw FileError(.malformed, "metadata key '\(escaped(key))' is not printable ASCII", offset: start)
    }
    return key
  }

  /// Whether all characters are printable ASCII.
  static func isKey(_ text: String) -> Bool { text.utf8.allSatisfy { (0x20...0x7E).contains($0) } }

  /// How errors speak of a value; composed only for them, since a file may have a million.
  private static func title(_ key: String) -> String { "metadata '\(escaped(key))'" }

  private static func readType(_ reader: inout ByteReader, of key: String) throws(FileError) -> ValueType {
    let start = reader.fileOffset
    let number: UInt32 = try reader.integer("type of \(title(key))")
    guard let type = ValueType(rawValue: number) else {
      throw FileError(.malformed, "\(title(key)) has type \(number), allowed 0 to 12", offset: start)
    }
    return type
  }

  private static func readValue(_ reader: inout ByteReader, of key: String) throws(FileError) -> MetadataValue {
    switch try readType(&reader, of: key) {
    case .uint8: return .uint8(try reader.integer(title(key)))
    case .int8: return .int8(try reader.integer(title(key)))
    case .uint16: return .uint16(try reader.integer(title(key)))
    case .int16: return .int16(try reader.integer(title(key)))
    case .uint32: return .uint32(try reader.integer(title(key)))
    case .int32: return .int32(try reader.integer(title(key)))
    case .uint64: return .uint64(try reader.integer(title(key)))
    case .int64: return .int64(try reader.integer(title(key)))
    case .float32: return .float32(Float(bitPattern: try reader.integer(title(key))))
    case .float64: return .float64(Double(bitPattern: try reader.integer(title(key))))
    case .bool:
      let start = reader.fileOffset
      return .bool(try truth(try reader.integer(title(key)), of: key, at: start))
    case .string: return .string(try reader.string(reader.length("length of \(title(key))"), title(key)))
    case .array: return try readArray(&reader, of: key)
    }
  }

  private static func truth(_ byte: UInt8, of key: String, at offset: Int) throws(FileError) -> Bool {
    guard byte <= 1 else {
      throw FileError(.malformed, "\(title(key)) is a bool of \(byte), allowed 0 and 1", offset: offset)
    }
    return byte == 1
  }

  private static func readArray(_ reader: inout ByteReader, of key: String) throws(FileError) -> MetadataValue {
    let start = reader.fileOffset
    let type = try readType(&reader, of: key)
    let what = title(key)
    guard type != .array else {
      throw FileError(.malformed, "\(what) is an array of arrays, allowed an array of plain values", offset: start)
    }
    let count = try reader.length("count of \(what)", unit: type.minimumSize)
    switch type {
    case .uint8: return .uint8s(try reader.integers(count, what))
    case .int8: return .int8s(try reader.integers(count, what))
    case .uint16: return .uint16s(try reader.integers(count, what))
    case .int16: return .int16s(try reader.integers(count, what))
    case .uint32: return .uint32s(try reader.integers(count, what))
    case .int32: return .integers(try reader.integers(count, what))
    case .uint64: return .uint64s(try reader.integers(count, what))
    case .int64: return .int64s(try reader.integers(count, what))
    case .float32: return .floats(try reader.integers(count, what, as: UInt32.self).map(Float.init(bitPattern:)))
    case .float64: return .doubles(try reader.integers(count, what, as: UInt64.self).map(Double.init(bitPattern:)))
    case .bool:
      let start = reader.fileOffset
      var values: [Bool] = []
      values.reserveCapacity(count)
      for (index, byte) in try reader.integers(count, what, as: UInt8.self).enumerated() {
        values.append(try truth(byte, of: key, at: start + index))
      }
      return .bools(values)
    case .string, .array: return .strings(try reader.strings(count, what))
    }
  }
}
