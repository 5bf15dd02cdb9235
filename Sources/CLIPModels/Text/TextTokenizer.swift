import Checkpoints

/// Makes ids from text: byte pairs or SentencePiece.
protocol TextTokenizer: Sendable {
  /// The ids of a text.
  /// - Throws: `unsupported` for text that is longer than `Limits.text`, or that cleaning does not come to an end with.
  func encode(_ text: String) throws(FileError) -> TokenSequence

  /// The same, step by step.
  func explain(_ text: String) throws(FileError) -> TokenizerExplanation
}

/// How a text became ids.
public struct TokenizerExplanation: Sendable, Equatable {
  /// A step of cleaning that changed the text.
  public struct Step: Sendable, Equatable {
    /// The library's function, or what it does.
    public let name: String
    /// The text, or the line of it, that it was given.
    public let before: String
    /// What it made of it.
    public let after: String
  }

  /// A piece of the cleaned text and its tokens.
  public struct Piece: Sendable, Equatable {
    /// The piece, cleaned.
    public let text: String
    /// The ids of its tokens.
    public let ids: [Int32]
    /// The tokens as the vocabulary has them.
    public let tokens: [String]
  }

  /// The steps that changed something.
  public let steps: [Step]
  /// All pieces, also those that were cut off.
  public let pieces: [Piece]
  /// What comes out.
  public let sequence: TokenSequence

  /// The tokens that the text has, without start and end.
  public var tokenCount: Int { pieces.reduce(0) { $0 + $1.ids.count } }
}
