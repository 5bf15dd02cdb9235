/// Writes a pickle of protocol 2, the one that `torch.load` expects, by hand: what a state dict needs and no more.
struct PickleWriter {
  private(set) var bytes: [UInt8] = [0x80, 2]
  private var memo: [String: UInt32] = [:]

  /// A text, which later ones that are equal refer to.
  mutating func text(_ text: String) {
    memoised("'" + text) { writer in
      let utf8 = Array(text.utf8)
      writer.bytes += [0x58] + little(UInt32(truncatingIfNeeded: utf8.count)) + utf8
    }
  }

  /// A class or function by name.
  mutating func global(_ module: String, _ name: String) {
    memoised("\(module) \(name)") { writer in
      writer.bytes += [UInt8(ascii: "c")] + Array("\(module)\n\(name)\n".utf8)
    }
  }

  mutating func integer(_ value: Int) {
    if let value = UInt8(exactly: value) {
      bytes += [0x4B, value]
    } else if let value = UInt16(exactly: value) {
      bytes += [0x4D] + little(value)
    } else if let value = Int32(exactly: value) {
      bytes += [0x4A] + little(value)
    } else {
      bytes += [0x8A, 8] + little(Int64(value))
    }
  }

  mutating func bool(_ value: Bool) { bytes.append(value ? 0x88 : 0x89) }

  mutating func tuple(_ elements: (inout PickleWriter) -> Void) {
    mark()
    elements(&self)
    bytes.append(UInt8(ascii: "t"))
  }

  mutating func tuple(_ integers: [Int]) { tuple { writer in integers.forEach { writer.integer($0) } } }

  /// An empty `OrderedDict`.
  mutating func orderedDict() {
    global("collections", "OrderedDict")
    bytes += [UInt8(ascii: ")"), UInt8(ascii: "R")]
  }

  mutating func mark() { bytes.append(UInt8(ascii: "(")) }
  mutating func persistentReference() { bytes.append(UInt8(ascii: "Q")) }
  mutating func reduce() { bytes.append(UInt8(ascii: "R")) }
  mutating func setItems() { bytes.append(UInt8(ascii: "u")) }
  mutating func stop() { bytes.append(UInt8(ascii: ".")) }

  private mutating func memoised(_ key: String, _ write: (inout PickleWriter) -> Void) {
    if let index = memo[key] {
      bytes += index < 256 ? [0x68, UInt8(index)] : [0x6A] + little(index)
    } else {
      write(&self)
      let index = UInt32(memo.count)
      bytes += index < 256 ? [0x71, UInt8(index)] : [0x72] + little(index)
      memo[key] = index
    }
  }
}

private func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
