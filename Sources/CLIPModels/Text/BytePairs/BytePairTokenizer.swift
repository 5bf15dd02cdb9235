public import Checkpoints

/// CLIP's byte-pair encoding, with the cleaning, the special tokens and the padding of a dialect.
///
/// `formats/tokenizer.md` has the recipe of each dialect.
public struct BytePairTokenizer: TextTokenizer {
  /// Whose recipe it follows.
  public let dialect: TokenizerDialect
  /// The length of every sequence.
  public let contextLength: Int
  /// The id that begins a sequence.
  public let startID: Int32
  /// The id that ends a text.
  public let endID: Int32
  /// The id that fills the rest.
  public let paddingID: Int32

  private let cleaning: TextCleaning
  private let splitter: PieceSplitter
  private let merges: BytePairMerges
  private let tokens: [String]
  /// What Hugging Face takes out of text before it cleans what is between them, and after.
  private let added: AddedTokens
  private let normalizedAdded: AddedTokens

  /// CLIP's own vocabulary of 49,408 tokens.
  public static func standard(_ dialect: TokenizerDialect, contextLength: Int = 77) throws(FileError)
    -> BytePairTokenizer
  {
    try BytePairTokenizer(.standard, dialect: dialect, contextLength: contextLength)
  }

  /// - Parameter paddingID: what a config says; the dialect's own when nil.
  /// - Throws: `malformed` when the vocabulary lacks tokens that its merges or the bytes of text need.
  init(
    _ vocabulary: BytePairVocabulary, dialect: TokenizerDialect, contextLength: Int, textCase: TextCase = .lower,
    paddingID: Int32? = nil
  ) throws(FileError) {
    guard contextLength >= 2 else {
      throw FileError(.unsupported, "context of \(contextLength) tokens has no room for start and end of text")
    }
    let table = TokenTable(vocabulary.tokens)
    merges = try BytePairMerges(vocabulary, table)
    tokens = vocabulary.tokens
    let last = Int32(truncatingIfNeeded: tokens.count - 1)
    startID = table.id(of: "<|startoftext|>") ?? table.id(of: "<start_of_text>") ?? last - 1
    endID = table.id(of: "<|endoftext|>") ?? table.id(of: "<end_of_text>") ?? last
    self.dialect = dialect
    self.contextLength = contextLength
    let ownPadding = vocabulary.special.padding.flatMap { table.id(of: $0) } ?? endID
    self.paddingID = paddingID ?? (dialect == .huggingFace ? ownPadding : 0)
    cleaning = TextCleaning(dialect: dialect, textCase: textCase)
    let patterns = dialect == .huggingFace ? try Self.patterns(vocabulary, table, [startID, endID], cleaning) : []
    added = AddedTokens(patterns.filter { !$0.0.isNormalized }, isSpace: NormalizerStep.isSpace)
    normalizedAdded = AddedTokens(patterns.filter { $0.0.isNormalized }, isSpace: NormalizerStep.isSpace)
    splitter = PieceSplitter(dialect: dialect)
  }

  /// The ids of a text: start, as much of the text as fits, end, padding.
  public func encode(_ text: String) throws(FileError) -> TokenSequence {
    var ids: [Int32] = []
    ids.reserveCapacity(contextLength)
    try forEachPiece(of: text, observer: nil) { piece in
      ids += piece.ids
      return ids.count <= contextLength
    }
    return sequence(ids)
  }

  /// How the text becomes ids.
  public func explain(_ text: String) throws(FileError) -> TokenizerExplanation {
    var steps: [TokenizerExplanation.Step] = []
    var pieces: [TokenizerExplanation.Piece] = []
    try forEachPiece(of: text) { name, before, after in
      steps.append(TokenizerExplanation.Step(name: name, before: string(before), after: string(after)))
    } body: { piece in
      let tokens = piece.ids.map { self.tokens[Int($0)] }
      pieces.append(TokenizerExplanation.Piece(text: string(piece.text), ids: piece.ids, tokens: tokens))
      return true
    }
    return TokenizerExplanation(steps: steps, pieces: pieces, sequence: sequence(pieces.flatMap(\.ids)))
  }

  private struct Piece {
    let text: ArraySlice<UInt32>
    let ids: [Int32]
  }

  /// Calls `body` with the pieces of the text, until it returns false.
  private func forEachPiece(
    of text: String, observer: CleaningObserver?, body: (Piece) -> Bool
  ) throws(FileError) {
    guard text.utf8.count <= Limits.text else {
      throw FileError(.unsupported, "text of \(text.utf8.count) bytes, allowed \(Limits.text)")
    }
    for section in added.split(text.unicodeScalars.map(\.value)) {
      switch section {
      case .token(let id, let text): guard body(Piece(text: text[...], ids: [id])) else { return }
      case .text(let text):
        let cleaned = try cleaning.clean(text, observer: observer)
        for section in normalizedAdded.split(cleaned) {
          guard pieces(of: section, body) else { return }
        }
      }
    }
  }

  /// Calls `body` with the pieces of cleaned text; false as soon as it returns that.
  private func pieces(of section: AddedTokens.Section, _ body: (Piece) -> Bool) -> Bool {
    switch section {
    case .token(let id, let text): return body(Piece(text: text[...], ids: [id]))
    case .text(let text):
      var goesOn = true
      splitter.split(text) { piece in
        goesOn = body(encode(piece, of: text))
        return goesOn
      }
      return goesOn
    }
  }

  private func encode(_ piece: PieceSplitter.Piece, of text: [UInt32]) -> Piece {
    var ids: [Int32] = []
    switch piece {
    case .special(let range, let special):
      ids = [special == .start ? startID : endID]
      return Piece(text: text[range], ids: ids)
    case .word(let range):
      var bytes: [UInt8] = []
      bytes.reserveCapacity(4 * range.count)
      for scalar in text[range] { appendUTF8(scalar, to: &bytes) }
      merges.encode(bytes, into: &ids)
      return Piece(text: text[range], ids: ids)
    }
  }

  /// The added tokens with what is looked for, and their ids: start, end, and what files say.
  private static func patterns(
    _ vocabulary: BytePairVocabulary, _ table: TokenTable, _ ends: [Int32], _ cleaning: TextCleaning
  ) throws(FileError) -> [(AddedToken, pattern: [UInt32], id: Int32)] {
    var tokens = ends.map { (AddedToken(content: vocabulary.tokens[Int($0)]), $0) }
    for token in vocabulary.special.tokens.map(\.token) {
      guard let id = table.id(of: token.content) else { continue }
      tokens.removeAll { $0.1 == id }
      tokens.append((token, id))
    }
    var patterns: [(AddedToken, pattern: [UInt32], id: Int32)] = []
    for (token, id) in tokens {
      let spelling = token.content.unicodeScalars.map(\.value)
      patterns.append((token, token.isNormalized ? try cleaning.clean(spelling) : spelling, id))
    }
    return patterns
  }

  private func sequence(_ text: [Int32]) -> TokenSequence {
    let isTruncated = text.count > contextLength - 2
    var ids = [startID] + text.prefix(contextLength - 2) + [endID]
    let count = ids.count
    ids += [Int32](repeating: paddingID, count: contextLength - count)
    return TokenSequence(ids: ids, count: count, isTruncated: isTruncated)
  }
}

private func string(_ scalars: some Sequence<UInt32>) -> String {
  var text = String.UnicodeScalarView()
  text.append(contentsOf: scalars.lazy.compactMap(Unicode.Scalar.init))
  return String(text)
}

private func appendUTF8(_ scalar: UInt32, to bytes: inout [UInt8]) {
  if scalar < 0x80 {
    bytes.append(UInt8(scalar))
  } else if let scalar = Unicode.Scalar(scalar) {
    bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
  }
}
