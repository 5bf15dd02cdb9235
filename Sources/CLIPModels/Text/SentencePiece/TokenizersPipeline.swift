import Checkpoints

/// What the tokenizers library does: added tokens, normalisation, pieces, and a model for each piece.
struct TokenizersPipeline: TextPipeline {
  private let normalizer: [NormalizerStep]
  private let splitter: [SplitStep]
  private let model: any PieceModel
  /// Tokens that are looked for in the text as it is, and in the normalised one.
  private let added: AddedTokens
  private let normalizedAdded: AddedTokens

  init(
    normalizer: [NormalizerStep], splitter: [SplitStep], model: any PieceModel, added: [(token: AddedToken, id: Int32)]
  ) {
    self.normalizer = normalizer
    self.splitter = splitter
    self.model = model
    let patterns = added.map { token, id in
      let content = token.content.unicodeScalars.map(\.value)
      return (token, pattern: token.isNormalized ? Self.normalize(content, normalizer) : content, id: id)
    }
    self.added = AddedTokens(patterns.filter { !$0.0.isNormalized }, isSpace: NormalizerStep.isSpace)
    normalizedAdded = AddedTokens(patterns.filter { $0.0.isNormalized }, isSpace: NormalizerStep.isSpace)
  }

  private static func normalize(_ text: [UInt32], _ steps: [NormalizerStep]) -> [UInt32] {
    steps.reduce(text) { $1.apply($0) }
  }

  func tokens(_ text: [UInt32], observer: CleaningObserver?) -> [TextToken] {
    var tokens: [TextToken] = []
    for section in added.split(text) {
      switch section {
      case .token(let id, let text): tokens.append(TextToken(id: id, text: utf8(text)))
      case .text(let text):
        let normalized = Self.normalize(text, normalizer)
        if let observer, normalized != text { observer("normalizer", text, normalized) }
        for section in normalizedAdded.split(normalized) {
          switch section {
          case .token(let id, let text): tokens.append(TextToken(id: id, text: utf8(text)))
          case .text(let text): encode(text, into: &tokens)
          }
        }
      }
    }
    return tokens
  }

  private func encode(_ text: [UInt32], into tokens: inout [TextToken]) {
    guard !text.isEmpty else { return }
    let pieces = splitter.reduce([text]) { pieces, step in pieces.flatMap { step.apply($0) } }
    for piece in pieces { model.encode(utf8(piece), into: &tokens) }
  }
}

/// A model of the tokenizers library.
protocol PieceModel: Sendable {
  /// Appends the tokens of a piece.
  func encode(_ piece: [UInt8], into tokens: inout [TextToken])
}

/// The library's unigram model. Unknown characters in a row are one token, or the tokens of their bytes.
struct TokenizersUnigram: PieceModel {
  private let model: UnigramModel<Double>
  private let byteIDs: [Int32]?

  init(_ pieces: [String], scores: [Double], unknownID: Int32, hasByteFallback: Bool) throws(FileError) {
    let trie = try PieceTrie(pieces)
    model = UnigramModel(trie: trie, scores: scores, normal: scores, unknownID: unknownID)
    byteIDs = hasByteFallback ? trie.byteIDs() : nil
  }

  func encode(_ piece: [UInt8], into tokens: inout [TextToken]) {
    var unknown: Range<Int>?
    let flush = { (tokens: inout [TextToken]) in
      guard let range = unknown else { return }
      unknown = nil
      append(Array(piece[range]), to: &tokens)
    }
    model.segment(piece) { range, id in
      if id == model.unknownID {
        unknown = (unknown?.lowerBound ?? range.lowerBound)..<range.upperBound
      } else {
        flush(&tokens)
        tokens.append(TextToken(id: id, text: Array(piece[range])))
      }
    }
    flush(&tokens)
  }

  /// Joined unknown characters may be a piece after all.
  private func append(_ unknown: [UInt8], to tokens: inout [TextToken]) {
    if let id = model.trie.id(of: unknown) {
      tokens.append(TextToken(id: id, text: unknown))
    } else if let byteIDs {
      tokens += unknown.map { TextToken(id: byteIDs[Int($0)], text: [$0]) }
    } else {
      tokens.append(TextToken(id: model.unknownID, text: unknown))
    }
  }
}

extension PieceTrie {
  /// The ids of the pieces `<0x00>` to `<0xFF>`, nil unless all are there.
  func byteIDs() -> [Int32]? {
    let ids = (0..<256).compactMap { byte in
      id(of: "<0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))>".utf8)
    }
    return ids.count == 256 ? ids : nil
  }
}

/// The library's byte pairs of a SentencePiece vocabulary: characters, or their bytes, and merges that are listed.
struct TokenizersBytePairs: PieceModel, MergeRules {
  private let trie: PieceTrie
  private let merges: PairTable
  private let byteIDs: [Int32]?
  private let unknownID: Int32?
  private let joinsUnknown: Bool
  private let ignoresMerges: Bool

  /// - Throws: `malformed` for a merge whose parts or result are no tokens.
  init(_ json: TokenizerJSON.BytePairs) throws(FileError) {
    trie = try PieceTrie(json.tokens)
    byteIDs = json.hasByteFallback ? trie.byteIDs() : nil
    unknownID = json.unknownToken.flatMap { [trie] in trie.id(of: $0.utf8) }
    joinsUnknown = json.joinsUnknown
    ignoresMerges = json.ignoresMerges
    var table = PairTable(capacity: json.merges.count)
    for (rank, merge) in json.merges.enumerated() {
      guard let left = trie.node(merge.left.utf8), let leftID = trie.id(at: left),
        let rightID = trie.id(of: merge.right.utf8),
        let id = trie.node(merge.right.utf8, from: left).flatMap({ [trie] in trie.id(at: $0) })
      else {
        throw FileError(
          .malformed,
          "merge \(rank), '\(escaped(merge.left))' and '\(escaped(merge.right))', is not two tokens that make a third")
      }
      table.insert(leftID, rightID, PairTable.Merge(rank: Int32(truncatingIfNeeded: rank), id: id))
    }
    merges = table
  }

  func merge(_ left: MergeSymbol, _ right: MergeSymbol) -> (rank: UInt32, state: UInt32)? {
    guard let left = left.state, let right = right.state else { return nil }
    let merge = merges[Int32(bitPattern: left), Int32(bitPattern: right)]
    return merge.id < 0 ? nil : (UInt32(bitPattern: merge.rank), UInt32(bitPattern: merge.id))
  }

  func encode(_ piece: [UInt8], into tokens: inout [TextToken]) {
    if ignoresMerges, let id = trie.id(of: piece) {
      tokens.append(TextToken(id: id, text: piece))
      return
    }
    for symbol in merged(symbols(of: piece)) {
      if let id = symbol.state { tokens.append(TextToken(id: Int32(bitPattern: id), text: Array(piece[symbol.range]))) }
    }
  }

  private func symbols(of piece: [UInt8]) -> [MergeSymbol] {
    var symbols: [MergeSymbol] = []
    var isAfterUnknown = false
    var start = 0
    while start < piece.count {
      let range = start..<min(start + UTF8.length(leading: piece[start]), piece.count)
      start = range.upperBound
      if let id = trie.id(of: piece[range]) {
        symbols.append(MergeSymbol(range: range, state: UInt32(bitPattern: id)))
      } else if let byteIDs {
        symbols += range.map {
          MergeSymbol(range: $0..<($0 + 1), state: UInt32(bitPattern: byteIDs[Int(piece[$0])]))
        }
      } else if let unknownID {
        if isAfterUnknown, joinsUnknown, let last = symbols.indices.last {
          symbols[last].range = symbols[last].range.lowerBound..<range.upperBound
        } else {
          symbols.append(MergeSymbol(range: range, state: UInt32(bitPattern: unknownID)))
        }
        isAfterUnknown = true
        continue
      }
      isAfterUnknown = false
    }
    return symbols
  }
}
