/// The ids of one text, as a text encoder takes them.
public struct TokenSequence: Sendable, Equatable {
  /// Start, text, end, and padding: as many as the context is long.
  public let ids: [Int32]
  /// How many are real: start, text and end.
  public let count: Int
  /// Whether the text did not fit, and its end was cut off.
  public let isTruncated: Bool

  /// Ids, wherever they come from.
  public init(ids: [Int32], count: Int, isTruncated: Bool = false) {
    self.ids = ids
    self.count = count
    self.isTruncated = isTruncated
  }
}
