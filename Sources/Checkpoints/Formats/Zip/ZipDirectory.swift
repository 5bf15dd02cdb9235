/// The checks that an archive must pass before anything in it is used. Every byte before the directory belongs to one
/// entry, so that no two readers can see different archives in one file.
struct ZipDirectory {
  private let archive: Bytes
  private let offset: Int
  private let size: Int
  private let count: Int

  init(_ archive: Bytes) throws(FileError) {
    self.archive = archive
    let endOffset = archive.count - ZipRecords.endSize
    guard endOffset >= 0, case let end = try Self.fields(archive, endOffset, ZipRecords.endSize),
      end.u32(0) == ZipRecords.endSignature, end.u16(20) == 0
    else { throw try Self.noEnd(archive) }
    var numbers = Numbers(
      disks: [end.u16(4), end.u16(6)], counts: [UInt64(end.u16(8)), UInt64(end.u16(10))], size: UInt64(end.u32(12)),
      offset: UInt64(end.u32(16)))
    var directoryEnd = endOffset
    if let (record, recordOffset) = try Self.zip64(archive, endOffset: endOffset) {
      let large = Numbers(
        disks: [record.u32(16), record.u32(20)], counts: [record.u64(24), record.u64(32)], size: record.u64(40),
        offset: record.u64(48))
      guard numbers.agree(with: large) else {
        throw FileError(
          .malformed, "the end record and the zip64 end record describe two different directories", offset: endOffset)
      }
      numbers = large
      directoryEnd = recordOffset
    }
    guard numbers.disks.allSatisfy({ $0 == 0 }), numbers.counts[0] == numbers.counts[1] else {
      throw FileError(.unsupported, "archive of several disks, allowed one", offset: endOffset)
    }
    guard numbers.counts[0] <= UInt64(Limits.zipEntries) else {
      throw FileError(
        .malformed, "\(numbers.counts[0]) entries, allowed \(Limits.zipEntries)", offset: endOffset)
    }
    count = Int(numbers.counts[0])
    guard let size = Int(exactly: numbers.size), let offset = Int(exactly: numbers.offset),
      size <= min(directoryEnd, Limits.zipDirectory)
    else {
      throw FileError(
        .malformed,
        "directory of \(numbers.size) bytes at \(numbers.offset), allowed \(min(directoryEnd, Limits.zipDirectory))",
        offset: endOffset)
    }
    guard size >= count * ZipRecords.centralSize else {
      throw FileError(
        .malformed,
        "\(count) entries need a directory of at least \(count * ZipRecords.centralSize) bytes, found \(size)",
        offset: endOffset)
    }
    guard offset == directoryEnd - size else {
      let found = directoryEnd - size
      let prefix = offset < found ? ": \(found - offset) bytes before the archive or after its last entry" : ""
      throw FileError(
        .malformed, "directory at \(numbers.offset), expected \(found)\(prefix)", offset: endOffset,
        hint: "Extract the archive from what surrounds it")
    }
    self.size = size
    self.offset = offset
  }

  private struct Numbers {
    var disks: [Int]
    var counts: [UInt64]
    var size: UInt64
    var offset: UInt64

    /// Whether each field of an ordinary end record is what the zip64 record says, or says to look there.
    func agree(with large: Numbers) -> Bool {
      func fits(_ value: UInt64, _ limit: Int, _ other: UInt64) -> Bool { value == limit || value == other }
      return zip(disks, large.disks).allSatisfy { fits(UInt64($0), ZipRecords.saturated16, UInt64($1)) }
        && zip(counts, large.counts).allSatisfy { fits($0, ZipRecords.saturated16, $1) }
        && fits(size, ZipRecords.saturated32, large.size) && fits(offset, ZipRecords.saturated32, large.offset)
    }
  }

  private static func fields(_ archive: Bytes, _ offset: Int, _ length: Int) throws(FileError) -> ZipFields {
    ZipFields(bytes: try archive.slice(offset, length).load())
  }

  /// The zip64 end record and its offset, when there is a locator for it.
  private static func zip64(_ archive: Bytes, endOffset: Int) throws(FileError) -> (ZipFields, Int)? {
    let locatorOffset = endOffset - ZipRecords.locator64Size
    guard locatorOffset >= 0 else { return nil }
    let locator = try fields(archive, locatorOffset, ZipRecords.locator64Size)
    guard locator.u32(0) == ZipRecords.locator64Signature else { return nil }
    guard locator.u32(4) == 0, locator.u32(16) <= 1 else {
      throw FileError(.unsupported, "archive of \(locator.u32(16)) disks, allowed 1", offset: locatorOffset)
    }
    let recordOffset = locatorOffset - ZipRecords.end64Size
    guard recordOffset >= 0, locator.u64(8) == UInt64(recordOffset) else {
      throw FileError(
        .malformed, "zip64 end record at \(locator.u64(8)), expected \(recordOffset)", offset: locatorOffset)
    }
    let record = try fields(archive, recordOffset, ZipRecords.end64Size)
    guard record.u32(0) == ZipRecords.end64Signature, record.u64(4) == UInt64(ZipRecords.end64Size - 12) else {
      throw FileError(.malformed, "no zip64 end record where the locator points", offset: recordOffset)
    }
    return (record, recordOffset)
  }

  /// Why there is no end record at the end of the file.
  private static func noEnd(_ archive: Bytes) throws(FileError) -> FileError {
    let length = min(archive.count, ZipRecords.endSize + 0xFFFF)
    let tail = ZipFields(bytes: try archive.slice(archive.count - length, length).load())
    let starts = stride(from: length - ZipRecords.endSize, through: 0, by: -1)
    if let start = starts.first(where: { tail.u32($0) == ZipRecords.endSignature }) {
      return FileError(
        .malformed, "\(length - start - ZipRecords.endSize) bytes after the end of the archive, allowed 0",
        offset: archive.count - length + start + ZipRecords.endSize, hint: "Remove the trailing bytes or the comment")
    }
    return FileError(
      .truncated, "no end record in the last bytes of the zip archive", offset: archive.count,
      hint: "The file is cut short: copy or download it again")
  }

  /// All entries in directory order.
  func entries() throws(FileError) -> [ZipArchive.Entry] {
    var reader = ByteReader(try archive.slice(offset, size), base: offset)
    var entries: [(entry: ZipArchive.Entry, hasDescriptor: Bool)] = []
    entries.reserveCapacity(count)
    for _ in 0..<count {
      let header = try CentralHeader(&reader, archiveSize: offset)
      entries.append((try header.entry(in: archive, before: offset), header.hasDescriptor))
    }
    guard reader.remaining == 0 else {
      throw reader.error(.malformed, "\(reader.remaining) bytes after the \(count) entries of the directory, allowed 0")
    }
    try checkLayout(entries)
    return entries.map(\.entry)
  }

  /// Sorted by offset the entries begin at 0, do not overlap, leave no hole (but for the data descriptors that some
  /// writers put after the data) and end where the directory begins.
  private func checkLayout(_ entries: [(entry: ZipArchive.Entry, hasDescriptor: Bool)]) throws(FileError) {
    let order = entries.indices.sorted { entries[$0].entry.headerOffset < entries[$1].entry.headerOffset }
    var end = 0
    var slack = 0
    var previous: Int?
    // In words only for an error: an archive may have tens of thousands of entries.
    func name(_ index: Int) -> String { "entry '\(escaped(entries[index].entry.name))'" }
    func check(_ start: Int, _ index: Int?) throws(FileError) {
      guard start < end || start - end > slack else { return }
      let (before, what) = (previous.map(name) ?? "the beginning of the file", index.map(name) ?? "the directory")
      guard start >= end else {
        throw FileError(.malformed, "\(what) begins inside \(before), which ends at \(end)", offset: start)
      }
      throw FileError(.malformed, "\(start - end) bytes between \(before) and \(what), allowed \(slack)", offset: end)
    }
    for index in order {
      let (entry, hasDescriptor) = entries[index]
      try check(entry.headerOffset, index)
      end = entry.dataEnd
      // A signature (which may be left out), the checksum and two sizes of 4 or 8 bytes.
      slack = hasDescriptor ? 24 : 0
      previous = index
    }
    try check(offset, nil)
  }
}
