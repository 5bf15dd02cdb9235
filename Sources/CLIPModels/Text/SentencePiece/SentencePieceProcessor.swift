import Checkpoints

/// What the sentencepiece library makes of a text: normalised, cut into pieces, unknown characters joined or spelled as
/// bytes.
struct SentencePieceProcessor: Sendable {
  let model: SentencePieceModel
  let trie: PieceTrie
  private let unigram: UnigramModel<Float>?
  /// The places of the scores from the largest on, equal ones in one place.
  private let ranks: [UInt32]
  private let byteIDs: [Int32]?
  private let unknownID: Int32
  private let hasUserDefined: Bool

  /// U+2581, which stands for a space.
  static let space: [UInt8] = [0xE2, 0x96, 0x81]

  /// - Throws: `malformed` for what sentencepiece refuses.
  init(_ model: SentencePieceModel) throws(FileError) {
    self.model = model
    trie = try PieceTrie(model.pieces)
    try model.check(trie)
    byteIDs = model.byteIDs()
    unknownID = model.unknownID
    hasUserDefined = model.kinds.contains(.userDefined)
    guard model.algorithm == .unigram else {
      unigram = nil
      ranks = Self.ranks(model.scores)
      return
    }
    ranks = []
    let userDefined = model.kinds.indices.filter { model.kinds[$0] == .userDefined }.map { Int32($0) }
    unigram = UnigramModel(
      trie: trie,
      scores: zip(model.kinds, model.scores).map { $0 == .normal || $0 == .userDefined ? $1 : nil },
      normal: zip(model.kinds, model.scores).lazy.filter { $0.0 == .normal }.map(\.1),
      userDefined: Set(userDefined), unknownID: unknownID)
  }

  private static func ranks(_ scores: [Float]) -> [UInt32] {
    var ranks = [UInt32](repeating: 0, count: scores.count)
    var last: (score: Float, rank: UInt32) = (.infinity, 0)
    for id in scores.indices.sorted(by: { scores[$0] > scores[$1] }) {
      if scores[id] != last.score { last = (scores[id], last.rank + 1) }
      ranks[id] = last.rank
    }
    return ranks
  }

  /// The pieces of a text, which is UTF-8.
  func encode(_ text: [UInt8]) -> [TextToken] {
    let normalized = normalize(text)
    var tokens: [TextToken] = []
    var isAfterUnknown = false
    let add = { (range: Range<Int>, id: Int32) in
      let piece = Array(normalized[range])
      if id == unknownID, let byteIDs {
        for byte in piece { tokens.append(TextToken(id: byteIDs[Int(byte)], text: [byte])) }
      } else if id == unknownID, isAfterUnknown {
        tokens[tokens.count - 1].text += piece
      } else {
        tokens.append(TextToken(id: id, text: piece))
      }
      isAfterUnknown = id == unknownID
    }
    if let unigram {
      unigram.segment(normalized, add)
    } else {
      segmentPairs(normalized, add)
    }
    return tokens
  }

  /// The id of a piece, that of the unknown one where there is none.
  func id(of piece: some Sequence<UInt8>) -> Int32 { trie.id(of: piece) ?? unknownID }

  /// The length of the longest user-defined piece that begins at `start`, whose text nothing changes.
  private func userDefinedLength(_ text: [UInt8], at start: Int) -> Int? {
    guard hasUserDefined else { return nil }
    var node: PieceTrie.Node = 0
    var length: Int?
    for index in start..<text.count {
      guard let child = trie.child(of: node, text[index]) else { break }
      node = child
      if let id = trie.id(at: node), model.kinds[Int(id)] == .userDefined { length = index + 1 - start }
    }
    return length
  }
}

extension SentencePieceProcessor {
  /// The text that is cut into pieces.
  func normalize(_ text: [UInt8]) -> [UInt8] {
    var start = 0
    let removes = model.removesExtraWhitespace
    while removes, start < text.count {
      let (part, length) = normalizedPrefix(text, at: start)
      guard part.elementsEqual([0x20]) else { break }
      start += length
    }
    guard start < text.count else { return [] }
    let space = model.escapesWhitespace ? Self.space : [0x20]
    var result: [UInt8] = []
    result.reserveCapacity(text.count + text.count / 4 + 8)
    if model.addsDummyPrefix, !model.treatsWhitespaceAsSuffix { result += space }
    var isAfterSpace = removes
    while start < text.count {
      var (part, length) = normalizedPrefix(text, at: start)
      if isAfterSpace { part = part.drop { $0 == 0x20 } }
      for byte in part {
        if byte == 0x20 { result += space } else { result.append(byte) }
      }
      if let last = part.last { isAfterSpace = removes && last == 0x20 }
      start += length
    }
    while removes, result.count >= space.count, result.suffix(space.count).elementsEqual(space) {
      result.removeLast(space.count)
    }
    if model.addsDummyPrefix, model.treatsWhitespaceAsSuffix { result += space }
    return result
  }

  /// What the text from `start` on begins with, normalised, and how many bytes of it that was.
  private func normalizedPrefix(_ text: [UInt8], at start: Int) -> (ArraySlice<UInt8>, Int) {
    if let length = userDefinedLength(text, at: start) { return (text[start..<(start + length)], length) }
    if let match = model.characterMap?.longestMatch(text, at: start) { return (match.replacement, match.length) }
    let end = min(start + UTF8.length(leading: text[start]), text.count)
    return (text[start..<end], end - start)
  }
}

extension SentencePieceProcessor {
  private func segmentPairs(_ text: [UInt8], _ body: (Range<Int>, Int32) -> Void) {
    var symbols: [MergeSymbol] = []
    var start = 0
    while start < text.count {
      let userDefined = userDefinedLength(text, at: start)
      let end = min(start + (userDefined ?? UTF8.length(leading: text[start])), text.count)
      let state = userDefined == nil ? trie.node(text[start..<end]) : PieceMerges.frozen
      symbols.append(MergeSymbol(range: start..<end, state: state))
      start = end
    }
    let rules = PieceMerges(model: model, trie: trie, ranks: ranks, text: text)
    for symbol in rules.merged(symbols) { rules.split(symbol.range, body, unknown: unknownID) }
  }
}

/// sentencepiece's byte pairs: neighbours merge when their text is a piece, the one of the largest score first.
private struct PieceMerges: MergeRules {
  let model: SentencePieceModel
  let trie: PieceTrie
  let ranks: [UInt32]
  let text: [UInt8]
  private let halves = Halves()

  /// How pieces that are not used came about: the length of the left half, by the text.
  private final class Halves { var lengths: [ArraySlice<UInt8>: Int] = [:] }

  init(model: SentencePieceModel, trie: PieceTrie, ranks: [UInt32], text: [UInt8]) {
    self.model = model
    self.trie = trie
    self.ranks = ranks
    self.text = text
  }

  /// The state of a user-defined piece, which never merges.
  static let frozen = UInt32.max

  func merge(_ left: MergeSymbol, _ right: MergeSymbol) -> (rank: UInt32, state: UInt32)? {
    guard let state = left.state, state != Self.frozen, right.state != Self.frozen,
      let node = trie.node(text[right.range], from: state), let id = trie.id(at: node),
      model.kinds[Int(id)].isInText
    else { return nil }
    if model.kinds[Int(id)] == .unused {
      halves.lengths[text[left.range.lowerBound..<right.range.upperBound]] = left.range.count
    }
    return (ranks[Int(id)], node)
  }

  /// Calls `body` with a merged text, or with the halves of one that is not used.
  func split(_ range: Range<Int>, _ body: (Range<Int>, Int32) -> Void, unknown: Int32) {
    let id = trie.id(of: text[range]) ?? unknown
    guard model.kinds[Int(id)] == .unused, let length = halves.lengths[text[range]] else { return body(range, id) }
    split(range.lowerBound..<(range.lowerBound + length), body, unknown: unknown)
    split((range.lowerBound + length)..<range.upperBound, body, unknown: unknown)
  }
}
