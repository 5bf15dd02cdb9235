import Checkpoints

/// Which token of a text stands for it, and how much of the text must be computed for that.
struct TextPooledPosition: Sendable {
  /// The row of what is computed.
  let row: PooledRow
  private let pooling: TextPooling
  private let isCausal: Bool
  private let end: Int32

  /// - Throws: `unsupported` when the config does not say, or says what is not computed.
  init(_ config: ModelConfig) throws(FileError) {
    pooling = try config.encoderChoice(.textPooling)
    isCausal = config.hasCausalText
    end = pooling == .endOfText ? Int32(clamping: try config.encoderInteger(.textEndID)) : 0
    switch pooling {
    case .first: row = .first
    case .last: row = .last
    case .argmax, .endOfText:
      guard isCausal else {
        throw FileError(.unsupported, "text.pooling \(pooling.rawValue) of a text that sees itself whole")
      }
      row = .last
    }
  }

  /// How many tokens of `ids` are computed: a causal text up to the one that stands for it, others whole.
  func tokens(of ids: [Int32]) -> Int {
    guard isCausal else { return ids.count }
    switch pooling {
    case .first: return 1
    case .last: return ids.count
    // The first of the largest ids, as argmax.
    case .argmax: return 1 + (ids.indices.max { (ids[$0], $1) < (ids[$1], $0) } ?? 0)
    // Without an end, transformers takes the first position.
    case .endOfText: return 1 + (ids.firstIndex(of: end) ?? 0)
    }
  }
}
