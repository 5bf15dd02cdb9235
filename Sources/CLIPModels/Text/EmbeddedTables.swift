import CTokenizer

/// The tables inside the binary: `Sources/CTokenizer/README.md` has their formats and sources.
enum EmbeddedTables {
  static var merges: UnsafeRawBufferPointer { bytes(ck_merges()) }
  static var unicode: UnsafeRawBufferPointer { bytes(ck_unicode()) }
  static var entities: UnsafeRawBufferPointer { bytes(ck_entities()) }
  static var ftfy: UnsafeRawBufferPointer { bytes(ck_ftfy()) }

  private static func bytes(_ data: ck_data) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: data.bytes, count: data.count)
  }

  /// The words of each line of a text table.
  static func lines(_ table: UnsafeRawBufferPointer) -> [[Substring]] {
    table.split(separator: UInt8(ascii: "\n")).map { line in
      String(decoding: line, as: UTF8.self).utf8.split(separator: UInt8(ascii: " ")).map { Substring($0) }
    }
  }

  /// Numbers in hexadecimal, between commas.
  static func numbers(_ text: Substring) -> [UInt32] {
    text.utf8.split(separator: UInt8(ascii: ",")).compactMap { UInt32(Substring($0), radix: 16) }
  }

  /// Ranges of numbers in hexadecimal, between commas: `41-5a,61`.
  static func ranges(_ text: Substring) -> [ClosedRange<UInt32>] {
    text.utf8.split(separator: UInt8(ascii: ",")).compactMap { part in
      let bounds = part.split(separator: UInt8(ascii: "-")).compactMap { UInt32(Substring($0), radix: 16) }
      guard let low = bounds.first, let high = bounds.last, low <= high else { return nil }
      return low...high
    }
  }
}
