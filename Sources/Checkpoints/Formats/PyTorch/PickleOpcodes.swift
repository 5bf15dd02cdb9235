// The opcodes by what they make. Each function returns false for an opcode that is not its own.

extension PickleMachine {
  /// None, truth values and numbers.
  mutating func plainValue(_ opcode: UInt8) throws(FileError) -> Bool {
    switch opcode {
    case 0x4E: try push(.none)  // NONE
    case 0x88: try push(.bool(true))  // NEWTRUE
    case 0x89: try push(.bool(false))  // NEWFALSE
    case 0x4B: try push(.int(Int(byte())))  // BININT1
    case 0x4D: try push(.int(Int(reader.integer("BININT2", as: UInt16.self))))
    case 0x4A: try push(.int(Int(reader.integer("BININT", as: Int32.self))))
    case 0x47: try push(.float(Double(bitPattern: reader.integer("BINFLOAT", as: UInt64.self).byteSwapped)))
    case 0x8A: try longInteger(Int(byte()))  // LONG1
    case 0x8B:  // LONG4
      let length: Int32 = try reader.integer("LONG4")
      guard length >= 0 else { throw error("LONG4 of \(length) bytes") }
      try longInteger(Int(length))
    case 0x49, 0x4C: try decimal(line("integer"))  // INT, LONG
    case 0x46:  // FLOAT
      let text = try line("FLOAT")
      guard let value = Double(text) else { throw error("FLOAT '\(escaped(text))'") }
      try push(.float(value))
    default: return false
    }
    return true
  }

  private mutating func longInteger(_ length: Int) throws(FileError) {
    try reader.require(length, for: "long integer")
    try charge(length > 8 ? 32 + 2 * length : 0)
    let bytes = try reader.array(length, "long integer")
    guard length > 8 else {
      let sign: Int = bytes.last ?? 0 >= 0x80 ? -1 : 0
      return try push(.int(bytes.reversed().reduce(sign) { $0 << 8 | Int($1) }))
    }
    try push(.longInteger, text: bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
  }

  private mutating func decimal(_ line: String) throws(FileError) {
    // Protocol 1 has no opcode for truth values.
    if line == "00" || line == "01" { return try push(.bool(line == "01")) }
    let digits = line.hasSuffix("L") ? String(line.dropLast()) : line
    if let value = Int(digits) { return try push(.int(value)) }
    guard digits.drop(while: { $0 == "-" }).allSatisfy({ $0.isASCII && $0.isNumber }), !digits.isEmpty else {
      throw error("integer '\(escaped(line))'")
    }
    try charge(32 + digits.utf8.count)
    try push(.longInteger, text: digits)
  }

  /// Texts and byte strings.
  mutating func textValue(_ opcode: UInt8) throws(FileError) -> Bool {
    switch opcode {
    case 0x58: try text(Int(reader.integer("BINUNICODE", as: UInt32.self)))
    case 0x8C, 0x55: try text(Int(byte()))  // SHORT_BINUNICODE, SHORT_BINSTRING (Python 2's str)
    case 0x8D: try text(reader.length("BINUNICODE8"))
    case 0x54:  // BINSTRING
      let length: Int32 = try reader.integer("BINSTRING")
      guard length >= 0 else { throw error("BINSTRING of \(length) bytes") }
      try text(Int(length))
    case 0x43: try byteString(Int(byte()))  // SHORT_BINBYTES
    case 0x42: try byteString(Int(reader.integer("BINBYTES", as: UInt32.self)))
    case 0x8E, 0x96: try byteString(reader.length("byte string"))  // BINBYTES8, BYTEARRAY8
    case 0x53, 0x56: try quoted(line("text"))  // STRING, UNICODE
    default: return false
    }
    return true
  }

  private mutating func text(_ length: Int) throws(FileError) {
    try reader.require(length, for: "pickled text")
    try charge(length > 15 ? 32 + length : 0)
    // Text that Python could not decode either (a file name, say) is of no use, but no reason to refuse the file.
    guard let text = String(validating: try reader.array(length, "pickled text"), as: UTF8.self) else {
      return try push(.bytes)
    }
    try push(.text, text: text)
  }

  private mutating func byteString(_ length: Int) throws(FileError) {
    try reader.skip(length, "pickled bytes")
    try push(.bytes)
  }

  /// A text of protocol 0, in quotes or with escapes; names have neither escapes nor need of them.
  private mutating func quoted(_ line: String) throws(FileError) {
    var text = line
    if let quote = line.first, quote == "'" || quote == "\"", line.count >= 2, line.last == quote {
      text = String(line.dropFirst().dropLast())
    }
    guard !text.contains("\\") else { return try push(.bytes) }
    try charge(32 + text.utf8.count)
    try push(.text, text: text)
  }

  /// Tuples, lists, dicts, sets and the stack itself.
  mutating func container(_ opcode: UInt8) throws(FileError) -> Bool {
    switch opcode {
    case 0x28:  // MARK
      try charge(16)
      marks.append(stack.count)
    case 0x29: try push(.tuple)  // EMPTY_TUPLE
    case 0x5D: try push(.list)  // EMPTY_LIST
    case 0x7D: try push(.dict)  // EMPTY_DICT
    case 0x8F: try push(.set)  // EMPTY_SET
    case 0x74: try push(.tuple, items: popToMark())  // TUPLE
    case 0x85...0x87: try push(.tuple, items: pop(Int(opcode - 0x84)))  // TUPLE1, TUPLE2, TUPLE3
    case 0x6C: try push(.list, items: popToMark())  // LIST
    case 0x91: try push(.set, items: popToMark())  // FROZENSET
    case 0x64: try pushDict(popToMark())  // DICT
    case 0x61: try extend([.list, .object], with: pop(1), "APPEND")
    case 0x65: try extend([.list, .object], with: popToMark(), "APPENDS")
    case 0x90: try extend([.set, .object], with: popToMark(), "ADDITEMS")
    case 0x73: try extend([.dict, .object], with: pop(2), "SETITEM")
    case 0x75: try extend([.dict, .object], with: popToMark(), "SETITEMS")
    case 0x30:  // POP, which takes a mark when nothing lies on it
      if marks.last == stack.count { marks.removeLast() } else { _ = try pop() }
    case 0x31: _ = try popToMark()  // POP_MARK
    case 0x32: try push(top())  // DUP
    default: return false
    }
    return true
  }

  mutating func pushDict(_ items: [Pickle.Value]) throws(FileError) {
    guard items.count.isMultiple(of: 2) else { throw error("a key without its value") }
    try push(.dict, items: items)
  }

  /// Adds to the container on the stack.
  private mutating func extend(
    _ kinds: [Pickle.Kind], with items: [Pickle.Value], _ opcode: String
  ) throws(FileError) {
    let target = try top()
    guard case .node(let index) = target, kinds.contains(pickle.nodes[index].kind) else {
      throw error("\(opcode) on \(pickle.describe(target))")
    }
    guard kinds[0] != .dict || items.count.isMultiple(of: 2) else { throw error("a key without its value") }
    try charge(32 * items.count)
    pickle.nodes[index].items += items
  }
}
