import Checkpoints

/// The tokenizer of a SigLIP model: a SentencePiece vocabulary, used as transformers does, after open_clip's cleaning
/// where open_clip has the model.
struct SentencePieceTokenizer: TextTokenizer {
  private let recipe: SentencePieceRecipe
  private let cleaning: TextCleaning?
  private let contextLength: Int
  private let vocabularySize: Int

  /// - Parameter vocabularySize: how many tokens the model embeds.
  /// - Throws: what the files do not say or do wrong; `mismatch` when the padding or the end is no token of the model.
  init(_ files: SentencePieceFiles, contextLength: Int, vocabularySize: Int) throws(FileError) {
    recipe = try SentencePieceRecipe(files)
    cleaning = files.textCase.map { TextCleaning(dialect: .openCLIP, textCase: $0) }
    self.contextLength = contextLength
    self.vocabularySize = vocabularySize
    guard contextLength > recipe.before.count + recipe.after.count else {
      throw FileError(.unsupported, "context of \(contextLength) tokens has no room for text")
    }
    for id in recipe.before + recipe.after + [recipe.paddingID] { try check(id) }
  }

  /// The ids of a text, its end, and padding.
  func encode(_ text: String) throws(FileError) -> TokenSequence { try sequence(tokens(text, observer: nil)) }

  /// How the text becomes ids.
  func explain(_ text: String) throws(FileError) -> TokenizerExplanation {
    var steps: [TokenizerExplanation.Step] = []
    let tokens = try tokens(text) { name, before, after in
      steps.append(TokenizerExplanation.Step(name: name, before: string(before), after: string(after)))
    }
    let pieces = tokens.map { token in
      TokenizerExplanation.Piece(
        text: String(decoding: token.text, as: UTF8.self), ids: [token.id], tokens: [recipe.tokens[Int(token.id)]])
    }
    return TokenizerExplanation(steps: steps, pieces: pieces, sequence: try sequence(tokens))
  }

  private func tokens(_ text: String, observer: CleaningObserver?) throws(FileError) -> [TextToken] {
    guard text.utf8.count <= Limits.text else {
      throw FileError(.unsupported, "text of \(text.utf8.count) bytes, allowed \(Limits.text)")
    }
    var scalars = text.unicodeScalars.map(\.value)
    if let cleaning { scalars = try cleaning.clean(scalars, observer: observer) }
    return recipe.pipeline.tokens(scalars, observer: observer)
  }

  private func sequence(_ tokens: [TextToken]) throws(FileError) -> TokenSequence {
    let room = contextLength - recipe.before.count - recipe.after.count
    let text = (recipe.truncatesLeft ? tokens.suffix(room) : tokens.prefix(room)).map(\.id)
    let hasEnd = recipe.endsOnce && text.last != nil && text.last == recipe.endID
    let ids = recipe.before + text + (hasEnd ? [] : recipe.after)
    for id in ids { try check(id) }
    let padding = [Int32](repeating: recipe.paddingID, count: contextLength - ids.count)
    return TokenSequence(
      ids: recipe.padsLeft ? padding + ids : ids + padding, count: ids.count,
      start: recipe.padsLeft ? padding.count : 0, isTruncated: tokens.count > room)
  }

  private func check(_ id: Int32) throws(FileError) {
    guard id >= 0, Int(id) < vocabularySize else {
      let token = recipe.tokens.indices.contains(Int(id)) ? recipe.tokens[Int(id)] : ""
      throw FileError(
        .mismatch, "token '\(escaped(token))' has the id \(id), the model embeds \(vocabularySize)")
    }
  }
}

private func string(_ scalars: [UInt32]) -> String { String(decoding: utf8(scalars), as: UTF8.self) }
