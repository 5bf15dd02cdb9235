public import Checkpoints

/// Makes ids from text as a model expects them.
public struct Tokenizer: Sendable {
  /// Whose recipe it follows.
  public let dialect: TokenizerDialect
  private let tokenizer: any TextTokenizer

  /// The tokenizer of a model: its vocabulary in the file or beside it, or CLIP's own where the size says so.
  ///
  /// - Parameter dialect: whose cleaning and padding; the model's own when nil.
  /// - Throws: `missing` when there is no vocabulary or it has no merges, `mismatch` when it is larger than the model's,
  ///   `malformed` when it contradicts itself, `unsupported` when nothing says whose recipe to follow.
  public init(_ model: CLIPModel, dialect: TokenizerDialect? = nil) throws(FileError) {
    let own = model.config.text(.textTokenizer).flatMap(TokenizerDialect.init(rawValue:))
    if own == .sentencePiece {
      tokenizer = try Self.sentencePiece(model, dialect: dialect)
      self.dialect = .sentencePiece
    } else {
      let bytePairs = try Self.bytePairs(model, own: own, dialect: dialect)
      tokenizer = bytePairs
      self.dialect = bytePairs.dialect
    }
  }

  /// CLIP's own vocabulary of 49,408 tokens, without a model.
  public init(standard dialect: TokenizerDialect, contextLength: Int = 77) throws(FileError) {
    guard dialect != .sentencePiece else {
      throw FileError(.usage, "the standard vocabulary is one of byte pairs, not of SentencePiece")
    }
    tokenizer = try BytePairTokenizer.standard(dialect, contextLength: contextLength)
    self.dialect = dialect
  }

  /// The vocabulary of a directory; nil when there is none.
  package init?(vocabularyIn directory: String, dialect: TokenizerDialect, contextLength: Int) throws(FileError) {
    self.dialect = dialect
    guard dialect != .sentencePiece else {
      let isOpenCLIP = FileIdentity(path: "\(directory)/open_clip_config.json") != nil
      guard let files = try SentencePieceFiles(directory: directory, isOpenCLIP: isOpenCLIP) else { return nil }
      tokenizer = try SentencePieceTokenizer(files, contextLength: contextLength, vocabularySize: Limits.pieces)
      return
    }
    guard let vocabulary = try BytePairVocabulary(directory: directory) else { return nil }
    tokenizer = try BytePairTokenizer(vocabulary, dialect: dialect, contextLength: contextLength)
  }

  /// The ids of a text, as many as the model's context is long.
  /// - Throws: `unsupported` for a text that is too long to be cleaned, or escaped too often.
  public func encode(_ text: String) throws(FileError) -> TokenSequence { try tokenizer.encode(text) }

  /// How the text becomes ids.
  public func explain(_ text: String) throws(FileError) -> TokenizerExplanation { try tokenizer.explain(text) }

  private static func sentencePiece(
    _ model: CLIPModel, dialect: TokenizerDialect?
  ) throws(FileError) -> SentencePieceTokenizer {
    let file = model.checkpoint.files.first?.path
    guard dialect == nil || dialect == .sentencePiece else {
      throw FileError(.usage, "the model has a SentencePiece vocabulary, which has one recipe: its files'", file: file)
    }
    guard let files = try model.sentencePieceFiles() else {
      throw FileError(
        .missing, "no SentencePiece vocabulary in the file or beside it", file: file,
        hint: "Put tokenizer_config.json and spiece.model or tokenizer.json beside the model")
    }
    do throws(FileError) {
      return try SentencePieceTokenizer(
        files, contextLength: model.config.integer(.textContextLength) ?? 64,
        vocabularySize: model.config.integer(.textVocabSize) ?? 0)
    } catch {
      throw error.located(file: file)
    }
  }

  private static func bytePairs(
    _ model: CLIPModel, own: TokenizerDialect?, dialect: TokenizerDialect?
  ) throws(FileError) -> BytePairTokenizer {
    let config = model.config
    let file = model.checkpoint.files.first?.path
    guard config.hasText else { throw FileError(.missing, "no text encoder, so no tokenizer", file: file) }
    guard let dialect = dialect ?? own else {
      throw FileError(
        .unsupported, "nothing says which tokenizer the model was trained with", file: file,
        hint: "Use --assume \(Conventions.allCases.map(\.rawValue).joined(separator: "|")), or --config FILE")
    }
    guard dialect != .sentencePiece else {
      throw FileError(.usage, "the model's vocabulary is one of byte pairs, not of SentencePiece", file: file)
    }
    let size = config.integer(.textVocabSize) ?? 0
    guard var vocabulary = try model.vocabulary() else {
      throw FileError(
        .missing, "no vocabulary for the model's \(size) tokens in the file or beside it", file: file,
        hint: "Put vocab.json and merges.txt, or tokenizer.json, beside the model")
    }
    guard vocabulary.tokens.count <= size else {
      throw FileError(
        .mismatch, "vocabulary of \(vocabulary.tokens.count) tokens, the model embeds \(size)", file: file)
    }
    if vocabulary.merges.isEmpty {
      // clip.cpp's files hold the tokens only, and theirs are CLIP's own.
      guard vocabulary.tokens == BytePairVocabulary.standard.tokens else {
        throw FileError(
          .missing, "the vocabulary of \(vocabulary.tokens.count) tokens has no merges", file: file,
          hint: "Convert the model again with vocab.json and merges.txt beside it")
      }
      vocabulary = .standard
    }
    let cleaning = config.text(.textCleaning) ?? TextCase.lower.rawValue
    guard let textCase = TextCase(rawValue: cleaning) else {
      throw FileError(
        .unsupported, "\(ConfigField.textCleaning.rawValue) '\(escaped(cleaning))' is not known", file: file,
        hint: "Known are \(TextCase.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    // A padding that the config states for another dialect is not this one's.
    let padding = dialect == own ? config.integer(.textPaddingID) : nil
    do throws(FileError) {
      return try BytePairTokenizer(
        vocabulary, dialect: dialect, contextLength: config.integer(.textContextLength) ?? 77,
        textCase: dialect == .openCLIP ? textCase : .lower, paddingID: padding.flatMap(Int32.init(exactly:)))
    } catch {
      throw error.located(file: file)
    }
  }
}
