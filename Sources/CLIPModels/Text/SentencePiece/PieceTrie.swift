import Checkpoints

/// The pieces of a vocabulary as a tree of bytes: which of them begin a text, and which id a text has.
struct PieceTrie: Sendable {
  /// A place in the tree: the bytes from the root to it. The root is 0.
  typealias Node = UInt32

  /// Edges in a hash table: parent and byte, and the child.
  private var keys: [UInt32] = []
  private var children: [Node] = []
  private var mask = 0
  /// The id of the piece that ends at each node, or -1.
  private var ids: [Int32] = [-1]

  private static let free = UInt32.max
  /// A key has 24 bits for the parent.
  private static let maximumNodes = 1 << 24 - 1

  /// The tree of `pieces`, whose ids are their places. Of equal pieces the last one's id counts.
  /// - Throws: `malformed` when the pieces are longer, together, than any vocabulary.
  init(_ pieces: [String]) throws(FileError) {
    let total = pieces.reduce(0) { $0 + $1.utf8.count }
    guard total < Self.maximumNodes else {
      throw FileError(.malformed, "\(total) bytes of pieces, allowed \(Self.maximumNodes)")
    }
    var size = 256
    while size < total * 2 { size *= 2 }
    resize(to: size)
    for (id, piece) in pieces.enumerated() {
      var node: Node = 0
      for byte in piece.utf8 { node = insert(node, byte) }
      ids[Int(node)] = Int32(id)
    }
    // Pieces share beginnings: most tables can be smaller now.
    size = 256
    while size < ids.count * 2 { size *= 2 }
    if size < keys.count { rehash(to: size) }
  }

  private mutating func resize(to size: Int) {
    keys = [UInt32](repeating: Self.free, count: size)
    children = [Node](repeating: 0, count: size)
    mask = size - 1
  }

  private mutating func rehash(to size: Int) {
    let edges = zip(keys, children).filter { $0.0 != Self.free }
    resize(to: size)
    for (key, child) in edges {
      let slot = slot(of: key)
      keys[slot] = key
      children[slot] = child
    }
  }

  /// Where a key is, or the free place for it.
  private func slot(of key: UInt32) -> Int {
    var slot = Int(truncatingIfNeeded: (UInt64(key) &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    while keys[slot] != key, keys[slot] != Self.free { slot = (slot + 1) & mask }
    return slot
  }

  private mutating func insert(_ node: Node, _ byte: UInt8) -> Node {
    let key = node << 8 | UInt32(byte)
    let slot = slot(of: key)
    if keys[slot] == key { return children[slot] }
    let child = Node(ids.count)
    keys[slot] = key
    children[slot] = child
    ids.append(-1)
    return child
  }

  /// The node behind `node` and `byte`, nil when no piece goes on like that.
  func child(of node: Node, _ byte: UInt8) -> Node? {
    let key = node << 8 | UInt32(byte)
    let slot = slot(of: key)
    return keys[slot] == key ? children[slot] : nil
  }

  /// The id of the piece that ends at a node.
  func id(at node: Node) -> Int32? { ids[Int(node)] >= 0 ? ids[Int(node)] : nil }

  /// The node at the end of `bytes`, nil when no piece begins with them.
  func node(_ bytes: some Sequence<UInt8>, from start: Node = 0) -> Node? {
    var node = start
    for byte in bytes {
      guard let child = child(of: node, byte) else { return nil }
      node = child
    }
    return node
  }

  /// The id of the piece that consists of `bytes`.
  func id(of bytes: some Sequence<UInt8>) -> Int32? { node(bytes).flatMap { id(at: $0) } }
}
