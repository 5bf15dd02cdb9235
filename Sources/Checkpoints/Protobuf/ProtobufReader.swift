/// A cursor over the fields of one protobuf message: the wire format, without a schema.
///
/// A nested message is read by another cursor, so a reader goes exactly as deep as its schema does.
public struct ProtobufReader {
  /// The value of a field, by its wire type. Groups, which nobody writes any more, are refused.
  public enum Value: Sendable, Equatable {
    case varint(UInt64)
    case fixed64(UInt64)
    /// A string, bytes, or a message: where it lies in the bytes of the file.
    case bytes(Range<Int>)
    case fixed32(UInt32)
  }

  /// One field of a message.
  public struct Field: Sendable, Equatable {
    /// Its number in the schema.
    public let number: Int
    /// Its value.
    public let value: Value
    /// Where it begins in the file.
    public let offset: Int
  }

  private let bytes: [UInt8]
  private var position: Int
  private let end: Int

  /// Reads a message that fills `bytes`.
  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
    position = 0
    end = bytes.count
  }

  private init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  /// The next field, nil at the end of the message.
  public mutating func next() throws(FileError) -> Field? {
    guard position < end else { return nil }
    let offset = position
    let key = try varint("key of a field")
    guard key >> 3 >= 1, key >> 3 < 1 << 29 else {
      throw FileError(.malformed, "protobuf: field number \(key >> 3), allowed 1 to \(1 << 29 - 1)", offset: offset)
    }
    let value: Value
    switch key & 7 {
    case 0: value = .varint(try varint("field \(key >> 3)"))
    case 1: value = .fixed64(try fixed(8, "field \(key >> 3)"))
    case 2: value = .bytes(try bytes("field \(key >> 3)"))
    case 5: value = .fixed32(UInt32(truncatingIfNeeded: try fixed(4, "field \(key >> 3)")))
    default:
      throw FileError(
        .malformed, "protobuf: field \(key >> 3) has wire type \(key & 7), allowed 0, 1, 2 and 5", offset: offset)
    }
    return Field(number: Int(key >> 3), value: value, offset: offset)
  }

  private mutating func varint(_ what: @autoclosure () -> String) throws(FileError) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 70, by: 7) {
      guard position < end else { throw FileError(.truncated, "protobuf: \(what()) does not end", offset: start) }
      let byte = bytes[position]
      position += 1
      guard shift < 63 || byte <= 1 else { break }
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    throw FileError(.malformed, "protobuf: \(what()) is an integer of more than 64 bits", offset: start)
  }

  private mutating func fixed(_ size: Int, _ what: @autoclosure () -> String) throws(FileError) -> UInt64 {
    guard size <= end - position else {
      throw FileError(.truncated, "protobuf: \(what()) of \(size) bytes, \(end - position) remain", offset: position)
    }
    defer { position += size }
    return bytes[position..<(position + size)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private mutating func bytes(_ what: @autoclosure () -> String) throws(FileError) -> Range<Int> {
    let start = position
    let length = try varint("length of \(what())")
    guard let length = Int(exactly: length), length <= end - position else {
      throw FileError(.truncated, "protobuf: \(what()) of \(length) bytes, \(end - position) remain", offset: start)
    }
    defer { position += length }
    return position..<(position + length)
  }

  // The typed readings below refuse a field of another wire type; `what` names it in the error.

  /// A cursor over a nested message.
  public func message(_ field: Field, _ what: String) throws(FileError) -> ProtobufReader {
    ProtobufReader(bytes, try range(field, what))
  }

  /// The bytes of a field.
  public func data(_ field: Field, _ what: String) throws(FileError) -> [UInt8] {
    Array(bytes[try range(field, what)])
  }

  /// A string, which must be UTF-8.
  public func string(_ field: Field, _ what: String) throws(FileError) -> String {
    guard let string = String(validating: bytes[try range(field, what)], as: UTF8.self) else {
      throw FileError(.malformed, "\(what) is not valid UTF-8", offset: field.offset)
    }
    return string
  }

  /// A truth value.
  public func bool(_ field: Field, _ what: String) throws(FileError) -> Bool { try integer(field, what) != 0 }

  /// An integer or the number of an enumeration's case.
  public func integer(_ field: Field, _ what: String) throws(FileError) -> Int64 {
    guard case .varint(let value) = field.value else { throw wrongType(field, what, "an integer") }
    return Int64(bitPattern: value)
  }

  /// A 32-bit float.
  public func float(_ field: Field, _ what: String) throws(FileError) -> Float {
    guard case .fixed32(let bits) = field.value else { throw wrongType(field, what, "a 32-bit float") }
    return Float(bitPattern: bits)
  }

  private func range(_ field: Field, _ what: String) throws(FileError) -> Range<Int> {
    guard case .bytes(let range) = field.value else { throw wrongType(field, what, "bytes") }
    return range
  }

  private func wrongType(_ field: Field, _ what: String, _ expected: String) -> FileError {
    FileError(.malformed, "protobuf: \(what) has another wire type, expected \(expected)", offset: field.offset)
  }
}
