/// A zip archive whose structure has been checked: `formats/zip.md`.
///
/// Opening reads the directory and every local header. The data stays in the file until it is asked for, and its
/// checksum is verified while it is read.
package struct ZipArchive: Sendable {
  /// How an entry's data is stored; other methods are refused.
  package enum Method: UInt16, Sendable { case stored = 0, deflated = 8 }

  /// One file of the archive.
  package struct Entry: Sendable, Equatable {
    /// The name as in the archive: never a path in the file system.
    package var name: String
    package var method: Method
    /// How many bytes it takes in the archive.
    package var compressedSize: Int
    /// How many bytes it has.
    package var size: Int
    /// The checksum that the archive declares; 0 when its writer did not compute one.
    package var crc32: UInt32
    /// Where its local header begins in the archive.
    package var headerOffset: Int
    /// Where its data begins in the archive.
    package var dataOffset: Int

    var dataEnd: Int { dataOffset + compressedSize }
  }

  /// The files in the order of the central directory, without directories.
  package let entries: [Entry]
  /// What a user should know: entries without a checksum.
  package let notes: [String]
  private let source: Bytes
  private let path: String?
  private let indices: [String: Int]

  /// Whether a file begins as a zip archive does: with an entry, or with the end record of an empty one.
  package static func matches(_ file: InputFile) throws(FileError) -> Bool {
    let head = try file.head(4)
    guard head.count == 4 else { return false }
    return [ZipRecords.localSignature, ZipRecords.endSignature].contains(ZipFields(bytes: head).u32(0))
  }

  /// Opens an archive; throws unless every rule of `formats/zip.md` holds. Without `maxRatio`, entries may inflate to
  /// anything.
  package init(_ file: InputFile, maxRatio: Int? = nil) throws(FileError) {
    try self.init(Bytes(file), path: file.path)
    if let maxRatio { try checkInflation(maxRatio) }
  }

  /// Opens an archive that is anywhere; `path` is what errors call it.
  package init(_ source: Bytes, path: String?) throws(FileError) {
    var entries: [Entry]
    var indices: [String: Int] = [:]
    do throws(FileError) {
      let directory = try ZipDirectory(source)
      entries = try directory.entries()
      entries.removeAll { $0.name.hasSuffix("/") }
      for (index, entry) in entries.enumerated() where indices.updateValue(index, forKey: entry.name) != nil {
        throw FileError(
          .malformed, "two entries are named '\(escaped(entry.name))', allowed one", offset: entry.headerOffset)
      }
    } catch {
      throw error.located(file: path)
    }
    let unchecked = entries.count { $0.crc32 == 0 && $0.size > 0 }
    notes = unchecked == 0 ? [] : ["\(unchecked) entries have no checksum: damage in them would not be noticed"]
    self.entries = entries
    self.indices = indices
    self.source = source
    self.path = path
  }

  /// How many bytes the deflated entries hold in all.
  var inflatedSize: Int { entries.reduce(0) { $1.method == .deflated ? $0 + $1.size : $0 } }

  private func checkInflation(_ maxRatio: Int) throws(FileError) {
    let deflated = entries.filter { $0.method == .deflated }
    // No overflow: each is at most 1,032 times its part of the file.
    let (size, compressed) = (inflatedSize, deflated.reduce(0) { $0 + $1.compressedSize })
    guard size > Limits.zipRatioFloor, size / maxRatio > compressed,
      let largest = deflated.max(by: { $0.size < $1.size })
    else { return }
    let name = "'\(escaped(largest.name))'"
    let what =
      deflated.count == 1
      ? "entry \(name) inflates" : "\(deflated.count) compressed entries, the largest \(name), inflate"
    throw FileError(
      .malformed, "\(what) \(compressed) bytes to \(size), allowed \(maxRatio) to 1",
      file: path, offset: largest.headerOffset,
      hint: "If that is what you expect, allow it with --max-ratio \(size / max(1, compressed) + 1)")
  }

  /// The data of an entry that is no tensor: it is read whole, and what it inflates to is not in the file.
  package func header(_ entry: Entry, limit: Int) throws(FileError) -> Bytes {
    guard entry.size <= limit else {
      throw FileError(
        .malformed, "entry '\(escaped(entry.name))' of \(entry.size) bytes, allowed \(limit)",
        file: path, offset: entry.dataOffset)
    }
    guard entry.size <= max(Limits.inflatedHeader, Limits.headerRatio * entry.compressedSize) else {
      throw FileError(
        .malformed,
        "entry '\(escaped(entry.name))' inflates \(entry.compressedSize) bytes to \(entry.size), allowed "
          + "\(Limits.headerRatio) to 1 above \(Limits.inflatedHeader) bytes",
        file: path, offset: entry.dataOffset, hint: "Write the archive again without compression")
    }
    return try bytes(of: entry)
  }

  /// The entry of that name, or nil.
  package subscript(name: String) -> Entry? { indices[name].map { entries[$0] } }

  /// The data of an entry, read when asked for. Reading to the end verifies the checksum; reading out of order
  /// verifies it before anything is handed out. Keep the result and slice it: a second call verifies again.
  ///
  /// A deflated entry is inflated from its beginning for each read that goes back behind every other that is under way.
  package func bytes(of entry: Entry) throws(FileError) -> Bytes {
    let data = try source.slice(entry.dataOffset, entry.compressedSize)
    switch entry.method {
    case .stored: return Bytes(StoredEntry(entry, data: data, path: path))
    case .deflated: return Bytes(DeflatedEntry(entry, data: data, path: path))
    }
  }
}
