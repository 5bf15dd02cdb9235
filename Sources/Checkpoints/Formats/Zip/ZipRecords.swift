/// The records of a zip archive as bytes: APPNOTE 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 (zip64 end
/// record), 4.3.15 (zip64 locator), 4.3.16 (end record) and 4.5.3 (zip64 extra field).
enum ZipRecords {
  static let localSignature = 0x0403_4B50
  static let centralSignature = 0x0201_4B50
  static let endSignature = 0x0605_4B50
  static let end64Signature = 0x0606_4B50
  static let locator64Signature = 0x0706_4B50
  static let localSize = 30
  static let centralSize = 46
  static let endSize = 22
  static let end64Size = 56
  static let locator64Size = 20
  /// What a 16- or 32-bit field says when the number stands in a zip64 record.
  static let saturated16 = 0xFFFF
  static let saturated32 = 0xFFFF_FFFF
  static let zip64Field = 0x0001
  /// The extra field with which PyTorch aligns data: "FB".
  static let paddingField = 0x4246
}

/// The numbers of a record that is in memory as a whole: every call asks for an offset inside it.
struct ZipFields {
  let bytes: [UInt8]
  func u16(_ at: Int) -> Int { Int(load(at, as: UInt16.self)) }
  func u32(_ at: Int) -> Int { Int(load(at, as: UInt32.self)) }
  func u64(_ at: Int) -> UInt64 { load(at, as: UInt64.self) }

  private func load<T: FixedWidthInteger>(_ at: Int, as type: T.Type) -> T {
    bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: type)) }
  }

  /// The content of the first extra field of that id in the bytes from `start` on; nil when there is none, or when the
  /// fields before it are not well formed (some writers pad with zeros).
  func extraField(_ id: Int, from start: Int) -> ZipFields? {
    var at = start
    while at + 4 <= bytes.count {
      let end = at + 4 + u16(at + 2)
      guard end <= bytes.count else { return nil }
      if u16(at) == id { return ZipFields(bytes: Array(bytes[(at + 4)..<end])) }
      at = end
    }
    return nil
  }
}

/// One entry's headers, for writing.
package struct ZipRecord {
  package var name: [UInt8]
  package var method = ZipArchive.Method.stored
  package var size: Int
  package var compressedSize: Int
  package var crc32: UInt32 = 0
  package var headerOffset: Int

  package init(name: [UInt8], size: Int, compressedSize: Int, headerOffset: Int) {
    self.name = name
    self.size = size
    self.compressedSize = compressedSize
    self.headerOffset = headerOffset
  }

  private var needs64: Bool { max(size, compressedSize) >= ZipRecords.saturated32 }

  /// The local header, with its data aligned when `alignment` is more than 1. The checksum stands at byte 14.
  package func localHeader(alignment: Int = 1) -> [UInt8] {
    var extra: [UInt8] = []
    if needs64 { extra += field(ZipRecords.zip64Field, little(UInt64(size)) + little(UInt64(compressedSize))) }
    if alignment > 1 {
      let start = headerOffset + ZipRecords.localSize + name.count + extra.count + 4
      let gap = (alignment - start % alignment) % alignment
      extra += field(ZipRecords.paddingField, [UInt8](repeating: UInt8(ascii: "Z"), count: gap))
    }
    return little(UInt32(ZipRecords.localSignature)) + shared(needs64) + little(UInt16(name.count))
      + little(UInt16(extra.count)) + name + extra
  }

  /// The entry in the central directory.
  package func centralHeader() -> [UInt8] {
    let farAway = headerOffset >= ZipRecords.saturated32
    var numbers: [UInt8] = []
    if needs64 { numbers += little(UInt64(size)) + little(UInt64(compressedSize)) }
    if farAway { numbers += little(UInt64(headerOffset)) }
    let extra = numbers.isEmpty ? [] : field(ZipRecords.zip64Field, numbers)
    // Made by version 4.5 on Unix: a regular file that its owner may write and everybody may read. On any other system
    // `unzip` takes names for code page 437.
    return little(UInt32(ZipRecords.centralSignature)) + little(UInt16(0x0300 + 45)) + shared(needs64 || farAway)
      + little(UInt16(name.count)) + little(UInt16(extra.count)) + [UInt8](repeating: 0, count: 6)
      + little(UInt32(0o100644) << 16) + little(UInt32(farAway ? ZipRecords.saturated32 : headerOffset)) + name + extra
  }

  /// The 22 bytes that both headers have: version needed, UTF-8 flag, method, 1980-01-01, checksum, sizes.
  private func shared(_ isZip64: Bool) -> [UInt8] {
    little(UInt16(isZip64 ? 45 : 20)) + little(UInt16(0x0800)) + little(method.rawValue) + little(UInt16(0))
      + little(UInt16(0x0021)) + little(crc32) + little(UInt32(needs64 ? ZipRecords.saturated32 : compressedSize))
      + little(UInt32(needs64 ? ZipRecords.saturated32 : size))
  }

  private func field(_ id: Int, _ content: [UInt8]) -> [UInt8] {
    little(UInt16(id)) + little(UInt16(content.count)) + content
  }

  /// The records after a central directory of `count` entries that takes `size` bytes at `offset`.
  package static func end(count: Int, size: Int, offset: Int) -> [UInt8] {
    var result: [UInt8] = []
    if count >= ZipRecords.saturated16 || max(size, offset) >= ZipRecords.saturated32 {
      let version = little(UInt16(45))
      result += little(UInt32(ZipRecords.end64Signature)) + little(UInt64(44)) + version + version
      result += little(UInt64(0)) + little(UInt64(count)) + little(UInt64(count)) + little(UInt64(size))
      result += little(UInt64(offset))
      result += little(UInt32(ZipRecords.locator64Signature)) + little(UInt32(0)) + little(UInt64(offset + size))
      result += little(UInt32(1))
    }
    let count = little(UInt16(min(count, ZipRecords.saturated16)))
    result += little(UInt32(ZipRecords.endSignature)) + little(UInt32(0)) + count + count
    result += little(UInt32(min(size, ZipRecords.saturated32)))
    return result + little(UInt32(min(offset, ZipRecords.saturated32))) + little(UInt16(0))
  }
}

private func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
