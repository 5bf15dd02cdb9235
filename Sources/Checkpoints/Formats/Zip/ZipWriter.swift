/// Writes a zip archive of stored entries: the same entries give the same bytes.
package struct ZipWriter {
  private let output: FileWriter
  private let start: Int
  private var records: [ZipRecord] = []

  /// Begins an archive where the output stands, which must be its beginning.
  package init(_ output: FileWriter) {
    self.output = output
    start = output.offset
  }

  /// Appends an entry whose data begins at a multiple of `alignment`.
  package mutating func add(_ name: String, _ bytes: Bytes, alignment: Int = 1) throws(FileError) {
    var record = ZipRecord(
      name: Array(name.utf8), size: bytes.count, compressedSize: bytes.count, headerOffset: output.offset - start)
    guard record.name.count <= ZipRecords.saturated16 else {
      throw FileError(.unsupported, "entry name of \(record.name.count) bytes, a zip archive allows 65535")
    }
    try output.write(record.localHeader(alignment: alignment))
    var crc = CRC32()
    try output.write(bytes) { crc.update($0) }
    record.crc32 = crc.value
    try output.patch(withUnsafeBytes(of: crc.value.littleEndian) { Array($0) }, at: start + record.headerOffset + 14)
    records.append(record)
  }

  /// Writes the directory. Nothing may be added afterwards.
  package func finish() throws(FileError) {
    let offset = output.offset
    for record in records { try output.write(record.centralHeader()) }
    try output.write(ZipRecord.end(count: records.count, size: output.offset - offset, offset: offset - start))
  }
}
