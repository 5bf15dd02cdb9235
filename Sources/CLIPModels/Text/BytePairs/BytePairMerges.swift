import Checkpoints

/// The merges of a byte-pair encoding by the ids of what they join, and the ids that words begin from.
struct BytePairMerges: Sendable {
  /// The id of each byte inside a word.
  private var byteIDs: [Int32] = []
  /// The id of each byte at the end of a word.
  private var endIDs: [Int32] = []
  private var pairs: PairTable

  /// - Throws: `malformed` when a byte has no token, or a merge joins or makes what is none.
  init(_ vocabulary: BytePairVocabulary, _ tokens: TokenTable) throws(FileError) {
    pairs = PairTable(capacity: vocabulary.merges.count)
    for symbol in BytePairVocabulary.symbolOfByte {
      guard let id = tokens.id(of: symbol), let end = tokens.id(of: symbol + "</w>") else {
        throw FileError(.malformed, "vocabulary lacks '\(escaped(symbol))' or '\(escaped(symbol))</w>'")
      }
      byteIDs.append(id)
      endIDs.append(end)
    }
    for (rank, merge) in vocabulary.merges.enumerated() {
      guard let (left, right, joined) = Self.ids(merge, tokens) else {
        throw FileError(
          .malformed, "merge \(rank), '\(escaped(merge))', is not two tokens that make a third")
      }
      pairs.insert(left, right, PairTable.Merge(rank: Int32(truncatingIfNeeded: rank), id: joined))
    }
  }

  private static func ids(_ merge: String, _ tokens: TokenTable) -> (Int32, Int32, Int32)? {
    var merge = merge
    return merge.withUTF8 { text in
      let space = UInt8(ascii: " ")
      guard let middle = text.firstIndex(of: space), text[(middle + 1)...].firstIndex(of: space) == nil else {
        return nil
      }
      let (left, right) = (text[..<middle], text[(middle + 1)...])
      guard let leftID = tokens.id(of: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: left))),
        let rightID = tokens.id(of: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: right)))
      else { return nil }
      return withUnsafeTemporaryAllocation(byteCount: text.count, alignment: 1) { joined in
        joined.copyBytes(from: left)
        UnsafeMutableRawBufferPointer(rebasing: joined[middle...]).copyBytes(from: right)
        let token = UnsafeRawBufferPointer(rebasing: joined[..<(text.count - 1)])
        return tokens.id(of: token).map { (leftID, rightID, $0) }
      }
    }
  }

  /// Appends the ids of one word, given as bytes.
  func encode(_ word: [UInt8], into ids: inout [Int32]) {
    guard let last = word.last else { return }
    var symbols = word.dropLast().map { byteIDs[Int($0)] }
    symbols.append(endIDs[Int(last)])
    if symbols.count > Self.longest { mergeLong(&symbols) } else { mergeShort(&symbols) }
    ids.append(contentsOf: symbols)
  }

  /// From this length on a queue finds the next merge faster than a look at all pairs.
  private static let longest = 48

  /// The merge of the lowest rank first, of equal ones the leftmost, until none is left.
  private func mergeShort(_ symbols: inout [Int32]) {
    guard symbols.count > 1 else { return }
    var merges = (1..<symbols.count).map { pairs[symbols[$0 - 1], symbols[$0]] }
    while let best = merges.indices.min(by: { merges[$0].rank < merges[$1].rank }), merges[best].id >= 0 {
      symbols[best] = merges[best].id
      symbols.remove(at: best + 1)
      merges.remove(at: best)
      if best > 0 { merges[best - 1] = pairs[symbols[best - 1], symbols[best]] }
      if best < merges.count { merges[best] = pairs[symbols[best], symbols[best + 1]] }
    }
  }

  /// The same for a word of any length.
  private func mergeLong(_ symbols: inout [Int32]) {
    // What follows and precedes each symbol; merged ones have the id -1.
    var next = (1...symbols.count).map { $0 }
    var previous = (-1..<(symbols.count - 1)).map { $0 }
    var queue = MinHeap()
    func push(_ left: Int) {
      guard left >= 0, next[left] < symbols.count else { return }
      let merge = pairs[symbols[left], symbols[next[left]]]
      if merge.id >= 0 { queue.insert(UInt64(UInt32(bitPattern: merge.rank)) << 32 | UInt64(left)) }
    }
    for index in symbols.indices { push(index) }
    while let entry = queue.popFirst() {
      let left = Int(entry & 0xFFFF_FFFF)
      let right = next[left]
      guard symbols[left] >= 0, right < symbols.count else { continue }
      let merge = pairs[symbols[left], symbols[right]]
      // An entry whose pair has changed since.
      guard merge.id >= 0, UInt64(UInt32(bitPattern: merge.rank)) == entry >> 32 else { continue }
      symbols[left] = merge.id
      symbols[right] = -1
      next[left] = next[right]
      if next[left] < symbols.count { previous[next[left]] = left }
      push(previous[left])
      push(left)
    }
    symbols.removeAll { $0 < 0 }
  }
}
