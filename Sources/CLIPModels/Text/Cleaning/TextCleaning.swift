import Checkpoints

/// Is told of each step that changed the text: its name, the text before and after.
typealias CleaningObserver = (_ step: String, _ before: [UInt32], _ after: [UInt32]) -> Void

/// What open_clip does with the case and the punctuation of text, by the names of its config.
public enum TextCase: String, Sendable, CaseIterable {
  /// Lower case.
  case lower
  /// As it is.
  case whitespace
  /// Lower case without punctuation.
  case canonicalize
}

/// How a dialect cleans text before it is cut into pieces.
struct TextCleaning: Sendable {
  let dialect: TokenizerDialect
  var textCase = TextCase.lower

  /// The cleaned text.
  /// - Throws: `unsupported` when the text is escaped a hundred times over.
  func clean(_ text: [UInt32], observer: CleaningObserver? = nil) throws(FileError) -> [UInt32] {
    var text = text
    func step(_ name: String, _ cleaned: [UInt32]) {
      if let observer, cleaned != text { observer(name, text, cleaned) }
      text = cleaned
    }
    if dialect == .huggingFace {
      step("NFC", NormalizationFormC.huggingFace.normalize(text))
      step("white space", Self.huggingFaceSpace(text))
      step("lower case", Self.huggingFaceLower(text))
      return text
    }
    text = try FTFY.fix(text, observer: observer)
    step("html.unescape", HTMLEntities.unescape(text))
    step("html.unescape again", HTMLEntities.unescape(text))
    if dialect == .openAI {
      step("strip", PythonText.strip(text))
      step("white space", PythonText.strip(PythonText.replaceSpace(text)))
    } else {
      step("white space", PythonText.collapseSpace(text))
    }
    switch textCase {
    case .lower: step("lower case", PythonText.lower(text))
    case .canonicalize: step("canonicalize", PythonText.canonicalize(text))
    case .whitespace: break
    }
    return text
  }

  /// `\s+` as one space; the class of a scalar in no piece is white space in Hugging Face's pattern.
  private static func huggingFaceSpace(_ text: [UInt32]) -> [UInt32] {
    PythonText.replaceRuns(text) { UnicodeTable.standard[$0].huggingFacePieceClass == .none }
  }

  /// Rust's `char::to_lowercase` of each scalar: no final sigma.
  static func huggingFaceLower(_ text: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(text.count)
    for scalar in text {
      if scalar == 0x130 {
        result += [0x69, 0x307]
      } else {
        result.append(UnicodeTable.standard[scalar].huggingFaceLowercase(of: scalar))
      }
    }
    return result
  }
}
