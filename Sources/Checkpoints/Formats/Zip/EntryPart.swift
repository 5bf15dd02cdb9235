/// A part of an entry's data. The read that reaches its end goes on to the end of the entry, where the checksum is
/// compared: data of which a part is used is verified too.
struct EntryPart: ByteSource {
  let count: Int
  private let part: Bytes
  private let whole: Bytes

  /// `part` is made of the bytes of `whole`, which ends with the entry.
  init(_ part: Bytes, of whole: Bytes) {
    self.part = part
    self.whole = whole
    count = part.count
  }

  var loaded: ObjectIdentifier? { part.loaded }
  var readsForward: Bool { part.readsForward }
  func release() { part.release() }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try part.read(at: offset, into: buffer)
    guard offset + buffer.count == count, whole.count > 0 else { return }
    try withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { (last) throws(FileError) in
      try whole.read(at: whole.count - 1, into: last)
    }
  }
}
