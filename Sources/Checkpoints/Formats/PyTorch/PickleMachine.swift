/// Reads one pickle into a `Pickle`: the stack machine of Python's `pickle` module, protocols 0 to 5, without Python.
///
/// What would call something makes an object node that remembers what would have been called.
struct PickleMachine {
  var reader: ByteReader
  var pickle = Pickle()
  var stack: [Pickle.Value] = []
  /// Heights of the stack where a MARK stands.
  var marks: [Int] = []
  /// Modules and names, one in a line, that have been looked at already.
  var harmless: Set<String> = []
  private var memo: [Pickle.Value] = []
  private var sparseMemo: [Int: Pickle.Value] = [:]
  /// The offset of the opcode at work, in the reader's bytes and in the file.
  private var start: Int
  var opcodeOffset: Int
  private var spent = 0
  /// How many bytes the pickle takes in the file, when that is not what the reader has.
  private let bytesInFile: Int?
  private var highWater = 0

  private init(_ reader: ByteReader, bytesInFile: Int?) {
    self.reader = reader
    self.bytesInFile = bytesInFile
    start = reader.offset
    opcodeOffset = reader.fileOffset
    pickle.offset = reader.fileOffset
  }

  /// Reads one pickle and moves the reader behind it. What is allowed follows from the bytes in the file: of a
  /// compressed pickle, `bytesInFile`.
  /// - Throws: `truncated` or `malformed` with the offset of the opcode; `unsupported` for what names a dangerous
  ///   class or function, and for what `torch.load` would not read either.
  static func read(_ reader: inout ByteReader, bytesInFile: Int? = nil) throws(FileError) -> Pickle {
    var machine = PickleMachine(reader, bytesInFile: bytesInFile)
    try machine.run()
    reader = machine.reader
    return machine.pickle
  }

  private mutating func run() throws(FileError) {
    while true {
      opcodeOffset = reader.fileOffset
      let opcode: UInt8 = try reader.integer("pickle opcode")
      guard opcode != UInt8(ascii: ".") else { break }
      try step(opcode)
      guard reader.offset - start <= Limits.pickle else {
        throw error("pickle of more than \(Limits.pickle) bytes")
      }
    }
    pickle.root = try pop()
    pickle.byteCount = reader.offset - start
    pickle.bytesInFile = min(bytesInFile ?? .max, pickle.byteCount)
  }

  private mutating func step(_ opcode: UInt8) throws(FileError) {
    switch opcode {
    case 0x68: try push(recall(Int(byte())))  // BINGET
    case 0x71: try remember(Int(byte()))  // BINPUT
    case 0x6A: try push(recall(Int(reader.integer("memo index", as: UInt32.self))))  // LONG_BINGET
    case 0x72: try remember(Int(reader.integer("memo index", as: UInt32.self)))  // LONG_BINPUT
    case 0x94: try remember(memo.count + sparseMemo.count)  // MEMOIZE
    case 0x67: try push(recall(memoIndex()))  // GET
    case 0x70: try remember(memoIndex())  // PUT
    case 0x80: try protocolVersion()  // PROTO
    case 0x95: _ = try reader.length("pickle frame")  // FRAME
    default:
      // Chained with ||, the typed errors would be lost.
      if try plainValue(opcode) { return }
      if try textValue(opcode) { return }
      if try container(opcode) { return }
      if try object(opcode) { return }
      throw error("opcode 0x\(String(opcode, radix: 16)) is none of the pickle protocols 0 to 5")
    }
  }

  private mutating func protocolVersion() throws(FileError) {
    let version = try byte()
    guard version <= 5 else { throw error("pickle protocol \(version), read are 0 to 5", .unsupported) }
  }
}

extension PickleMachine {
  /// An error at the opcode at work.
  func error(_ message: String, _ kind: FileError.Kind = .malformed) -> FileError {
    FileError(kind, message, offset: opcodeOffset)
  }

  mutating func byte() throws(FileError) -> UInt8 { try reader.integer("pickle argument") }

  /// Accounts for memory before it is taken. A pickle of a few bytes can ask for much more than its size.
  mutating func charge(_ bytes: Int) throws(FileError) {
    spent += bytes
    let allowed = Limits.valuesBase + Limits.pickleRatio * min(bytesInFile ?? .max, reader.offset - start)
    guard spent <= allowed else {
      throw error(
        "values take more than \(allowed) bytes, allowed \(Limits.valuesBase) and \(Limits.pickleRatio) for each of the pickle"
      )
    }
  }

  mutating func push(_ value: Pickle.Value) throws(FileError) {
    stack.append(value)
    if stack.count > highWater {
      highWater = stack.count
      try charge(32)
    }
  }

  mutating func push(_ kind: Pickle.Kind, text: String = "", items: [Pickle.Value] = []) throws(FileError) {
    // A node in a table that doubles as it grows, and what it owns.
    try charge(80 + (items.isEmpty ? 0 : 32 + 16 * items.count))
    pickle.nodes.append(Pickle.Node(kind: kind, offset: opcodeOffset, text: text, items: items))
    try push(.node(pickle.nodes.count - 1))
  }

  /// The top of the stack, not below the last mark.
  mutating func pop() throws(FileError) -> Pickle.Value {
    guard stack.count > marks.last ?? 0, let value = stack.popLast() else { throw error("pickle stack is empty") }
    return value
  }

  /// The top of the stack, left there.
  func top() throws(FileError) -> Pickle.Value {
    guard stack.count > marks.last ?? 0, let value = stack.last else { throw error("pickle stack is empty") }
    return value
  }

  mutating func pop(_ count: Int) throws(FileError) -> [Pickle.Value] {
    guard stack.count - count >= marks.last ?? 0 else { throw error("pickle stack is empty") }
    let values = Array(stack.suffix(count))
    stack.removeLast(count)
    return values
  }

  /// Everything above the last mark, which goes too.
  mutating func popToMark() throws(FileError) -> [Pickle.Value] {
    guard let height = marks.popLast() else { throw error("pickle mark is missing") }
    let values = Array(stack[height...])
    stack.removeSubrange(height...)
    return values
  }

  private func recall(_ index: Int) throws(FileError) -> Pickle.Value {
    if index < memo.count { return memo[index] }
    guard let value = sparseMemo[index] else { throw error("pickle memo \(index) is not set") }
    return value
  }

  /// Picklers number the memo from 0; others are legal and rare.
  private mutating func remember(_ index: Int) throws(FileError) {
    let value = try top()
    if index < memo.count {
      memo[index] = value
    } else if index == memo.count, sparseMemo.isEmpty {
      try charge(32)
      memo.append(value)
    } else {
      try charge(96)
      sparseMemo[index] = value
    }
  }

  private mutating func memoIndex() throws(FileError) -> Int {
    let text = try line("memo index")
    guard let index = Int(text), index >= 0 else { throw error("memo index '\(escaped(text))'") }
    return index
  }

  /// The text up to the next newline, as protocol 0 writes its arguments.
  mutating func line(_ what: String) throws(FileError) -> String {
    var bytes: [UInt8] = []
    while true {
      let byte: UInt8 = try reader.integer(what)
      if byte == UInt8(ascii: "\n") { break }
      guard bytes.count < 64 << 10 else { throw error("\(what) of more than 65536 bytes") }
      bytes.append(byte)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw error("\(what) is not valid UTF-8") }
    return text
  }
}
