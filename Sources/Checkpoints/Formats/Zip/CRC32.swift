internal import CLibdeflate

/// The checksum of zip archives, computed piece by piece.
struct CRC32: Sendable, Equatable {
  /// The checksum of the bytes so far; 0 when there were none.
  private(set) var value: UInt32 = 0

  mutating func update(_ buffer: UnsafeRawBufferPointer) {
    // An empty buffer may have no address, which libdeflate takes as a request for the initial value.
    guard !buffer.isEmpty else { return }
    value = libdeflate_crc32(value, buffer.baseAddress, buffer.count)
  }
}
