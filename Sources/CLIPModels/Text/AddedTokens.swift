/// A token that is taken out of a text before the text is cut into pieces.
struct AddedToken: Sendable, Equatable {
  var content: String
  /// Whether white space around it goes with it.
  var stripsLeft = false
  var stripsRight = false
  /// Whether it counts only where no letter, digit or underscore touches it.
  var isSingleWord = false
  /// Whether it is looked for in normalised text.
  var isNormalized = false
}

/// The added tokens of a tokenizer, and where they are in a text: the leftmost, of these the longest.
struct AddedTokens: Sendable {
  /// A part of a text: between added tokens, or one of them.
  enum Section: Equatable {
    case text([UInt32])
    case token(Int32, text: [UInt32])
  }

  private struct Entry: Sendable {
    var pattern: [UInt32]
    var id: Int32
    var token: AddedToken
  }

  /// By first scalar, the longest first.
  private var entries: [UInt32: [Entry]] = [:]
  private let isSpace: @Sendable (UInt32) -> Bool

  /// - Parameters:
  ///   - tokens: each with its id, and with the text that is looked for.
  ///   - isSpace: what counts as white space: Rust's idea or Python's.
  init(_ tokens: [(AddedToken, pattern: [UInt32], id: Int32)], isSpace: @escaping @Sendable (UInt32) -> Bool) {
    self.isSpace = isSpace
    for (token, pattern, id) in tokens {
      guard let first = pattern.first else { continue }
      entries[first, default: []].append(Entry(pattern: pattern, id: id, token: token))
    }
    for first in entries.keys { entries[first]?.sort { $0.pattern.count > $1.pattern.count } }
  }

  var isEmpty: Bool { entries.isEmpty }

  /// The sections of a text, in order. Only texts between tokens can be empty.
  func split(_ text: [UInt32]) -> [Section] {
    guard !isEmpty else { return [.text(text)] }
    var sections: [Section] = []
    var start = 0
    var position = 0
    while position < text.count {
      guard let entry = entries[text[position]]?.first(where: { matches($0.pattern, text, at: position) }) else {
        position += 1
        continue
      }
      var (low, high) = (position, position + entry.pattern.count)
      position = high
      if entry.token.isSingleWord, touchesWord(text, low, high) { continue }
      if entry.token.stripsLeft { while low > start, isSpace(text[low - 1]) { low -= 1 } }
      if entry.token.stripsRight { while high < text.count, isSpace(text[high]) { high += 1 } }
      if low > start { sections.append(.text(Array(text[start..<low]))) }
      sections.append(.token(entry.id, text: entry.pattern))
      start = high
      position = max(position, high)
    }
    if start < text.count { sections.append(.text(Array(text[start...]))) }
    return sections
  }

  private func matches(_ pattern: [UInt32], _ text: [UInt32], at position: Int) -> Bool {
    pattern.count <= text.count - position && text[position..<(position + pattern.count)].elementsEqual(pattern)
  }

  private func touchesWord(_ text: [UInt32], _ low: Int, _ high: Int) -> Bool {
    low > 0 && Self.isWord(text[low - 1]) || high < text.count && Self.isWord(text[high])
  }

  /// `\w` of Rust's regular expressions.
  private static func isWord(_ scalar: UInt32) -> Bool {
    guard let properties = Unicode.Scalar(scalar)?.properties else { return false }
    switch properties.generalCategory {
    case .decimalNumber, .connectorPunctuation, .nonspacingMark, .spacingMark, .enclosingMark: return true
    default: return properties.isAlphabetic || properties.isJoinControl
    }
  }
}
