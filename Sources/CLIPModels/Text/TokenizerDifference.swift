public import Checkpoints

/// A text of which two dialects make different ids.
public struct TokenizerDifference: Sendable, Equatable {
  /// How each of the two made them.
  public let explanations: [TokenizerExplanation]
  /// The first thing that one did and the other did not.
  public let reason: String

  /// Nil when the ids of start, text and end are the same; padding is not compared.
  public init?(_ text: String, _ first: Tokenizer, _ second: Tokenizer) throws(FileError) {
    explanations = [try first.explain(text), try second.explain(text)]
    let ids = explanations.map(\.sequence.realIDs)
    guard ids[0] != ids[1] else { return nil }
    let dialects = [first.dialect.rawValue, second.dialect.rawValue]
    reason =
      Self.step(explanations, dialects) ?? "\(dialects[0]) and \(dialects[1]) cut the same text into other pieces"
  }

  /// The first step that changed the text in one of them only, or that changed it otherwise.
  private static func step(_ explanations: [TokenizerExplanation], _ dialects: [String]) -> String? {
    let texts = explanations.map { $0.pieces.map { Array($0.text.utf8) } }
    guard texts[0] != texts[1] else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      let others = explanations[other].steps.map { Array($0.after.utf8) }
      if let step = explanations[one].steps.first(where: { !others.contains(Array($0.after.utf8)) }) {
        return "\(step.name) in \(dialects[one])"
      }
    }
    return nil
  }
}
