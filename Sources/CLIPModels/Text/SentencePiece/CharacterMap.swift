import Checkpoints

/// A precompiled map of characters, as in `normalizer_spec.precompiled_charsmap`: texts and what replaces them.
///
/// A double array (Darts) finds the texts; the replacements follow it, each ended by a zero.
struct CharacterMap: Sendable, Equatable {
  /// The blob it was read from, for writing it again.
  let blob: [UInt8]
  private let units: [UInt32]
  private let replacements: [UInt8]

  /// The longest text that is replaced, in bytes: a map with longer ones is no map of characters.
  private static let maximumDepth = 1_024

  /// Reads a map and checks every place of it that a text can reach.
  init(_ blob: [UInt8]) throws(FileError) {
    guard blob.count > 4 else { throw FileError(.truncated, "character map of \(blob.count) bytes, needs 5 or more") }
    let size = Int(Self.word(blob, 0))
    guard size < blob.count - 4, size % 1_024 == 0, size > 0 else {
      throw FileError(
        .malformed, "character map: \(size) bytes of trie in \(blob.count), expected a multiple of 1024 and a rest")
    }
    self.blob = blob
    units = stride(from: 4, to: 4 + size, by: 4).map { Self.word(blob, $0) }
    replacements = Array(blob[(4 + size)...])
    guard replacements.last == 0, String(validating: replacements, as: UTF8.self) != nil else {
      throw FileError(.malformed, "character map: the replacements are no UTF-8 that ends with a zero")
    }
    try check()
  }

  private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    bytes[offset..<(offset + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }

  // A unit holds the byte that leads to it, where its own children are, and whether a text ends at it; the unit of an
  // end holds where its replacement begins.
  private static func label(_ unit: UInt32) -> UInt32 { unit & 0x8000_00FF }
  private static func base(_ unit: UInt32) -> Int { Int(unit >> 10) << (unit & 0x200 == 0 ? 0 : 8) }
  private static func isEnd(_ unit: UInt32) -> Bool { unit & 0x100 != 0 }

  /// Walks all of the trie, whose branches may share their ends: no place outside, no way that never ends, no
  /// replacement beyond the end or inside a character.
  private func check() throws(FileError) {
    // How many bytes there are behind a unit at most; -1 before it was seen, -2 while it is open.
    var heights = [Int](repeating: -1, count: units.count)
    var open: [(unit: Int, byte: Int, height: Int)] = []
    func enter(_ unit: Int) throws(FileError) {
      let base = unit ^ Self.base(units[unit])
      guard base | 0xFF < units.count else {
        throw FileError(.malformed, "character map: unit \(unit) points outside the \(units.count) units")
      }
      if Self.isEnd(units[unit]) { try checkReplacement(of: unit, at: Int(units[base] & 0x7FFF_FFFF)) }
      heights[unit] = -2
      open.append((unit, 0, 0))
    }
    try enter(0)
    while let (unit, last, height) = open.popLast() {
      let base = unit ^ Self.base(units[unit])
      guard let byte = (last + 1..<256).first(where: { Self.label(units[base ^ $0]) == UInt32($0) }) else {
        heights[unit] = height
        if let parent = open.indices.last { open[parent].height = max(open[parent].height, height + 1) }
        continue
      }
      let child = base ^ byte
      open.append((unit, byte, max(height, heights[child] + 1)))
      guard heights[child] != -2, open.count <= Self.maximumDepth, height <= Self.maximumDepth else {
        throw FileError(
          .malformed, "character map: a text of more than \(Self.maximumDepth) bytes, or one that never ends")
      }
      if heights[child] == -1 { try enter(child) }
    }
  }

  private func checkReplacement(of unit: Int, at offset: Int) throws(FileError) {
    guard offset < replacements.count, replacements[offset] & 0xC0 != 0x80 else {
      throw FileError(.malformed, "character map: unit \(unit) has no replacement among its texts")
    }
  }

  /// The longest text that `bytes` begin with from `start` on: its length, and where its replacement is.
  func longestMatch(_ bytes: [UInt8], at start: Int) -> (length: Int, replacement: ArraySlice<UInt8>)? {
    var found: (Int, Int)?
    // sentencepiece looks at no more than 32 texts.
    var count = 0
    walk(bytes, at: start, end: bytes.count) { length, value in
      found = (length, value)
      count += 1
      return count < 32
    }
    return found.map { ($0.0, replacement(at: $0.1)) }
  }

  /// What replaces `bytes[start..<end]` in the tokenizers library, which takes the first, shortest text that it finds.
  func replacement(_ bytes: [UInt8], start: Int, end: Int) -> ArraySlice<UInt8>? {
    var found: Int?
    walk(bytes, at: start, end: end) { _, value in
      found = value
      return false
    }
    return found.map { replacement(at: $0) }
  }

  /// Calls `found` with each text that begins at `start`, the shortest first, until it returns false.
  private func walk(_ bytes: [UInt8], at start: Int, end: Int, _ found: (Int, Int) -> Bool) {
    var node = Self.base(units[0])
    for index in start..<end {
      let byte = bytes[index]
      guard byte != 0 else { return }
      node ^= Int(byte)
      let unit = units[node]
      guard Self.label(unit) == UInt32(byte) else { return }
      node ^= Self.base(unit)
      if Self.isEnd(unit), !found(index + 1 - start, Int(units[node] & 0x7FFF_FFFF)) { return }
    }
  }

  private func replacement(at offset: Int) -> ArraySlice<UInt8> {
    let end = replacements[offset...].firstIndex(of: 0) ?? replacements.count
    return replacements[offset..<end]
  }
}
