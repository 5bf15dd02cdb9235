/// The ids of one text, as a text encoder takes them.
public struct TokenSequence: Sendable, Equatable {
  /// Start, text, end, and padding, which a few tokenizers put in front: as many as the context is long.
  public let ids: [Int32]
  /// How many are real: start, text and end.
  public let count: Int
  /// Where they begin.
  public let start: Int
  /// Whether the text did not fit, and its end was cut off.
  public let isTruncated: Bool

  /// The real ones.
  public var realIDs: ArraySlice<Int32> { ids[start..<(start + count)] }

  /// Ids, wherever they come from.
  public init(ids: [Int32], count: Int, start: Int = 0, isTruncated: Bool = false) {
    self.ids = ids
    self.count = count
    self.start = start
    self.isTruncated = isTruncated
  }
}
