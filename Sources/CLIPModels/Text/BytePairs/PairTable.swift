/// Merges by the ids of their halves; open addressing.
struct PairTable: Sendable {
  struct Merge: Sendable {
    let rank: Int32
    let id: Int32

    static let none = Merge(rank: .max, id: -1)
  }

  private var keys: [UInt64]
  private var merges: [Merge]
  private let multiplier: UInt64
  private let shift: UInt64

  init(capacity: Int) {
    var bits: UInt64 = 4
    while 1 << bits < 2 * capacity { bits += 1 }
    keys = [UInt64](repeating: .max, count: 1 << bits)
    merges = [Merge](repeating: .none, count: 1 << bits)
    shift = 64 - bits
    // An odd number that no file can know, so that none can choose pairs that share their slots.
    multiplier = .random(in: 0 ... .max) | 1
  }

  /// The merge of two ids, or `none`.
  subscript(left: Int32, right: Int32) -> Merge { merges[slot(Self.key(left, right))] }

  /// Adds a merge; of equal ones the last counts.
  mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) {
    let key = Self.key(left, right)
    let slot = slot(key)
    keys[slot] = key
    merges[slot] = merge
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  private func slot(_ key: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: (key &* multiplier) >> shift)
    while keys[slot] != key, keys[slot] != .max { slot = (slot + 1) & (keys.count - 1) }
    return slot
  }
}

/// A binary heap, the smallest number first.
struct MinHeap {
  private var items: [UInt64] = []

  mutating func insert(_ item: UInt64) {
    items.append(item)
    var child = items.count - 1
    while child > 0, items[(child - 1) / 2] > item {
      items[child] = items[(child - 1) / 2]
      child = (child - 1) / 2
    }
    items[child] = item
  }

  mutating func popFirst() -> UInt64? {
    guard let first = items.first, let last = items.popLast() else { return nil }
    guard !items.isEmpty else { return first }
    var parent = 0
    while 2 * parent + 1 < items.count {
      var child = 2 * parent + 1
      if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
      guard items[child] < last else { break }
      items[parent] = items[child]
      parent = child
    }
    items[parent] = last
    return first
  }
}
