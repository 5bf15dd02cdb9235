/// A strict JSON parser that reads values in document order and knows the byte offset of each.
///
/// Foundation's decoder keeps opposite duplicate keys, merges names that differ only by Unicode normalisation and
/// needs gigabytes for a legal header of 100 MB; headers of untrusted files need none of that.
public struct JSONReader {
  private let bytes: [UInt8]
  private let base: Int
  private var position = 0
  private var depth = 0
  private var spent = 0
  /// How many bytes the values may take in memory.
  private let allowed: Int

  /// Reads `bytes`, which begin at `base` in their file, and take `bytesInFile` of it when they are compressed.
  public init(_ bytes: [UInt8], base: Int = 0, bytesInFile: Int? = nil) {
    self.bytes = bytes
    self.base = base
    allowed = Limits.valuesBase + Limits.jsonRatio * (bytesInFile ?? bytes.count)
  }

  /// Accounts for a value of that many bytes before it is kept; many small ones take much more than their text.
  mutating func charge(_ size: Int) throws(FileError) {
    spent += size
    guard spent <= allowed else {
      throw error(
        "JSON takes more than \(allowed) bytes, allowed \(Limits.valuesBase) and \(Limits.jsonRatio) for each of its own"
      )
    }
  }

  /// The offset of the next byte in the file.
  public var offset: Int { base + position }

  /// An error at the cursor, or at `offset`.
  public func error(_ message: String, at offset: Int? = nil) -> FileError {
    FileError(.malformed, message, offset: offset ?? self.offset)
  }

  /// Skips white space and returns the first byte of the next value without consuming it.
  public mutating func next() throws(FileError) -> UInt8 {
    skipSpace()
    guard position < bytes.count else { throw FileError(.truncated, "JSON ends before its value", offset: offset) }
    return bytes[position]
  }

  /// Consumes `byte` after white space, or throws.
  private mutating func expect(_ byte: UInt8) throws(FileError) {
    let found = try next()
    guard found == byte else { throw error("JSON: found \(Self.show(found)), expected \(Self.show(byte))") }
    position += 1
  }

  /// Calls `member` for each key of an object, with the cursor at the value, which it must read or skip. Duplicate
  /// keys are for the caller to refuse, who stores the keys anyway.
  public mutating func object(_ member: (inout JSONReader, String, Int) throws(FileError) -> Void) throws(FileError) {
    try expect(UInt8(ascii: "{"))
    try enter()
    if try next() == UInt8(ascii: "}") {
      position += 1
    } else {
      while true {
        _ = try next()
        let start = offset
        let key = try string()
        try expect(UInt8(ascii: ":"))
        try member(&self, key, start)
        if try separator(closing: UInt8(ascii: "}")) { break }
      }
    }
    depth -= 1
  }

  /// Calls `element` for each element of an array, with the cursor at the value, which it must read or skip.
  public mutating func array(_ element: (inout JSONReader) throws(FileError) -> Void) throws(FileError) {
    try expect(UInt8(ascii: "["))
    try enter()
    if try next() == UInt8(ascii: "]") {
      position += 1
    } else {
      while true {
        try element(&self)
        if try separator(closing: UInt8(ascii: "]")) { break }
      }
    }
    depth -= 1
  }

  private mutating func enter() throws(FileError) {
    depth += 1
    guard depth <= Limits.nesting else { throw error("JSON is nested deeper than \(Limits.nesting)") }
  }

  private mutating func separator(closing: UInt8) throws(FileError) -> Bool {
    let byte = try next()
    guard byte == closing || byte == UInt8(ascii: ",") else {
      throw error("JSON: found \(Self.show(byte)), expected ',' or \(Self.show(closing))")
    }
    position += 1
    return byte == closing
  }

  /// A string, its escapes resolved.
  public mutating func string() throws(FileError) -> String {
    try expect(UInt8(ascii: "\""))
    let start = position
    while position < bytes.count, bytes[position] != UInt8(ascii: "\""), bytes[position] != UInt8(ascii: "\\"),
      bytes[position] >= 0x20
    {
      position += 1
    }
    guard position < bytes.count else { throw FileError(.truncated, "JSON string does not end", offset: offset) }
    if bytes[position] == UInt8(ascii: "\"") {
      defer { position += 1 }
      return try utf8(bytes[start..<position], at: start)
    }
    return try escapedString(from: start)
  }

  private mutating func escapedString(from start: Int) throws(FileError) -> String {
    var buffer = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return try utf8(buffer[...], at: start)
      case UInt8(ascii: "\\"):
        position += 1
        buffer.append(contentsOf: try escape())
      case 0..<0x20:
        throw error("JSON: control character \(Self.show(byte)) in a string")
      default:
        buffer.append(byte)
        position += 1
      }
    }
    throw FileError(.truncated, "JSON string does not end", offset: offset)
  }

  private func utf8(_ slice: ArraySlice<UInt8>, at start: Int) throws(FileError) -> String {
    guard let string = String(validating: slice, as: UTF8.self) else {
      throw error("JSON string is not valid UTF-8", at: base + start + Self.validPrefix(bytes[start...]))
    }
    return string
  }

  /// How many bytes there are before the first that is not UTF-8.
  private static func validPrefix(_ bytes: ArraySlice<UInt8>) -> Int {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var count = 0
    while case .scalarValue(let scalar) = decoder.decode(&iterator) { count += UTF8.width(scalar) }
    return count
  }

  private mutating func escape() throws(FileError) -> [UInt8] {
    guard position < bytes.count else { throw FileError(.truncated, "JSON string does not end", offset: offset) }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): return try unicodeEscape()
    default: throw error("JSON: unknown escape \(Self.show(byte))", at: offset - 1)
    }
  }

  private mutating func unicodeEscape() throws(FileError) -> [UInt8] {
    let start = offset - 2
    let unit = try hex()
    var value = UInt32(unit)
    if UTF16.isLeadSurrogate(unit) {
      guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
      else { throw error("JSON: lone surrogate", at: start) }
      position += 2
      let low = try hex()
      guard UTF16.isTrailSurrogate(low) else { throw error("JSON: lone surrogate", at: start) }
      value = 0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(value) else { throw error("JSON: lone surrogate", at: start) }
    return Array(String(Character(scalar)).utf8)
  }

  private mutating func hex() throws(FileError) -> UInt16 {
    guard position + 4 <= bytes.count else { throw FileError(.truncated, "JSON string does not end", offset: offset) }
    var value: UInt16 = 0
    for byte in bytes[position..<(position + 4)] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw error("JSON: \\u needs four hexadecimal digits")
      }
      value = value << 4 | UInt16(digit)
    }
    position += 4
    return value
  }

  /// The text of a number, as the JSON grammar allows it.
  public mutating func number() throws(FileError) -> Substring {
    _ = try next()
    let start = position
    func isDigit(_ index: Int) -> Bool { index < bytes.count && (0x30...0x39).contains(bytes[index]) }
    func isAt(_ index: Int, _ choices: String) -> Bool { index < bytes.count && choices.utf8.contains(bytes[index]) }
    var end = start
    if isAt(end, "-") { end += 1 }
    let integerStart = end
    while isDigit(end) { end += 1 }
    var isValid = end > integerStart && (end == integerStart + 1 || bytes[integerStart] != UInt8(ascii: "0"))
    if isAt(end, ".") {
      isValid = isValid && isDigit(end + 1)
      end += 1
      while isDigit(end) { end += 1 }
    }
    if isAt(end, "eE") {
      end += isAt(end + 1, "+-") ? 2 : 1
      isValid = isValid && isDigit(end)
      while isDigit(end) { end += 1 }
    }
    guard isValid else { throw error("JSON: not a number") }
    position = end
    return Substring(decoding: bytes[start..<end], as: UTF8.self)
  }

  /// A non-negative integer that fits an `Int`.
  public mutating func count() throws(FileError) -> Int {
    _ = try next()
    let start = offset
    let text = try number()
    guard let value = Int(text), value >= 0 else {
      throw error("JSON: found \(escaped(String(text))), expected a non-negative integer", at: start)
    }
    return value
  }

  /// Consumes one of the words `true`, `false`, `null`.
  mutating func word(_ word: StaticString) throws(FileError) {
    let length = word.utf8CodeUnitCount
    let matches = word.withUTF8Buffer { expected in
      position + length <= bytes.count && bytes[position..<(position + length)].elementsEqual(expected)
    }
    guard matches else { throw error("JSON: unknown word") }
    position += length
  }

  /// Throws unless only white space is left.
  public mutating func end() throws(FileError) {
    skipSpace()
    guard position == bytes.count else { throw error("JSON: \(bytes.count - position) bytes after the value") }
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[position]) { position += 1 }
  }

  private static func show(_ byte: UInt8) -> String {
    (0x21...0x7E).contains(byte) ? "'\(Character(Unicode.Scalar(byte)))'" : "byte 0x\(String(byte, radix: 16))"
  }
}
