/// The wire format of protobuf over bytes that stay in their file; `end` is where the surrounding message ends.
extension ByteReader {
  /// The number and the wire type of the next field.
  mutating func protobufKey(end: Int) throws(FileError) -> (number: Int, wireType: UInt64) {
    let start = fileOffset
    let key = try varint("key of a field", end: end)
    guard key >> 3 >= 1, key >> 3 < 1 << 29 else {
      throw FileError(.malformed, "protobuf: field number \(key >> 3), allowed 1 to \(1 << 29 - 1)", offset: start)
    }
    guard [0, 1, 2, 5].contains(key & 7) else {
      throw FileError(
        .malformed, "protobuf: field \(key >> 3) has wire type \(key & 7), allowed 0, 1, 2 and 5", offset: start)
    }
    return (Int(key >> 3), key & 7)
  }

  /// An integer of at most 64 bits.
  mutating func varint(_ what: @autoclosure () -> String, end: Int) throws(FileError) -> UInt64 {
    let start = fileOffset
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 70, by: 7) {
      guard offset < end else { throw FileError(.truncated, "protobuf: \(what()) does not end", offset: start) }
      let byte: UInt8 = try integer(what())
      guard shift < 63 || byte <= 1 else { break }
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    throw FileError(.malformed, "protobuf: \(what()) is an integer of more than 64 bits", offset: start)
  }

  /// The length of a field of wire type 2, whose bytes follow.
  mutating func protobufLength(_ what: @autoclosure () -> String, end: Int) throws(FileError) -> Int {
    let start = fileOffset
    let length = try varint("length of \(what())", end: end)
    guard let length = Int(exactly: length), length <= end - offset else {
      throw FileError(.truncated, "protobuf: \(what()) of \(length) bytes, \(end - offset) remain", offset: start)
    }
    return length
  }

  /// Throws `truncated` unless the message has `length` more bytes.
  func require(_ length: Int, before end: Int, for what: @autoclosure () -> String) throws(FileError) {
    guard length <= end - offset else {
      throw error(.truncated, "protobuf: \(what()) of \(length) bytes, \(end - offset) remain")
    }
  }

  /// Moves over the value of a field that is not read.
  mutating func skipProtobufValue(_ wireType: UInt64, end: Int) throws(FileError) {
    switch wireType {
    case 0: _ = try varint("a field", end: end)
    case 2: try skip(try protobufLength("a field", end: end), "a field")
    default:
      let size = wireType == 1 ? 8 : 4
      try require(size, before: end, for: "a field")
      try skip(size, "a field")
    }
  }
}
