/// HTML's character references as Python's `html.unescape` and ftfy's `unescape_html` replace them.
enum HTMLEntities {
  /// HTML 5's names, most of them with their semicolon, as `amp;`.
  private static let names = table { !$0.utf8.starts(with: "+".utf8) }
  /// The names in capitals that ftfy adds.
  private static let capitals = table { $0.utf8.starts(with: "+".utf8) }

  private static func table(where isMember: (Substring) -> Bool) -> [[UInt8]: [UInt32]] {
    var names: [[UInt8]: [UInt32]] = [:]
    for words in EmbeddedTables.lines(EmbeddedTables.entities) where words.count == 2 && isMember(words[0]) {
      names[words[0].utf8.filter { $0 != UInt8(ascii: "+") }] = EmbeddedTables.numbers(words[1])
    }
    return names
  }

  /// Python's `html.unescape`: references with and without semicolon, the longest name that fits, and HTML's table of
  /// what numbers stand for.
  static func unescape(_ text: [UInt32]) -> [UInt32] {
    replaceReferences(text) { text, start in
      if start < text.count, text[start] == 0x23 { return number(text, at: start) }
      var end = start
      while end < text.count, end - start < 32, !isNameEnd(text[end]) { end += 1 }
      guard end > start else { return nil }
      if end < text.count, text[end] == 0x3B { end += 1 }
      // Names are ASCII: a byte that stands for all else is in none.
      let name = text[start..<end].map { $0 < 0x80 ? UInt8($0) : 0xFF }
      for length in [name.count] + (2..<max(2, name.count)).reversed() {
        if let value = names[Array(name[..<length])] { return (value, start + length) }
      }
      return nil
    }
  }

  /// ftfy's `unescape_html`: references that end in a semicolon, also names in capitals.
  static func unescapeWithSemicolon(_ text: [UInt32]) -> [UInt32] {
    replaceReferences(text) { text, start in
      let isNumber = start < text.count && text[start] == 0x23
      var end = isNumber ? start + 1 : start
      let first = end
      while end < text.count, end - first < 24, isAlphanumeric(text[end]) { end += 1 }
      guard end > first, end < text.count, text[end] == 0x3B else { return nil }
      if isNumber {
        guard let (value, consumed) = number(text, at: start), consumed == end + 1, value != [0x3B] else { return nil }
        return (value, consumed)
      }
      let name = text[start...end].map { UInt8(truncatingIfNeeded: $0) }
      return (names[name] ?? capitals[name]).map { ($0, end + 1) }
    }
  }

  /// Replaces what follows each "&" by what `reference` finds there, up to where it says; nil leaves the "&".
  private static func replaceReferences(
    _ text: [UInt32], _ reference: ([UInt32], Int) -> ([UInt32], Int)?
  ) -> [UInt32] {
    guard var position = text.firstIndex(of: 0x26) else { return text }
    var result = Array(text[..<position])
    while position < text.count {
      if text[position] == 0x26, let (value, end) = reference(text, position + 1) {
        result += value
        position = end
      } else {
        result.append(text[position])
        position += 1
      }
    }
    return result
  }

  /// The characters that no name has: tab, newline, form feed, space, <, &, # and ;.
  private static func isNameEnd(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x09, 0x0A, 0x0C, 0x20, 0x3C, 0x26, 0x23, 0x3B: true
    default: false
    }
  }

  private static func isAlphanumeric(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: false
    }
  }

  /// A number from its "#" on, with its semicolon if it has one.
  private static func number(_ text: [UInt32], at start: Int) -> ([UInt32], Int)? {
    var end = start + 1
    let isHexadecimal = end < text.count && text[end] | 0x20 == 0x78
    if isHexadecimal { end += 1 }
    let first = end
    var value: UInt32 = 0
    while end < text.count, let digit = digit(text[end], isHexadecimal: isHexadecimal) {
      // What is beyond Unicode stays beyond it.
      value = min(value, 0x110000) * (isHexadecimal ? 16 : 10) + digit
      end += 1
    }
    guard end > first else { return nil }
    if end < text.count, text[end] == 0x3B { end += 1 }
    return (character(value), end)
  }

  private static func digit(_ scalar: UInt32, isHexadecimal: Bool) -> UInt32? {
    switch scalar {
    case 0x30...0x39: scalar - 0x30
    case 0x41...0x46 where isHexadecimal: scalar - 0x37
    case 0x61...0x66 where isHexadecimal: scalar - 0x57
    default: nil
    }
  }

  /// What a number stands for in HTML: Windows-1252 where Unicode has controls, nothing for most that are no characters.
  private static func character(_ value: UInt32) -> [UInt32] {
    switch value {
    case 0, 0xD800...0xDFFF, 0x110000...: [0xFFFD]
    case 0x80...0x9F: [FTFYTables.standard.windows1252(value)]
    case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0xFDD0...0xFDEF: []
    case _ where value & 0xFFFE == 0xFFFE: []
    default: [value]
    }
  }
}
