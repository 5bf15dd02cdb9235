/// Ids by the bytes of their tokens. `String` would take tokens for equal that differ in their bytes.
struct TokenTable: Sendable {
  private var bytes: [UInt8] = []
  /// Where each token's bytes end.
  private var ends: [Int] = []
  /// Ids plus one, 0 where the slot is free; open addressing.
  private var slots: [Int32]

  /// The id of each token is its place; of equal tokens the last counts, as in the libraries.
  init(_ tokens: [String]) {
    var size = 16
    while size < 2 * tokens.count { size *= 2 }
    slots = [Int32](repeating: 0, count: size)
    ends.reserveCapacity(tokens.count)
    for (id, token) in tokens.enumerated() {
      var token = token
      token.withUTF8 { text in
        let slot = self.slot(of: UnsafeRawBufferPointer(text))
        bytes.append(contentsOf: text)
        ends.append(bytes.count)
        slots[slot] = Int32(truncatingIfNeeded: id + 1)
      }
    }
  }

  /// The id of a token, or nil.
  func id(of token: UnsafeRawBufferPointer) -> Int32? {
    let id = slots[slot(of: token)] - 1
    return id < 0 ? nil : id
  }

  /// The id of a token, or nil.
  func id(of token: String) -> Int32? {
    var token = token
    return token.withUTF8 { id(of: UnsafeRawBufferPointer($0)) }
  }

  /// The slot that holds the token, or the free one where it belongs.
  private func slot(of token: UnsafeRawBufferPointer) -> Int {
    // Seeded anew in each process: no file can choose tokens that share their slots.
    var hasher = Hasher()
    hasher.combine(bytes: token)
    var slot = hasher.finalize() & (slots.count - 1)
    while slots[slot] != 0, !holds(Int(slots[slot]) - 1, token) { slot = (slot + 1) & (slots.count - 1) }
    return slot
  }

  private func holds(_ id: Int, _ token: UnsafeRawBufferPointer) -> Bool {
    bytes[(id == 0 ? 0 : ends[id - 1])..<ends[id]].elementsEqual(token)
  }
}
