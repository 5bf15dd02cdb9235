/// ftfy's tables: its patterns, encodings and replacements.
struct FTFYTables: Sendable {
  static let standard = FTFYTables()

  /// What looks like mojibake.
  private(set) var badness = SetPattern()
  /// UTF-8 of which a byte A0 became a space.
  private(set) var alteredUTF8 = SetPattern()
  /// UTF-8 of which bytes were lost.
  private(set) var lossyUTF8 = SetPattern()
  /// Characters that are UTF-8 in another encoding.
  private(set) var misreadUTF8 = SetPattern()
  /// What may not come before them.
  private(set) var notBeforeMisreadUTF8 = ScalarSet()
  private(set) var singleQuotes = ScalarSet()
  private(set) var doubleQuotes = ScalarSet()
  /// What stands between ESC [ and the letter that ends it.
  private(set) var terminalParameters = ScalarSet()
  /// Control characters that are removed.
  private(set) var removed = ScalarSet()
  private(set) var ligatures: [UInt32: [UInt32]] = [:]
  private(set) var widths: [UInt32: [UInt32]] = [:]
  /// The encodings that are tried, in that order.
  private(set) var encodings: [SingleByteEncoding] = []
  /// The bytes that Windows-1252 leaves undefined.
  private(set) var undefinedInWindows1252 = ScalarSet()

  private init() {
    var sets: [ScalarSet] = []
    for words in EmbeddedTables.lines(EmbeddedTables.ftfy) {
      let last = words[words.count - 1]
      switch words[0] {
      case "set": sets.append(ScalarSet(EmbeddedTables.ranges(last)))
      case "pattern": add(words[2...].map { Int($0).map { .member(of: sets[$0]) } ?? .start }, to: words[1])
      case "removed": removed = ScalarSet(EmbeddedTables.ranges(last))
      case "ligature": ligatures[EmbeddedTables.numbers(words[1])[0]] = EmbeddedTables.numbers(last)
      case "width": widths[EmbeddedTables.numbers(words[1])[0]] = EmbeddedTables.numbers(last)
      case "undefined": undefinedInWindows1252 = ScalarSet(EmbeddedTables.ranges(last))
      case "encoding":
        encodings.append(SingleByteEncoding(name: String(words[1]), scalars: EmbeddedTables.numbers(last)))
      default: break
      }
    }
  }

  /// What a byte is in Windows-1252, and in Latin-1 where that leaves it undefined.
  func windows1252(_ byte: UInt32) -> UInt32 {
    encodings.first { $0.name == "sloppy-windows-1252" }?.decode(byte) ?? byte
  }

  private mutating func add(_ sequence: [SetPattern.Item], to name: Substring) {
    switch name {
    case "badness": badness.add(sequence)
    case "altered-utf8": alteredUTF8.add(sequence)
    case "lossy-utf8": lossyUTF8.add(sequence)
    case "utf8": misreadUTF8.add(sequence)
    default:
      guard case .member(let set)? = sequence.first else { return }
      switch name {
      case "not-before-utf8": notBeforeMisreadUTF8 = set
      case "single-quote": singleQuotes = set
      case "double-quote": doubleQuotes = set
      default: terminalParameters = set
      }
    }
  }
}

/// Scalars, or bytes, as sorted ranges.
struct ScalarSet: Sendable {
  private let ranges: [ClosedRange<UInt32>]

  init(_ ranges: [ClosedRange<UInt32>] = []) { self.ranges = ranges }

  func contains(_ scalar: UInt32) -> Bool {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < scalar { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].contains(scalar)
  }

  /// The members below a bound.
  func members(below bound: UInt32) -> some Sequence<UInt32> {
    ranges.lazy.filter { $0.lowerBound < bound }.flatMap { $0.lowerBound..<min($0.upperBound + 1, bound) }
  }
}

/// A regular expression of alternatives that are sequences of sets.
struct SetPattern: Sendable {
  enum Item: Sendable {
    /// The text begins here.
    case start
    case member(of: ScalarSet)
  }

  private var alternatives: [[Item]] = []
  /// For scalars below `bound`, the alternatives that can begin with them: most text is passed over quickly.
  private var beginning = [[Int]](repeating: [], count: Int(bound))
  private static let bound: UInt32 = 0x2700

  init() {}

  mutating func add(_ sequence: [Item]) {
    let first = sequence.first { if case .member = $0 { true } else { false } }
    guard case .member(let set)? = first else { return }
    for scalar in set.members(below: Self.bound) { beginning[Int(scalar)].append(alternatives.count) }
    alternatives.append(sequence)
  }

  /// The length of the first alternative that matches at `position`.
  func length<Text: RandomAccessCollection<UInt32>>(_ text: Text, at position: Text.Index) -> Int?
  where Text.Index == Int {
    let first = text[position]
    if first < Self.bound {
      for index in beginning[Int(first)] where matches(alternatives[index], text, at: position) {
        return count(alternatives[index])
      }
      return nil
    }
    return alternatives.first { matches($0, text, at: position) }.map(count)
  }

  /// The scalars that an alternative takes.
  private func count(_ sequence: [Item]) -> Int {
    if case .start? = sequence.first { sequence.count - 1 } else { sequence.count }
  }

  private func matches<Text: RandomAccessCollection<UInt32>>(_ sequence: [Item], _ text: Text, at position: Int) -> Bool
  where Text.Index == Int {
    var position = position
    for item in sequence {
      switch item {
      case .start:
        guard position == text.startIndex else { return false }
      case .member(let set):
        guard position < text.endIndex, set.contains(text[position]) else { return false }
        position += 1
      }
    }
    return true
  }

  /// Whether there is a match anywhere.
  func isFound(in text: [UInt32]) -> Bool {
    text.indices.contains { length(text, at: $0) != nil }
  }

  /// The text with each match, from left to right, replaced.
  func replacing(in text: [UInt32], with replacement: (ArraySlice<UInt32>) -> [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    result.reserveCapacity(text.count)
    var position = 0
    while position < text.count {
      if let length = length(text, at: position) {
        result += replacement(text[position..<(position + length)])
        position += length
      } else {
        result.append(text[position])
        position += 1
      }
    }
    return result
  }
}
