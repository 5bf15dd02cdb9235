import Checkpoints

/// A unigram language model: the segmentation of a text whose pieces have the largest sum of scores.
///
/// `Score` is the precision in which sums are kept, which decides ties: `Float` in sentencepiece, `Double` in
/// tokenizers.
struct UnigramModel<Score: BinaryFloatingPoint & Sendable>: Sendable {
  let trie: PieceTrie
  /// The score of each piece; nil for one that is never chosen.
  let scores: [Score?]
  /// Pieces that are chosen whatever their score, sentencepiece's user-defined symbols.
  let userDefined: Set<Int32>
  let unknownID: Int32
  private let unknownScore: Score
  private let largestScore: Score

  /// - Parameter normal: pieces whose scores count for the penalty of a character that is no piece.
  init(
    trie: PieceTrie, scores: [Score?], normal: some Sequence<Score>, userDefined: Set<Int32> = [], unknownID: Int32
  ) {
    self.trie = trie
    self.scores = scores
    self.userDefined = userDefined
    self.unknownID = unknownID
    var smallest: Score?
    var largest: Score?
    for score in normal {
      smallest = min(smallest ?? score, score)
      largest = max(largest ?? score, score)
    }
    // sentencepiece begins its search for the largest with the smallest positive number, tokenizers has none.
    largestScore = max(largest ?? Score.leastNormalMagnitude, Score.leastNormalMagnitude)
    unknownScore = (smallest ?? Score.greatestFiniteMagnitude) - 10
  }

  /// Calls `body` with the pieces of `text` in order: where they lie, and their ids. A character that is no piece has
  /// the unknown id. Memory is 16 bytes for each of the text, or less.
  func segment(_ text: [UInt8], _ body: (Range<Int>, Int32) -> Void) {
    var paths = BestPaths<Score>(count: text.count)
    var start = 0
    while start < text.count {
      let length = min(UTF8.length(leading: text[start]), text.count - start)
      if !extend(&paths, from: start, in: text, characterEnd: start + length) {
        paths.offer(unknownScore + paths.scores[start], end: start + length, start: start, id: unknownID)
      }
      start += length
    }
    for (range, id) in paths.best() { body(range, id) }
  }

  /// Offers every piece that begins at `start`; whether one of them is exactly the character there.
  private func extend(_ paths: inout BestPaths<Score>, from start: Int, in text: [UInt8], characterEnd: Int) -> Bool {
    let soFar = paths.scores[start]
    var hasCharacter = false
    var node: PieceTrie.Node = 0
    var end = start
    while end < text.count, let child = trie.child(of: node, text[end]) {
      node = child
      end += 1
      guard let id = trie.id(at: node), let score = scores[Int(id)] else { continue }
      // As in sentencepiece, a bonus for each byte outweighs any other path.
      let isUserDefined = !userDefined.isEmpty && userDefined.contains(id)
      let value = isUserDefined ? Score(end - start) * largestScore - 0.1 : score
      paths.offer(value + soFar, end: end, start: start, id: id)
      if end == characterEnd { hasCharacter = true }
    }
    return hasCharacter
  }
}

/// For each place in a text the best way to get there.
private struct BestPaths<Score: BinaryFloatingPoint> {
  var scores: [Score]
  private var starts: [Int32]
  private var ids: [Int32]

  init(count: Int) {
    scores = [Score](repeating: 0, count: count + 1)
    starts = [Int32](repeating: -1, count: count + 1)
    ids = [Int32](repeating: 0, count: count + 1)
  }

  mutating func offer(_ score: Score, end: Int, start: Int, id: Int32) {
    guard starts[end] < 0 || score > scores[end] else { return }
    scores[end] = score
    starts[end] = Int32(truncatingIfNeeded: start)
    ids[end] = id
  }

  func best() -> [(Range<Int>, Int32)] {
    var path: [(Range<Int>, Int32)] = []
    var end = starts.count - 1
    while end > 0 {
      let start = Int(starts[end])
      path.append((start..<end, ids[end]))
      end = start
    }
    return path.reversed()
  }
}

extension UTF8 {
  /// How many bytes a character has, by its first byte.
  static func length(leading byte: UInt8) -> Int { byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4 }
}
