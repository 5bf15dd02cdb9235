internal import Synchronization

/// An uncompressed entry, read in place. The checksum runs along with sequential reads.
final class StoredEntry: ByteSource {
  private struct Progress {
    /// The checksum covers the bytes before this.
    var position = 0
    var crc = CRC32()
    var failure: FileError?
  }

  let count: Int
  private let entry: ZipArchive.Entry
  private let data: Bytes
  private let path: String?
  private let progress: Mutex<Progress>

  init(_ entry: ZipArchive.Entry, data: Bytes, path: String?) {
    self.entry = entry
    self.data = data
    self.path = path
    count = data.count
    // Without a declared checksum there is nothing to verify.
    progress = Mutex(Progress(position: entry.crc32 == 0 ? data.count : 0))
  }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try data.read(at: offset, into: buffer)
    try progress.withLock { (progress) throws(FileError) in
      if let failure = progress.failure { throw failure }
      guard progress.position < count else { return }
      if offset > progress.position {
        let rest = try data.slice(progress.position, count - progress.position)
        try rest.forEachChunk { (chunk) throws(FileError) in progress.crc.update(chunk) }
        progress.position = count
      } else if offset + buffer.count > progress.position {
        progress.crc.update(UnsafeRawBufferPointer(rebasing: buffer[(progress.position - offset)...]))
        progress.position = offset + buffer.count
      }
      guard progress.position < count || progress.crc.value == entry.crc32 else {
        let failure = entry.checksumError(found: progress.crc.value, path: path)
        progress.failure = failure
        throw failure
      }
    }
  }
}

extension ZipArchive.Entry {
  /// The error for data that is not what its writer stored.
  func checksumError(found: UInt32, path: String?) -> FileError {
    FileError(
      .malformed,
      "entry '\(escaped(name))' has the CRC-32 \(hexadecimal(found)), the archive declares \(hexadecimal(crc32))",
      file: path, offset: dataOffset, hint: "The file is damaged: copy or download it again")
  }
}

private func hexadecimal(_ value: UInt32) -> String {
  let digits = String(value, radix: 16)
  return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
}
