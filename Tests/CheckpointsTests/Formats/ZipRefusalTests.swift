import Checkpoints
import TestSupport
import Testing

/// Every archive that must be refused, with the words that say why.
@Suite struct ZipRefusalTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var kind: FileError.Kind
    var message: String
    var bytes: [UInt8]

    /// A valid archive of two entries, spoilt by `change`.
    init(
      _ name: String, _ kind: FileError.Kind, _ message: String, change: (inout ZipBuilder) -> Void
    ) {
      var builder = ZipBuilder([.init("r/a", Array(0..<40)), .deflated("r/b", Array(40..<90))])
      change(&builder)
      testDescription = name
      self.kind = kind
      self.message = message
      bytes = builder.bytes
    }
  }

  static let structure: [Case] = [
    Case("bytes after", .malformed, "1 bytes after the end of the archive, allowed 0") { $0.suffix = [0] },
    Case("comment", .malformed, "2 bytes after the end of the archive, allowed 0") { $0.comment = [65, 66] },
    Case("bytes far after", .truncated, "no end record in the last bytes of the zip archive") {
      $0.suffix = [UInt8](repeating: 0, count: 1 << 20)
    },
    Case("bytes before", .malformed, "directory at 161, expected 164: 3 bytes before the archive") {
      $0.prefix = [1, 2, 3]
    },
    Case("bytes before, offsets corrected", .malformed, "3 bytes between the beginning of the file and entry 'r/a'") {
      $0.prefix = [1, 2, 3]
      $0.entries[0].offset = 3
      $0.entries[1].offset = 76
      $0.directoryOffset = 164
    },
    Case("hole", .malformed, "5 bytes between entry 'r/a' and entry 'r/b', allowed 0") {
      $0.entries[0].gap = [1, 2, 3, 4, 5]
    },
    Case("hole behind a data descriptor", .malformed, "25 bytes between entry 'r/b' and the directory, allowed 24") {
      $0.entries[1].gap = [UInt8](repeating: 0, count: 25)
      $0.entries[1].flags = 8
    },
    Case("disk in the end record", .unsupported, "archive of several disks, allowed one") { $0.disk = 1 },
    Case("disks in the locator", .unsupported, "archive of 2 disks, allowed 1") {
      $0.beforeEnd = { ZipBuilder.zip64End(count: 2, size: UInt64($1), offset: UInt64($0), at: $0 + $1, disks: 2) }
    },
    Case("disk of an entry", .unsupported, "entry 'r/a' is on disk 7, allowed 0") { $0.entries[0].disk = 7 },
    Case("too many entries", .malformed, "60000 entries need a directory of at least 2760000 bytes, found 98") {
      $0.count = 60_000
    },
    Case("too few entries", .malformed, "49 bytes after the 1 entries of the directory, allowed 0") { $0.count = 1 },
    Case("directory size", .malformed, "directory of 4000000000 bytes at 161, allowed 259") {
      $0.directorySize = 4_000_000_000
    },
    Case("directory offset", .malformed, "directory at 4000000000, expected 161") {
      $0.directoryOffset = 4_000_000_000
    },
    Case("million entries", .malformed, "1000000 entries, allowed 65536") {
      $0.count = 0xFFFF
      $0.beforeEnd = { ZipBuilder.zip64End(count: 1_000_000, size: UInt64($1), offset: UInt64($0), at: $0 + $1) }
    },
    Case("zip64 directory of 2^63 bytes", .malformed, "directory of 9223372036854775808 bytes") {
      $0.directorySize = 0xFFFF_FFFF
      $0.beforeEnd = { ZipBuilder.zip64End(count: 2, size: 1 << 63, offset: UInt64($0), at: $0 + $1) }
    },
    Case("two directories", .malformed, "the end record and the zip64 end record describe two different directories") {
      $0.beforeEnd = { ZipBuilder.zip64End(count: 1, size: UInt64($1), offset: UInt64($0), at: $0 + $1) }
    },
    Case("zip64 end record elsewhere", .malformed, "zip64 end record at 3, expected 259") {
      $0.beforeEnd = { ZipBuilder.zip64End(count: 2, size: UInt64($1), offset: UInt64($0), at: 3) }
    },
    Case("no zip64 end record", .malformed, "no zip64 end record where the locator points") {
      $0.beforeEnd = {
        var records = ZipBuilder.zip64End(count: 2, size: UInt64($1), offset: UInt64($0), at: $0 + $1)
        records[0] = 0
        return records
      }
    },
  ]

  static let entries: [Case] = [
    Case("duplicate names", .malformed, "two entries are named 'r/a', allowed one") {
      $0.entries[1] = .init("r/a", [1])
    },
    Case("names that differ by normalisation", .malformed, "two entries are named 'e\u{301}', allowed one") {
      $0.entries = [.init("\u{E9}", [1]), .init("e\u{301}", [2])]
    },
    Case("NUL in a name", .malformed, "entry name 'r\\u{0}a' is empty or contains NUL") {
      $0.entries[0].name[1] = 0
    },
    Case("empty name", .malformed, "entry name '' is empty or contains NUL") { $0.entries[0] = .init("", [1]) },
    Case("name not UTF-8", .malformed, "entry name is not valid UTF-8") { $0.entries[0].name[1] = 0xFF },
    Case("other name in the local header", .malformed, "name or method of entry 'r/a' differ from its local header") {
      $0.entries[0].localName[2] = UInt8(ascii: "b")
    },
    Case("other method in the local header", .malformed, "name or method of entry 'r/a' differ") {
      $0.entries[0].localMethod = 8
    },
    Case("other size in the local header", .malformed, "sizes or checksum of entry 'r/a' differ") {
      $0.entries[0].localSize = 39
    },
    Case("other checksum in the local header", .malformed, "sizes or checksum of entry 'r/a' differ") {
      $0.entries[0].localCRC = 1
    },
    Case("zeros in the local header without a data descriptor", .malformed, "sizes or checksum of entry 'r/a' differ") {
      $0.entries[0].localSize = 0
    },
    Case("no local header", .malformed, "no header of entry 'r/a' where the directory says") {
      $0.entries[0].offset = 1
    },
    Case("offset beyond the directory", .malformed, "entry 'r/a' has the size or offset 4000000000") {
      $0.entries[0].offset = 4_000_000_000
    },
    Case("header that reaches into the directory", .truncated, "entry 'r/a' at 150 with 40 bytes reaches beyond 161") {
      $0.entries[0].offset = 150
    },
    Case("data that reaches into the directory", .truncated, "entry 'r/a' at 0 with 160 bytes reaches beyond 161") {
      $0.entries[0].compressedSize = 160
      $0.entries[0].size = 160
    },
    Case("overlap", .malformed, "entry 'r/b' begins inside entry 'r/a', which ends at 74") {
      $0.entries[0].compressedSize = 41
      $0.entries[0].localCompressedSize = 41
      $0.entries[0].size = 41
      $0.entries[0].localSize = 41
    },
    Case("two entries, one data", .malformed, "entry 'r/a' begins inside entry 'r/a', which ends at 73") {
      $0.entries[1] = $0.entries[0]
      $0.entries[1].offset = 0
    },
    Case("encrypted in the directory", .unsupported, "entry 'r/a' is encrypted") { $0.entries[0].flags = 1 },
    Case("encrypted in the local header", .unsupported, "entry 'r/a' is encrypted") { $0.entries[0].localFlags = 1 },
    Case("encrypted in both", .unsupported, "entry 'r/a' is encrypted") {
      $0.entries[0].flags = 0x41
      $0.entries[0].localFlags = 0x41
    },
    Case("bzip2", .unsupported, "entry 'r/a' is compressed with bzip2, allowed: stored, deflate") {
      $0.entries[0].method = 12
    },
    Case("lzma", .unsupported, "compressed with lzma") { $0.entries[0].method = 14 },
    Case("zstd", .unsupported, "compressed with zstd") { $0.entries[0].method = 93 },
    Case("unknown method", .unsupported, "compressed with method 77") { $0.entries[0].method = 77 },
    Case("stored entry of two sizes", .malformed, "stored entry 'r/a' takes 40 bytes but declares 41") {
      $0.entries[0].size = 41
    },
    Case("more than deflate can", .malformed, "entry 'r/b' declares that 55 bytes inflate to 56761, deflate reaches") {
      $0.entries[1].size = 55 * 1032 + 1
    },
    Case("zip64 size 2^63", .malformed, "entry 'r/a' has the size or offset 9223372036854775808") {
      $0.entries[0].size = 0xFFFF_FFFF
      $0.entries[0].extra = little(UInt16(1)) + little(UInt16(8)) + little(UInt64(1) << 63)
    },
    Case("zip64 size that is not there", .malformed, "entry 'r/a' has the size or offset 4294967295") {
      $0.entries[0].compressedSize = 0xFFFF_FFFF
    },
    Case("directory with data", .malformed, "directory 'r/' has 1 bytes, allowed 0") {
      $0.entries[0] = .init("r/", [1])
    },
    Case("checksum of nothing", .malformed, "empty entry 'r/a' declares a checksum, allowed 0") {
      $0.entries[0] = .init("r/a", [])
      ($0.entries[0].crc, $0.entries[0].localCRC) = (5, 5)
    },
  ]

  @Test(arguments: structure + entries) func refusesToOpen(_ archive: Case) throws {
    let error = #expect(throws: FileError.self) { try ZipArchive(Bytes(archive.bytes), path: "a.zip") }
    #expect(error?.kind == archive.kind)
    #expect(error?.message.contains(archive.message) == true, "found: \(error?.description ?? "")")
    #expect(error?.file == "a.zip")
    #expect(error?.offset != nil)
  }

  /// Damage that shows when the data is read: at the end of a pass, and again for every read after it.
  @Test func refusesWrongChecksums() throws {
    var builder = ZipBuilder([.init("a", Array(0..<100)), .deflated("b", Array(0..<100))])
    builder.entries[0].data[50] ^= 1
    builder.entries[1].data[50] ^= 1
    let archive = try ZipArchive(Bytes(builder.bytes), path: "a.zip")
    let stored = try archive.bytes(of: #require(archive["a"]))
    #expect(try stored.slice(0, 40).load() == Array(0..<40))
    for _ in 0..<2 {
      let error = #expect(throws: FileError.self) { try stored.slice(60, 10).load() }
      #expect(error?.message.hasPrefix("entry 'a' has the CRC-32 0x") == true)
      #expect(error?.message.hasSuffix("the archive declares 0x\(String(checksum(Array(0..<100)), radix: 16))") == true)
      #expect(error?.file == "a.zip")
      #expect(error?.offset == 31)
    }
    let deflated = try archive.bytes(of: #require(archive["b"]))
    let error = #expect(throws: FileError.self) { try deflated.load() }
    #expect(error?.message == "entry 'b' does not have the CRC-32 that the archive declares")
    #expect(error?.file == "a.zip")
  }

  @Test(arguments: [
    (100, "entry 'a' inflates to more than the 100 bytes it declares"),
    (1001, "entry 'a' inflates to 1000 bytes, 1001 declared"),
  ]) func refusesOtherSizesThanDeclared(declared: Int, message: String) throws {
    var builder = ZipBuilder([.deflated("a", [UInt8](repeating: 7, count: 1000))])
    (builder.entries[0].size, builder.entries[0].localSize) = (UInt32(declared), UInt32(declared))
    let archive = try ZipArchive(Bytes(builder.bytes), path: nil)
    let bytes = try archive.bytes(of: #require(archive["a"]))
    #expect(bytes.count == declared)
    let error = #expect(throws: FileError.self) { try bytes.load() }
    #expect(error?.message == message)
  }

  @Test func refusesDamagedDeflateStreams() throws {
    var builder = ZipBuilder([.deflated("a", Array(0..<100))])
    builder.entries[0].data[0] = 7
    let archive = try ZipArchive(Bytes(builder.bytes), path: nil)
    let error = #expect(throws: FileError.self) { try archive.bytes(of: archive.entries[0]).load() }
    #expect(error?.message.hasPrefix("entry 'a' cannot be inflated at byte 0") == true)
    #expect(error?.offset == 31)
  }

  @Test func opensAsManyEntriesAsAllowed() throws {
    #expect(try ZipArchive(Bytes(Self.archive(of: 65_536)), path: nil).entries.count == 65_536)
  }

  /// The count is refused before a million headers are looked at.
  @Test func refusesTooManyEntriesAtOnce() throws {
    let bytes = Bytes(Self.archive(of: 65_537))
    let time = ContinuousClock().measure {
      let error = #expect(throws: FileError.self) { try ZipArchive(bytes, path: nil) }
      #expect(error?.message == "65537 entries, allowed 65536")
    }
    #expect(time < .seconds(1))
  }

  private static func archive(of count: Int) -> [UInt8] {
    var builder = ZipBuilder((0..<count).map { .init("\($0)", []) })
    builder.count = 0xFFFF
    builder.beforeEnd = {
      ZipBuilder.zip64End(count: UInt64(count), size: UInt64($1), offset: UInt64($0), at: $0 + $1)
    }
    return builder.bytes
  }
}
