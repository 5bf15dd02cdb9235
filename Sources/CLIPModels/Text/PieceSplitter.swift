/// Cuts cleaned text into the pieces that byte pairs are merged within: contractions, runs of letters, single numbers,
/// runs of what is neither, and special tokens; white space is dropped.
struct PieceSplitter: Sendable {
  /// A piece: scalars, or a special token that text spelled out.
  enum Piece: Equatable {
    case word(Range<Int>)
    case special(Range<Int>, Special)
  }

  enum Special: Equatable { case start, end }

  let dialect: TokenizerDialect

  /// Calls `body` with each piece, until it returns false.
  func split(_ text: [UInt32], _ body: (Piece) -> Bool) {
    var position = 0
    var limit = text.count
    while position < text.count {
      if position == limit { limit = text.count }
      var piece: Piece?
      var end: Int?
      if text[position] == 0x27 {
        end = contraction(text, at: position)
      } else if text[position] == 0x3C, let special = special(text, at: position) {
        if dialect == .huggingFace {
          // Hugging Face looks for special tokens before it lowers case. What only then is spelled like one is cut
          // like one, and cut again by GPT-2's pattern: "<|", the word, and "|>" without what follows.
          limit = position + special.length
        } else {
          end = position + special.length
          piece = special.token.map { .special(position..<(position + special.length), $0) }
        }
      }
      let first = pieceClass(text[position])
      let last = end ?? self.end(of: first, text, from: position, limit: limit)
      if first != .none, !body(piece ?? .word(position..<last)) { return }
      position = last
    }
  }

  /// Where the run of a class ends that begins at `position`; numbers stand alone.
  private func end(of first: ScalarProperties.PieceClass, _ text: [UInt32], from position: Int, limit: Int) -> Int {
    var end = position + 1
    if first == .letter || first == .other {
      while end < limit, pieceClass(text[end]) == first { end += 1 }
    }
    return end
  }

  private func pieceClass(_ scalar: UInt32) -> ScalarProperties.PieceClass {
    let properties = UnicodeTable.standard[scalar]
    return dialect == .huggingFace ? properties.huggingFacePieceClass : properties.pieceClass
  }

  private static let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map { $0.unicodeScalars.map(\.value) }

  private func contraction(_ text: [UInt32], at position: Int) -> Int? {
    Self.contractions.first { matches($0, text, at: position) }.map { position + $0.count }
  }

  private static let openAISpecials = ["<|startoftext|>", "<|endoftext|>"].map { $0.unicodeScalars.map(\.value) }
  private static let openCLIPSpecials = ["<start_of_text>", "<end_of_text>"].map { $0.unicodeScalars.map(\.value) }

  /// What is spelled like a special token of OpenAI's or open_clip's; the token is nil where only the pattern takes it
  /// for one, to which ſ is an s.
  private func special(_ text: [UInt32], at position: Int) -> (token: Special?, length: Int)? {
    let specials = dialect == .openCLIP ? Self.openCLIPSpecials : Self.openAISpecials
    guard let index = specials.firstIndex(where: { matches($0, text, at: position) }) else { return nil }
    let length = specials[index].count
    let isExact = text[position..<(position + length)].elementsEqual(specials[index])
    return (isExact ? index == 0 ? .start : .end : nil, length)
  }

  private func matches(_ pattern: [UInt32], _ text: [UInt32], at position: Int) -> Bool {
    guard position + pattern.count <= text.count else { return false }
    for (index, scalar) in pattern.enumerated() {
      let found = text[position + index]
      if found != scalar, dialect == .huggingFace || found != 0x17F || scalar != 0x73 { return false }
    }
    return true
  }
}
