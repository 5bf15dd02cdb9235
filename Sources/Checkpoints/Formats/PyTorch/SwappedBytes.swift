/// Big-endian numbers as little-endian ones: the bytes of each unit in the opposite order.
struct SwappedBytes: ByteSource {
  private let base: Bytes
  private let unit: Int

  /// Units of `unit` bytes; a part of one at the end is dropped.
  init(_ base: Bytes, unit: Int) {
    self.base = base
    self.unit = unit
    count = base.count - base.count % unit
  }

  let count: Int

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    guard !buffer.isEmpty else { return }
    let first = offset - offset % unit
    let end = (offset + buffer.count + unit - 1) / unit * unit
    let whole = UnsafeMutableRawBufferPointer.allocate(byteCount: end - first, alignment: 16)
    defer { whole.deallocate() }
    try base.read(at: first, into: whole)
    for index in buffer.indices {
      let position = offset - first + index
      let start = position - position % unit
      buffer[index] = whole[start + unit - 1 - (position - start)]
    }
  }
}
