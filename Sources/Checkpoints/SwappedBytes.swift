/// Big-endian values, turned into little-endian ones as they are read.
package struct SwappedBytes: ByteSource {
  package let count: Int
  private let base: Bytes
  private let size: Int

  /// Values of `size` (2, 4 or 8) bytes; throws `mismatch` unless they fill `base`.
  package init(_ base: Bytes, size: Int) throws(FileError) {
    guard [2, 4, 8].contains(size), base.count % size == 0 else {
      throw FileError(.mismatch, "\(base.count) bytes of values of \(size) bytes")
    }
    self.base = base
    self.size = size
    count = base.count
  }

  package var loaded: ObjectIdentifier? { base.loaded }
  package var readsForward: Bool { base.readsForward }
  package func release() { base.release() }

  package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    let skip = offset % size
    if skip == 0, buffer.count % size == 0 {
      try base.read(at: offset, into: buffer)
      swap(buffer)
    } else {
      // A read that cuts values: take whole ones, then the part.
      let length = (skip + buffer.count + size - 1) / size * size
      let whole = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 8)
      defer { whole.deallocate() }
      try base.read(at: offset - skip, into: whole)
      swap(whole)
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: whole[skip..<(skip + buffer.count)]))
    }
  }

  private func swap(_ buffer: UnsafeMutableRawBufferPointer) {
    func swap<T: FixedWidthInteger & BitwiseCopyable>(as type: T.Type) {
      for position in stride(from: 0, to: buffer.count, by: MemoryLayout<T>.size) {
        let value = buffer.loadUnaligned(fromByteOffset: position, as: type)
        buffer.storeBytes(of: value.byteSwapped, toByteOffset: position, as: type)
      }
    }
    switch size {
    case 2: swap(as: UInt16.self)
    case 4: swap(as: UInt32.self)
    default: swap(as: UInt64.self)
    }
  }
}
