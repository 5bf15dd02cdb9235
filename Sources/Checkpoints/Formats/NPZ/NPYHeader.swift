/// What stands before an array's data in a `.npy` file.
struct NPYHeader: Equatable {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  var dtype: DType
  var shape: [Int]
  /// Whether the first dimension is the fastest in memory.
  var isFortran = false
  var isBigEndian = false
  /// Where the data begins.
  var dataOffset = 0

  init(dtype: DType, shape: [Int]) {
    self.dtype = dtype
    self.shape = shape
  }

  /// Reads the header of an array; errors have offsets from `base`, where `bytes` begins in its file.
  init(_ bytes: Bytes, base: Int) throws(FileError) {
    let preamble = try bytes.slice(0, min(12, bytes.count)).load()
    guard preamble.starts(with: Self.magic) else {
      throw FileError(.malformed, "no array: begins without \\x93NUMPY", offset: base)
    }
    guard preamble.count == 12 else {
      throw FileError(.truncated, "array of \(preamble.count) bytes, its header alone needs more", offset: base)
    }
    guard (1...3).contains(preamble[6]), preamble[7] == 0 else {
      throw FileError(
        .unsupported, "array of version \(preamble[6]).\(preamble[7]), allowed 1.0, 2.0, 3.0", offset: base + 6)
    }
    let fields = ZipFields(bytes: preamble)
    let start = preamble[6] == 1 ? 10 : 12
    let length = preamble[6] == 1 ? fields.u16(8) : fields.u32(8)
    guard length <= Limits.npyHeader else {
      throw FileError(.malformed, "array header of \(length) bytes, allowed \(Limits.npyHeader)", offset: base + 8)
    }
    guard length <= bytes.count - start else {
      throw FileError(
        .truncated, "array header of \(length) bytes, \(bytes.count - start) remain", offset: base + 8)
    }
    var parser = NPYHeaderParser(try bytes.slice(start, length).load(), base: base + start)
    self = try parser.header()
    dataOffset = start + length
  }

  /// The header as NumPy writes it.
  var bytes: [UInt8] {
    let code = NPZ.dtypes.first { $0.dtype == dtype }?.code ?? ""
    return Self.bytes(descriptor: (dtype.blockBytes == 1 ? "|" : "<") + code, shape: shape)
  }

  /// The header of an array of any dtype, padded so that the data begins at a multiple of 64.
  static func bytes(descriptor: String, shape: [Int]) -> [UInt8] {
    let sizes = shape.map(String.init).joined(separator: ", ")
    let tuple = shape.count == 1 ? "(\(sizes),)" : "(\(sizes))"
    let text = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': \(tuple), }"
    let padding = String(repeating: " ", count: 63 - (10 + text.utf8.count) % 64)
    let header = Array((text + padding + "\n").utf8)
    return Self.magic + [1, 0, UInt8(header.count & 0xFF), UInt8(header.count >> 8)] + header
  }
}

/// Parses the header's text, a Python dictionary of three known keys, and nothing else that Python would take.
struct NPYHeaderParser {
  private let bytes: [UInt8]
  private let base: Int
  private var at = 0

  init(_ bytes: [UInt8], base: Int) {
    self.bytes = bytes
    self.base = base
  }

  mutating func header() throws(FileError) -> NPYHeader {
    var header = NPYHeader(dtype: .u8, shape: [])
    var keys: [String] = []
    try expect("{")
    while next() != UInt8(ascii: "}") {
      let keyOffset = base + at
      let key = try string()
      guard !keys.contains(key) else {
        throw FileError(.malformed, "two '\(escaped(key))' in the array header", offset: keyOffset)
      }
      keys.append(key)
      try expect(":")
      switch key {
      case "descr": (header.dtype, header.isBigEndian) = try descriptor()
      case "fortran_order": header.isFortran = try truth()
      case "shape": header.shape = try shape()
      default: throw FileError(.malformed, "unknown key '\(escaped(key))' in the array header", offset: keyOffset)
      }
      if next() != UInt8(ascii: "}") { try expect(",") }
    }
    try expect("}")
    guard next() == nil else { throw unexpected("the end of the array header") }
    guard keys.count == 3 else {
      throw FileError(.malformed, "array header needs descr, fortran_order and shape, has \(keys)", offset: base)
    }
    return header
  }

  /// The next byte that is not a space, nil at the end.
  private mutating func next() -> UInt8? {
    while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0A { at += 1 }
    return at < bytes.count ? bytes[at] : nil
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(FileError) {
    guard next() == UInt8(ascii: character) else { throw unexpected("'\(character)'") }
    at += 1
  }

  private func unexpected(_ expected: String) -> FileError {
    let rest = String(decoding: bytes[at...].prefix(16), as: UTF8.self)
    return FileError(.malformed, "array header: found '\(escaped(rest))', expected \(expected)", offset: base + at)
  }

  private mutating func string() throws(FileError) -> String {
    guard let quote = next(), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
      throw unexpected("a string")
    }
    let start = at + 1
    guard let end = bytes[start...].firstIndex(of: quote), bytes[start..<end].allSatisfy(Self.isPlain) else {
      throw unexpected("a string of plain ASCII characters")
    }
    at = end + 1
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }

  private static func isPlain(_ byte: UInt8) -> Bool { (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\\") }

  private mutating func truth() throws(FileError) -> Bool {
    _ = next()
    for (word, value) in [("True", true), ("False", false)] where bytes[at...].starts(with: word.utf8) {
      at += word.utf8.count
      return value
    }
    throw unexpected("True or False")
  }

  private mutating func shape() throws(FileError) -> [Int] {
    var shape: [Int] = []
    try expect("(")
    while next() != UInt8(ascii: ")") {
      guard shape.count < Limits.dimensions else {
        throw FileError(.malformed, "more than \(Limits.dimensions) dimensions", offset: base + at)
      }
      shape.append(try dimension())
      // Python tells a tuple of one from a number in brackets by its comma.
      if next() != UInt8(ascii: ")") || shape.count == 1 { try expect(",") }
    }
    try expect(")")
    return shape
  }

  private mutating func dimension() throws(FileError) -> Int {
    _ = next()
    let digits = bytes[at...].prefix { (0x30...0x39).contains($0) }
    guard !digits.isEmpty, digits.count == 1 || digits.first != 0x30 else {
      throw unexpected("a dimension of at least 0")
    }
    guard let value = Int(String(decoding: digits, as: UTF8.self)) else {
      throw FileError(.malformed, "dimension of \(digits.count) digits overflows", offset: base + at)
    }
    at = digits.endIndex
    // Python 2 wrote long integers with this suffix.
    if at < bytes.count, bytes[at] == UInt8(ascii: "L") { at += 1 }
    return value
  }

  /// The type, and whether its bytes are in big-endian order.
  private mutating func descriptor() throws(FileError) -> (DType, Bool) {
    if let start = next(), [UInt8(ascii: "["), UInt8(ascii: "(")].contains(start) {
      throw FileError(.unsupported, "arrays of a structured dtype are not read", offset: base + at)
    }
    let offset = base + at
    let text = try string()
    let order = text.first { "<>|=".contains($0) } == text.first ? text.first : nil
    let code = String(order == nil ? text[...] : text.dropFirst())
    if code.hasPrefix("O") {
      throw FileError(
        .unsupported, "dtype '\(text)': object arrays hold pickles; not read", offset: offset,
        hint: "Save the arrays with a numeric dtype")
    }
    guard let dtype = NPZ.dtypes.first(where: { $0.code == code })?.dtype, let order,
      Self.orders(of: dtype).contains(order)
    else {
      let allowed = NPZ.dtypes.map(\.code).joined(separator: " ")
      throw FileError(
        .unsupported, "dtype '\(text)' is not read, allowed after < > or |: \(allowed)", offset: offset)
    }
    return (dtype, order == ">" && dtype.blockBytes > 1)
  }

  /// The marks of byte order that mean something before a type.
  private static func orders(of dtype: DType) -> String {
    switch dtype {
    case .bool, .u8, .i8: "|<>"
    // NumPy does not know that these bytes have an order.
    case .bf16: "|<"
    default: "<>"
    }
  }
}
