/// A zip archive written out field by field, so that a test can spoil each of them.
package struct ZipBuilder {
  /// One entry; the numbers that differ from what `data` implies are set after it was made.
  package struct Entry {
    package var name: [UInt8]
    package var localName: [UInt8]
    package var data: [UInt8]
    package var method: UInt16 = 0
    package var localMethod: UInt16 = 0
    package var flags: UInt16 = 0
    package var localFlags: UInt16 = 0
    package var crc: UInt32
    package var localCRC: UInt32
    package var compressedSize: UInt32
    package var size: UInt32
    package var localCompressedSize: UInt32
    package var localSize: UInt32
    package var disk: UInt16 = 0
    package var extra: [UInt8] = []
    package var localExtra: [UInt8] = []
    /// Bytes behind the data that belong to no record.
    package var gap: [UInt8] = []
    /// Where the directory says that the entry begins; nil for where it does.
    package var offset: UInt32?

    /// A stored entry whose every field is right.
    package init(_ name: String, _ data: [UInt8]) {
      self.name = Array(name.utf8)
      localName = self.name
      self.data = data
      crc = checksum(data)
      localCRC = crc
      (compressedSize, size) = (UInt32(data.count), UInt32(data.count))
      (localCompressedSize, localSize) = (compressedSize, size)
    }

    /// An entry of deflate's stored blocks, that inflates to `data`.
    package static func deflated(_ name: String, _ data: [UInt8]) -> Entry {
      var stream: [UInt8] = []
      var rest = data[...]
      repeat {
        let block = rest.prefix(0xFFFF)
        rest = rest.dropFirst(0xFFFF)
        stream += [rest.isEmpty ? 1 : 0] + little(UInt16(block.count)) + little(~UInt16(block.count)) + block
      } while !rest.isEmpty
      var entry = Entry(name, stream)
      (entry.method, entry.localMethod) = (8, 8)
      (entry.crc, entry.localCRC) = (checksum(data), checksum(data))
      (entry.size, entry.localSize) = (UInt32(data.count), UInt32(data.count))
      return entry
    }

    /// An entry of some bytes and then `1 + 258 · runs` zeros, in one block of deflate's fixed codes: 158 to 1. It
    /// declares no checksum.
    package static func zeros(_ name: String, after head: [UInt8] = [], runs: Int) -> Entry {
      var stream: [UInt8] = []
      var (byte, filled) = (0, 0)
      func put(_ code: Int, _ length: Int) {
        for bit in (0..<length).reversed() {
          byte |= (code >> bit & 1) << filled
          filled += 1
          if filled == 8 {
            stream.append(UInt8(byte))
            (byte, filled) = (0, 0)
          }
        }
      }
      put(0b110, 3)  // the last block, of fixed codes
      for value in (head + [0]).map(Int.init) { value < 144 ? put(0x30 + value, 8) : put(0x190 + value - 144, 9) }
      for _ in 0..<runs { put(0b1100_0101_00000, 13) }  // length 258, distance 1
      put(0, 14)  // the end, and the rest of its byte
      var entry = Entry(name, stream)
      (entry.method, entry.localMethod, entry.crc, entry.localCRC) = (8, 8, 0, 0)
      (entry.size, entry.localSize) = (UInt32(head.count + 1 + 258 * runs), UInt32(head.count + 1 + 258 * runs))
      return entry
    }
  }

  package var prefix: [UInt8] = []
  package var entries: [Entry]
  package var suffix: [UInt8] = []
  package var comment: [UInt8] = []
  package var disk: UInt16 = 0
  /// What the end record says; nil for what is true.
  package var count: UInt16?
  package var directorySize: UInt32?
  package var directoryOffset: UInt32?
  /// Bytes between the directory and the end record: zip64 records, from the directory's offset and size.
  package var beforeEnd: (_ offset: Int, _ size: Int) -> [UInt8] = { _, _ in [] }

  /// An archive whose every field is right.
  package init(_ entries: [Entry]) { self.entries = entries }

  /// The archive.
  package var bytes: [UInt8] {
    var bytes = prefix
    var directory: [UInt8] = []
    for entry in entries {
      let offset = entry.offset ?? UInt32(bytes.count - prefix.count)
      bytes += little(UInt32(0x0403_4B50)) + little(UInt16(20)) + little(entry.localFlags) + little(entry.localMethod)
      bytes += little(UInt32(0x0021_0000)) + little(entry.localCRC) + little(entry.localCompressedSize)
      bytes += little(entry.localSize) + little(UInt16(entry.localName.count)) + little(UInt16(entry.localExtra.count))
      bytes += entry.localName + entry.localExtra + entry.data + entry.gap
      directory += little(UInt32(0x0201_4B50)) + little(UInt32(20 << 16 | 20)) + little(entry.flags)
      directory += little(entry.method) + little(UInt32(0x0021_0000)) + little(entry.crc) + little(entry.compressedSize)
      directory += little(entry.size) + little(UInt16(entry.name.count)) + little(UInt16(entry.extra.count))
      directory += little(UInt16(0)) + little(entry.disk) + little(UInt16(0)) + little(UInt32(0)) + little(offset)
      directory += entry.name + entry.extra
    }
    let offset = bytes.count - prefix.count
    bytes += directory + beforeEnd(offset, directory.count)
    let count = count ?? UInt16(entries.count)
    bytes += little(UInt32(0x0605_4B50)) + little(disk) + little(disk) + little(count) + little(count)
    bytes += little(directorySize ?? UInt32(directory.count)) + little(directoryOffset ?? UInt32(offset))
    return bytes + little(UInt16(comment.count)) + comment + suffix
  }

  /// The zip64 end record and its locator.
  package static func zip64End(count: UInt64, size: UInt64, offset: UInt64, at position: Int, disks: UInt32 = 1)
    -> [UInt8]
  {
    little(UInt32(0x0606_4B50)) + little(UInt64(44)) + little(UInt32(45 << 16 | 45)) + little(UInt64(0))
      + little(count) + little(count) + little(size) + little(offset) + little(UInt32(0x0706_4B50)) + little(UInt32(0))
      + little(UInt64(position)) + little(disks)
  }
}

/// A number's little-endian bytes.
package func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// CRC-32 bit by bit, from its definition: polynomial 0xEDB88320, reflected, inverted before and after.
package func checksum(_ bytes: [UInt8]) -> UInt32 {
  var crc: UInt32 = ~0
  for byte in bytes {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0xEDB8_8320 }
  }
  return ~crc
}
