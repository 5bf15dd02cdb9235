import Synchronization

/// Writes a zip archive of stored entries: the same entries give the same bytes.
package struct ZipWriter {
  private let output: FileWriter
  private let start: Int
  private var records: [(record: ZipRecord, checksum: Checksum)] = []

  /// The checksum of an entry, which is known when its data has been written.
  private final class Checksum: Sendable {
    private let crc = Mutex(CRC32())
    func update(_ buffer: UnsafeRawBufferPointer) { crc.withLock { $0.update(buffer) } }
    var value: UInt32 { crc.withLock { $0.value } }
  }

  /// Begins an archive where the output stands, which must be its beginning.
  package init(_ output: FileWriter) {
    self.output = output
    start = output.offset
  }

  /// Appends an entry whose data begins at a multiple of `alignment`; errors name `tensor`.
  package mutating func add(_ name: String, _ bytes: Bytes, alignment: Int = 1, of tensor: String? = nil)
    throws(FileError)
  {
    let record = ZipRecord(
      name: Array(name.utf8), size: bytes.count, compressedSize: bytes.count, headerOffset: output.offset - start)
    guard record.name.count <= ZipRecords.saturated16 else {
      throw FileError(.unsupported, "entry name of \(record.name.count) bytes, a zip archive allows 65535")
    }
    // What is written must be read again.
    guard records.count < Limits.zipEntries else {
      throw FileError(
        .unsupported, "more than \(Limits.zipEntries) entries of a zip archive", hint: "Use safetensors or GGUF")
    }
    try output.write(record.localHeader(alignment: alignment))
    let checksum = Checksum()
    output.write(bytes, of: tensor) { checksum.update($0) }
    records.append((record, checksum))
  }

  /// Writes the data, its checksums and the directory. Nothing may be added afterwards.
  package func finish() throws(FileError) {
    try output.writePending()
    let offset = output.offset
    for (record, checksum) in records {
      let crc = withUnsafeBytes(of: checksum.value.littleEndian) { Array($0) }
      try output.patch(crc, at: start + record.headerOffset + 14)
      var complete = record
      complete.crc32 = checksum.value
      try output.write(complete.centralHeader())
    }
    try output.write(ZipRecord.end(count: records.count, size: output.offset - offset, offset: offset - start))
  }
}
