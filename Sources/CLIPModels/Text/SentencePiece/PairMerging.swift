/// A part of a text while byte pairs are merged.
struct MergeSymbol {
  /// The bytes it covers; none once it is a part of its left neighbour.
  var range: Range<Int>
  /// What the rules know it by: a node of the trie, or a token. Nil for what no rule concerns.
  var state: UInt32?
}

/// The rules of a byte-pair encoding. sentencepiece asks whether the joined text is a piece, tokenizers whether the two
/// tokens are listed.
protocol MergeRules {
  /// The rank of the merge of two neighbours, the smallest first, and the state of the result; nil when they stay apart.
  func merge(_ left: MergeSymbol, _ right: MergeSymbol) -> (rank: UInt32, state: UInt32)?
}

extension MergeRules {
  /// Merges the pair of the lowest rank, the leftmost of equals, until there is none; the symbols that are left.
  func merged(_ symbols: [MergeSymbol]) -> [MergeSymbol] {
    var symbols = symbols
    // Neighbours by place; beyond the ends there is none.
    var next = symbols.indices.map { $0 + 1 }
    var previous = symbols.indices.map { $0 - 1 }
    var queue = MinHeap()
    func offer(_ left: Int) {
      guard left >= 0, next[left] < symbols.count, let found = merge(symbols[left], symbols[next[left]]) else { return }
      queue.insert(UInt64(found.rank) << 32 | UInt64(left))
    }
    for index in symbols.indices { offer(index) }
    while let entry = queue.popFirst() {
      let left = Int(entry & 0xFFFF_FFFF)
      // Neighbours may have changed since; then the entry for those that are there now comes by itself.
      guard !symbols[left].range.isEmpty, next[left] < symbols.count,
        let found = merge(symbols[left], symbols[next[left]]), UInt64(found.rank) == entry >> 32
      else { continue }
      let right = next[left]
      symbols[left].range = symbols[left].range.lowerBound..<symbols[right].range.upperBound
      symbols[left].state = found.state
      symbols[right].range = 0..<0
      next[left] = next[right]
      if next[left] < symbols.count { previous[next[left]] = left }
      offer(previous[left])
      offer(left)
    }
    return symbols.filter { !$0.range.isEmpty }
  }
}
