/// A cursor over bytes: reads little-endian values in file order, and says where and why it cannot.
///
/// Small reads come from a window, so that parsing a header of a million fields costs a few system calls.
public struct ByteReader {
  /// What is read.
  public let bytes: Bytes
  /// Where the next read starts.
  public private(set) var offset: Int
  private let base: Int
  private var window: [UInt8] = []
  private var windowStart = 0
  private static let windowSize = 64 << 10

  /// Starts at `offset`; errors name offsets relative to `base`, where `bytes` begins in its file.
  public init(_ bytes: Bytes, at offset: Int = 0, base: Int = 0) {
    self.bytes = bytes
    self.offset = offset
    self.base = base
  }

  /// How many bytes are left.
  public var remaining: Int { bytes.count - offset }

  /// The offset of the next read in the file.
  public var fileOffset: Int { base + offset }

  /// An error at the cursor.
  public func error(_ kind: FileError.Kind, _ message: String, hint: String? = nil) -> FileError {
    FileError(kind, message, offset: fileOffset, hint: hint)
  }

  /// Throws `truncated` unless `length` bytes are left. Call it before any allocation that a file's number asks for.
  public func require(_ length: Int, for what: @autoclosure () -> String) throws(FileError) {
    guard length >= 0, length <= remaining else {
      throw error(.truncated, "\(what()): expected \(length) bytes, \(remaining) remain")
    }
  }

  /// One little-endian integer.
  public mutating func integer<T: FixedWidthInteger>(
    _ what: @autoclosure () -> String, as type: T.Type = T.self
  ) throws(FileError) -> T {
    let size = MemoryLayout<T>.size
    try require(size, for: what())
    try fill(size)
    let start = offset - windowStart
    offset += size
    return window.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: T.self)) }
  }

  /// One little-endian unsigned 64-bit length, as an `Int` that fits in what is left divided by `unit` bytes each.
  public mutating func length(_ what: @autoclosure () -> String, unit: Int = 1) throws(FileError) -> Int {
    let start = offset
    let value: UInt64 = try integer(what())
    guard let length = Int(exactly: value), length <= remaining / max(1, unit) else {
      offset = start
      throw error(.truncated, "\(what()): \(value) of at least \(unit) bytes each, \(remaining - 8) bytes remain")
    }
    return length
  }

  /// The next `length` bytes, in memory.
  public mutating func array(_ length: Int, _ what: @autoclosure () -> String) throws(FileError) -> [UInt8] {
    try require(length, for: what())
    if length > Self.windowSize {
      defer { offset += length }
      return try bytes.slice(offset, length).load()
    }
    try fill(length)
    let start = offset - windowStart
    offset += length
    return Array(window[start..<(start + length)])
  }

  /// The next `length` bytes as a slice, not read yet.
  public mutating func slice(_ length: Int, _ what: @autoclosure () -> String) throws(FileError) -> Bytes {
    try require(length, for: what())
    defer { offset += length }
    return try bytes.slice(offset, length)
  }

  /// The next `length` bytes as strict UTF-8.
  public mutating func string(_ length: Int, _ what: @autoclosure () -> String) throws(FileError) -> String {
    let start = offset
    var string: String?
    if length > Self.windowSize {
      string = try String(validating: array(length, what()), as: UTF8.self)
    } else {
      try require(length, for: what())
      try fill(length)
      let range = (start - windowStart)..<(start - windowStart + length)
      string = window.withUnsafeBufferPointer { Self.string(UnsafeBufferPointer(rebasing: $0[range])) }
      offset += length
    }
    guard let string else { throw FileError(.malformed, "\(what()) is not valid UTF-8", offset: base + start) }
    return string
  }

  /// Most strings are ASCII, for which the validating initializer takes four times as long as this.
  private static func string(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
    bytes.allSatisfy { $0 < 0x80 } ? String(decoding: bytes, as: UTF8.self) : String(validating: bytes, as: UTF8.self)
  }

  /// The next `count` strings, each after its length as an unsigned 64-bit integer. The caller has checked that
  /// `count` lengths fit in what remains.
  public mutating func strings(_ count: Int, _ what: @autoclosure () -> String) throws(FileError) -> [String] {
    var strings: [String] = []
    strings.reserveCapacity(count)
    while strings.count < count {
      takeStrings(count, into: &strings)
      guard strings.count < count else { break }
      // What crosses the window's end, or is wrong, goes the way that says so.
      strings.append(try string(length("length of a string in \(what())"), what()))
    }
    return strings
  }

  /// As many valid strings as lie wholly in the window: a vocabulary is a hundred thousand of them.
  private mutating func takeStrings(_ count: Int, into strings: inout [String]) {
    guard offset >= windowStart, offset <= windowStart + window.count else { return }
    var position = offset - windowStart
    window.withUnsafeBytes { bytes in
      while strings.count < count, bytes.count - position >= 8 {
        let length = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        guard length <= UInt64(bytes.count - position - 8) else { return }
        let end = position + 8 + Int(length)
        let text = UnsafeRawBufferPointer(rebasing: bytes[(position + 8)..<end])
        guard let string = Self.string(text.assumingMemoryBound(to: UInt8.self)) else { return }
        strings.append(string)
        position = end
      }
    }
    offset = windowStart + position
  }

  /// The next `count` little-endian integers.
  public mutating func integers<T: FixedWidthInteger & BitwiseCopyable>(
    _ count: Int, _ what: @autoclosure () -> String, as type: T.Type = T.self
  ) throws(FileError) -> [T] {
    let (length, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<T>.size)
    let bytes = try array(overflow ? Int.max : length, what())
    return bytes.withUnsafeBytes { buffer in
      [T](unsafeUninitializedCapacity: count) { values, initialized in
        UnsafeMutableRawBufferPointer(values).copyMemory(from: buffer)
        #if _endian(big)
          for index in 0..<count { values[index] = T(littleEndian: values[index]) }
        #endif
        initialized = count
      }
    }
  }

  /// Moves on without reading.
  public mutating func skip(_ length: Int, _ what: @autoclosure () -> String) throws(FileError) {
    try require(length, for: what())
    offset += length
  }

  /// The next byte without moving on, nil at the end.
  public mutating func peek() throws(FileError) -> UInt8? {
    guard remaining > 0 else { return nil }
    try fill(1)
    return window[offset - windowStart]
  }

  private mutating func fill(_ length: Int) throws(FileError) {
    if offset >= windowStart, offset + length <= windowStart + window.count { return }
    window = try bytes.slice(offset, min(max(length, Self.windowSize), remaining)).load()
    windowStart = offset
  }
}
