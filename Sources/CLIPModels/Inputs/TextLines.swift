import Checkpoints

/// Splits a list into its entries and says which line is wrong.
enum TextLines {
  static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  /// The lines of UTF-8 text, each ended by LF or CR LF, the last one perhaps not; or the entries ended by NUL, of which
  /// nothing is trimmed.
  ///
  /// - Parameters:
  ///   - what: what an entry is, for errors.
  ///   - limit: the bytes that an entry may have.
  /// - Throws: `malformed`, with the number of the line, for one that is empty, too long, not UTF-8 or that holds NUL.
  static func split(_ bytes: [UInt8], nulSeparated: Bool = false, what: String, limit: Int) throws(FileError)
    -> [String]
  {
    let separator: UInt8 = nulSeparated ? 0 : 0x0A
    var entries: [String] = []
    var start = !nulSeparated && bytes.starts(with: byteOrderMark) ? byteOrderMark.count : 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: separator) ?? bytes.count
      var entry = bytes[start..<end]
      if !nulSeparated, entry.last == 0x0D { entry = entry.dropLast() }
      do throws(FileError) {
        entries.append(try text(entry, what: what, limit: limit))
      } catch {
        var error = error
        error.message = "\(nulSeparated ? "entry" : "line") \(entries.count + 1) \(error.message)"
        throw error.located(offset: start)
      }
      start = end + 1
    }
    return entries
  }

  private static func text(_ bytes: ArraySlice<UInt8>, what: String, limit: Int) throws(FileError) -> String {
    guard !bytes.isEmpty else { throw FileError(.malformed, "is empty, expected \(what)") }
    guard bytes.count <= limit else {
      throw FileError(.malformed, "has \(bytes.count) bytes, allowed \(limit)")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw FileError(.malformed, "is not UTF-8", hint: "Save the list as UTF-8")
    }
    guard !bytes.contains(0) else { throw FileError(.malformed, "contains NUL") }
    return text
  }
}
