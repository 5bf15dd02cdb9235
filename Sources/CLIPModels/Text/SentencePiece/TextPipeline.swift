/// A token, and the normalised text that it stands for.
struct TextToken: Equatable {
  var id: Int32
  var text: [UInt8]
}

/// How a library makes tokens from a text, up to the start, the end and the padding.
protocol TextPipeline: Sendable {
  /// All tokens of a text that is cleaned.
  func tokens(_ text: [UInt32], observer: CleaningObserver?) -> [TextToken]
}

/// sentencepiece, and nothing around it.
struct PlainPipeline: TextPipeline {
  let processor: SentencePieceProcessor

  func tokens(_ text: [UInt32], observer: CleaningObserver?) -> [TextToken] {
    let bytes = utf8(text)
    observe(observer, "sentencepiece", bytes, processor.normalize(bytes))
    return processor.encode(bytes)
  }
}

/// transformers' `SiglipTokenizer`: text without case and punctuation, and sentencepiece behind a placeholder, so that
/// its spaces survive.
struct SiglipPipeline: TextPipeline {
  private let processor: SentencePieceProcessor
  private let added: AddedTokens
  private let lowersCase: Bool
  private let placeholder: [UInt8]
  private let placeholderCount: Int

  init(_ processor: SentencePieceProcessor, added: AddedTokens, unknownToken: String, lowersCase: Bool) {
    self.processor = processor
    self.added = added
    self.lowersCase = lowersCase
    placeholder = Array(unknownToken.utf8)
    placeholderCount = processor.encode(placeholder).count
  }

  func tokens(_ text: [UInt32], observer: CleaningObserver?) -> [TextToken] {
    let marked = [0x2581] + text.map { $0 == 0x2581 ? 0x20 : $0 }
    var tokens: [TextToken] = []
    var isSpecial: [Bool] = []
    for section in added.split(marked) {
      switch section {
      case .token(let id, let text):
        tokens.append(TextToken(id: id, text: utf8(text)))
        isSpecial.append(true)
      case .text(let text):
        tokens += pieces(text, observer: observer)
        isSpecial += [Bool](repeating: false, count: tokens.count - isSpecial.count)
      }
    }
    // The mark before an added token is none of the text.
    if tokens.count > 1, tokens[0].text == SentencePieceProcessor.space, isSpecial[1] { tokens.removeFirst() }
    return tokens
  }

  private func pieces(_ text: [UInt32], observer: CleaningObserver?) -> [TextToken] {
    var canonical = lowersCase ? PythonText.lower(text) : text
    canonical.removeAll(where: PythonText.isPunctuation)
    canonical = PythonText.collapseSpace(canonical)
    if let observer, canonical != text { observer("canonicalize", text, canonical) }
    let bytes = utf8(canonical)
    observe(observer, "sentencepiece", bytes, processor.normalize(bytes))
    let tokens = processor.encode(placeholder + bytes)
    return (tokens.count >= placeholderCount ? Array(tokens[placeholderCount...]) : tokens)
      // The class asks for each piece's id by its text.
      .map { TextToken(id: processor.idInText($0), text: $0.text) }
  }
}

extension SentencePieceProcessor {
  /// The id that the text of a token has by itself: unknown characters that are joined may be a piece.
  func idInText(_ token: TextToken) -> Int32 {
    token.id == model.unknownID ? id(of: token.text) : token.id
  }
}

/// The bytes of scalars.
func utf8(_ scalars: some Sequence<UInt32>) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(scalars.underestimatedCount)
  for scalar in scalars {
    if scalar < 0x80 {
      bytes.append(UInt8(scalar))
    } else if let scalar = Unicode.Scalar(scalar), let encoded = UTF8.encode(scalar) {
      bytes.append(contentsOf: encoded)
    }
  }
  return bytes
}

/// The scalars of bytes that are UTF-8.
func scalars(_ bytes: [UInt8]) -> [UInt32] { String(decoding: bytes, as: UTF8.self).unicodeScalars.map(\.value) }

private func observe(_ observer: CleaningObserver?, _ step: String, _ before: [UInt8], _ after: [UInt8]) {
  if let observer, before != after { observer(step, scalars(before), scalars(after)) }
}
