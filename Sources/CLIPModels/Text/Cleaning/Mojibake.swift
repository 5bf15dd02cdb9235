import Checkpoints

/// ftfy's `fix_encoding`: text that was UTF-8 and was read in another encoding.
enum Mojibake {
  private static var tables: FTFYTables { .standard }

  /// The text with every layer of misreading taken off.
  static func fix(_ text: [UInt32]) throws(FileError) -> [UInt32] {
    var text = text
    for _ in 0..<FTFY.rounds {
      let fixed = try fixOnce(text)
      if fixed == text { return text }
      text = fixed
    }
    throw FTFY.tooManyRounds
  }

  private static func fixOnce(_ text: [UInt32]) throws(FileError) -> [UInt32] {
    guard text.contains(where: { $0 >= 0x80 }), tables.badness.isFound(in: text) else { return text }
    var isLatin1 = false
    for encoding in tables.encodings {
      guard let bytes = encoding.encode(text) else { continue }
      if encoding.name == "latin-1" { isLatin1 = true }
      if let fixed = reread(bytes, encoding) { return fixed }
    }
    let fixed = try fixParts(text)
    if fixed != text { return fixed }
    if isLatin1, !text.contains(where: tables.undefinedInWindows1252.contains) {
      let fixed = fixControls(text)
      if fixed != text { return fixed }
    }
    return fixControls(text)
  }

  /// The bytes as the UTF-8 that they were, after repair; nil when they are not UTF-8.
  private static func reread(_ bytes: [UInt32], _ encoding: SingleByteEncoding) -> [UInt32]? {
    var bytes = bytes
    // In macroman it would match an en dash and a space.
    if encoding.name != "macroman", tables.alteredUTF8.isFound(in: bytes) { bytes = restoreA0(bytes) }
    if encoding.isSloppy { bytes = tables.lossyUTF8.replacing(in: bytes) { _ in [0xEF, 0xBF, 0xBD] } }
    return UTF8Variants.decode(bytes)
  }

  /// Puts back the byte A0 that something took for a space: "Ã la" was "Ã\u{A0} la", other spaces were A0 themselves.
  private static func restoreA0(_ bytes: [UInt32]) -> [UInt32] {
    var words: [UInt32] = []
    words.reserveCapacity(bytes.count)
    for (index, byte) in bytes.enumerated() {
      words.append(byte)
      let isGrave = byte == 0xC3 && index + 1 < bytes.count && bytes[index + 1] == 0x20
      if isGrave, !followsInWord.contains(where: { bytes[(index + 2)...].starts(with: $0) }) { words.append(0xA0) }
    }
    return tables.alteredUTF8.replacing(in: words) { $0.map { $0 == 0x20 ? 0xA0 : $0 } }
  }

  /// What after "Ã " says that it was no word of its own: "à", then "às", "àquele" and the like in Portuguese.
  private static let followsInWord = [" ", "quele", "quela", "quilo", "s "].map { $0.utf8.map(UInt32.init) }

  /// Fixes what is surely misread UTF-8 within text that as a whole is not.
  private static func fixParts(_ text: [UInt32]) throws(FileError) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(text.count)
    var position = 0
    while position < text.count {
      let end = endOfMisreadUTF8(text, from: position)
      let part = Array(text[position..<end])
      if part.count > 0, part.count < text.count, tables.badness.isFound(in: part) {
        result += try fix(part)
      } else {
        result += part
      }
      position = end
      if part.isEmpty {
        result.append(text[position])
        position += 1
      }
    }
    return result
  }

  /// The end of the misread sequences that begin at `position`, which is `position` when there are none.
  private static func endOfMisreadUTF8(_ text: [UInt32], from position: Int) -> Int {
    if position > 0, tables.notBeforeMisreadUTF8.contains(text[position - 1]) { return position }
    var end = position
    while end < text.count, let length = tables.misreadUTF8.length(text, at: end) { end += length }
    return end
  }

  /// Control characters of Latin-1 as those that Windows-1252 has in their places.
  static func fixControls(_ text: [UInt32]) -> [UInt32] {
    text.contains { 0x80...0x9F ~= $0 } ? text.map { 0x80...0x9F ~= $0 ? tables.windows1252($0) : $0 } : text
  }
}

/// UTF-8, also as Java and old databases write it: U+0000 in two bytes, surrogate pairs in six.
enum UTF8Variants {
  /// The scalars, nil when the bytes are neither.
  static func decode(_ bytes: [UInt32]) -> [UInt32]? {
    var result: [UInt32] = []
    result.reserveCapacity(bytes.count)
    var position = 0
    while position < bytes.count {
      guard let (scalar, length) = next(bytes, at: position) else { return nil }
      result.append(scalar)
      position += length
    }
    return result
  }

  private static func next(_ bytes: [UInt32], at position: Int) -> (UInt32, Int)? {
    /// The six bits of a continuation byte in `range`.
    func bits(_ offset: Int, _ range: ClosedRange<UInt32> = 0x80...0xBF) -> UInt32? {
      guard position + offset < bytes.count else { return nil }
      return range ~= bytes[position + offset] ? bytes[position + offset] & 0x3F : nil
    }
    let first = bytes[position]
    switch first {
    case 0..<0x80: return (first, 1)
    case 0xC0:
      let isNull = bits(1, 0x80...0x80) != nil || isFinalNewline(bytes, position + 1)
      return isNull ? (0, 2) : nil
    case 0xC2...0xDF: return bits(1).map { ((first & 0x1F) << 6 | $0, 2) }
    case 0xED where bits(1, 0xA0...0xAF) != nil: return surrogatePair(bytes, at: position)
    case 0xE0...0xEF:
      let second: ClosedRange<UInt32> = first == 0xE0 ? 0xA0...0xBF : first == 0xED ? 0x80...0x9F : 0x80...0xBF
      guard let high = bits(1, second), let low = bits(2) else { return nil }
      return ((first & 0x0F) << 12 | high << 6 | low, 3)
    case 0xF0...0xF4:
      let second: ClosedRange<UInt32> = first == 0xF0 ? 0x90...0xBF : first == 0xF4 ? 0x80...0x8F : 0x80...0xBF
      guard let high = bits(1, second), let middle = bits(2), let low = bits(3) else { return nil }
      return ((first & 0x07) << 18 | high << 12 | middle << 6 | low, 4)
    default: return nil
    }
  }

  /// Six bytes from `position` that begin with ED, A0 to AF.
  private static func surrogatePair(_ bytes: [UInt32], at position: Int) -> (UInt32, Int)? {
    guard position + 5 < bytes.count else { return nil }
    let (third, fourth, fifth, sixth) =
      (bytes[position + 2], bytes[position + 3], bytes[position + 4], bytes[position + 5])
    guard 0x80...0xBF ~= third, fourth == 0xED, 0xB0...0xBF ~= fifth,
      0x80...0xBF ~= sixth || isFinalNewline(bytes, position + 5)
    else { return nil }
    let high = (bytes[position + 1] & 0x0F) << 16 + (third & 0x3F) << 10
    return (high + (fifth & 0x0F) << 6 + (sixth & 0x3F) + 0x10000, 6)
  }

  /// Python's patterns for these forms take a newline that ends the text for the end itself, and ftfy's decoder then
  /// takes it for a byte of the sequence.
  private static func isFinalNewline(_ bytes: [UInt32], _ position: Int) -> Bool {
    position == bytes.count - 1 && bytes[position] == 0x0A
  }
}
