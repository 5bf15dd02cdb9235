import Checkpoints

/// A step of normalisation in `tokenizer.json`.
enum NormalizerStep: Sendable, Equatable {
  case lowercase
  case nfc
  case precompiled(CharacterMap)
  case replace([UInt32], with: [UInt32])
  /// Two or more spaces become one text.
  case collapseSpaces([UInt32])
  case strip(left: Bool, right: Bool)
  case prepend([UInt32])

  func apply(_ text: [UInt32]) -> [UInt32] {
    switch self {
    case .lowercase: return TextCleaning.huggingFaceLower(text)
    case .nfc: return NormalizationFormC.huggingFace.normalize(text)
    case .precompiled(let map): return Self.replace(text, by: map)
    case .replace(let pattern, let replacement): return Self.replace(text, pattern, with: replacement)
    case .collapseSpaces(let replacement): return Self.collapseSpaces(text, to: replacement)
    case .strip(let left, let right):
      let start = left ? text.firstIndex { !Self.isSpace($0) } ?? text.count : 0
      let end = right ? (text.lastIndex { !Self.isSpace($0) } ?? -1) + 1 : text.count
      return start < end ? Array(text[start..<end]) : []
    case .prepend(let prefix): return text.isEmpty ? [] : prefix + text
    }
  }

  /// Rust's `char::is_whitespace`.
  static func isSpace(_ scalar: UInt32) -> Bool { UnicodeTable.standard[scalar].huggingFacePieceClass == .none }

  private static func replace(_ text: [UInt32], _ pattern: [UInt32], with replacement: [UInt32]) -> [UInt32] {
    guard let first = pattern.first else { return text }
    var result: [UInt32] = []
    result.reserveCapacity(text.count)
    var position = 0
    while position < text.count {
      if text[position] == first, text[position...].starts(with: pattern) {
        result += replacement
        position += pattern.count
      } else {
        result.append(text[position])
        position += 1
      }
    }
    return result
  }

  private static func collapseSpaces(_ text: [UInt32], to replacement: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(text.count)
    var position = 0
    while position < text.count {
      let end = text[position...].firstIndex { $0 != 0x20 } ?? text.count
      if end - position >= 2 {
        result += replacement
        position = end
      } else {
        result.append(text[position])
        position += 1
      }
    }
    return result
  }

  /// The library goes by what readers take for one character: a short one is replaced as a whole by the first text of
  /// the map that it begins with; else each scalar by itself.
  private static func replace(_ text: [UInt32], by map: CharacterMap) -> [UInt32] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for character in String(decoding: utf8(text), as: UTF8.self) {
      let bytes = Array(character.utf8)
      if bytes.count < 6, let replacement = map.replacement(bytes, start: 0, end: bytes.count) {
        result += replacement
        continue
      }
      var start = 0
      while start < bytes.count {
        let end = min(start + UTF8.length(leading: bytes[start]), bytes.count)
        result += map.replacement(bytes, start: start, end: end) ?? bytes[start..<end]
        start = end
      }
    }
    return scalars(result)
  }
}

/// A step of `tokenizer.json` that cuts text before the model sees it.
enum SplitStep: Sendable, Equatable {
  case whitespace
  /// Spaces become `mark`, which is put in front too where `prepends`; each mark begins a piece where `splits`.
  case metaspace(mark: UInt32, prepends: Bool, splits: Bool)
  /// Each occurrence of a scalar ends a piece.
  case after(UInt32)

  /// The pieces of a piece that is not empty.
  func apply(_ text: [UInt32]) -> [[UInt32]] {
    switch self {
    case .whitespace: return text.split(whereSeparator: NormalizerStep.isSpace).map(Array.init)
    case .metaspace(let mark, let prepends, let splits):
      var marked = text.map { $0 == 0x20 ? mark : $0 }
      if prepends, marked.first != mark { marked.insert(mark, at: 0) }
      return splits ? Self.cut(marked) { index in marked[index] == mark } : [marked]
    case .after(let separator): return Self.cut(text) { index in index > 0 && text[index - 1] == separator }
    }
  }

  private static func cut(_ text: [UInt32], where begins: (Int) -> Bool) -> [[UInt32]] {
    var pieces: [[UInt32]] = []
    var start = 0
    for index in text.indices.dropFirst() where begins(index) {
      pieces.append(Array(text[start..<index]))
      start = index
    }
    pieces.append(Array(text[start...]))
    return pieces
  }
}
