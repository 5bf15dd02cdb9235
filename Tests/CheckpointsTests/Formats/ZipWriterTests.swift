import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct ZipWriterTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func write(_ name: String, _ body: (inout ZipWriter) throws -> Void) throws -> [UInt8] {
    let output = try FileWriter(directory.file(name))
    var writer = ZipWriter(output)
    try body(&writer)
    try writer.finish()
    try output.commit()
    return try Bytes(InputFile(directory.file(name))).load()
  }

  /// Every byte as APPNOTE lays it out.
  @Test func writesAnAlignedEntry() throws {
    let bytes = try write("a.zip") { try $0.add("é", Bytes(Array("data".utf8)), alignment: 64) }
    let crc = little(UInt32(0xADF3_F363))
    let sizes = little(UInt32(4)) + little(UInt32(4))
    let shared = [20, 0] + little(UInt16(0x0800)) + [0, 0, 0, 0, 0x21, 0] + crc + sizes + [2, 0] as [UInt8]
    let local = [0x50, 0x4B, 3, 4] + shared + [32, 0] + [0xC3, 0xA9] + [0x46, 0x42, 28, 0]
    let central =
      [0x50, 0x4B, 1, 2, 45, 3] + shared + [0, 0, 0, 0, 0, 0, 0, 0] + little(UInt32(0x81A4_0000))
      + little(UInt32(0)) + [0xC3, 0xA9]
    let end = [0x50, 0x4B, 5, 6, 0, 0, 0, 0, 1, 0, 1, 0] + little(UInt32(48)) + little(UInt32(68)) + [0, 0]
    #expect(bytes == local + [UInt8](repeating: 0x5A, count: 28) + Array("data".utf8) + central + end)
  }

  /// What could not be read again is not written.
  @Test func refusesMoreEntriesThanAreRead() throws {
    var writer = ZipWriter(FileWriter(measuring: "many.zip"))
    for number in 0..<Limits.zipEntries { try writer.add("\(number)", Bytes([])) }
    let error = #expect(throws: FileError.self) { try writer.add("last", Bytes([])) }
    #expect(error?.kind == .unsupported)
    #expect(error?.message == "more than 65536 entries of a zip archive")
  }

  @Test func writesNoPaddingUnlessAsked() throws {
    let bytes = try write("a.zip") { try $0.add("a", Bytes([7])) }
    #expect(bytes.count == 31 + 1 + 47 + 22)
    let archive = try ZipArchive(Bytes(bytes), path: nil)
    #expect(try archive.bytes(of: archive.entries[0]).load() == [7])
  }

  @Test(arguments: [1, 2, 16, 64, 4096]) func alignsEveryEntry(alignment: Int) throws {
    let bytes = try write("a.zip") { writer in
      for length in 0..<70 {
        try writer.add(String(repeating: "n", count: length + 1), Bytes(Array(0..<UInt8(length))), alignment: alignment)
      }
    }
    let archive = try ZipArchive(Bytes(bytes), path: nil)
    #expect(archive.entries.count == 70)
    for (length, entry) in archive.entries.enumerated() {
      #expect(entry.dataOffset % alignment == 0)
      #expect(try archive.bytes(of: entry).load() == Array(0..<UInt8(length)))
    }
  }

  @Test func refusesNamesThatDoNotFit() throws {
    let output = try FileWriter(directory.file("a.zip"))
    var writer = ZipWriter(output)
    let error = #expect(throws: FileError.self) {
      try writer.add(String(repeating: "n", count: 65_536), Bytes([]))
    }
    #expect(error?.message == "entry name of 65536 bytes, a zip archive allows 65535")
  }

  /// Entries of 5 GiB, beyond 4 GiB and beyond 65,535 in number: sizes only, no data.
  @Test func measuresWhatItWouldWrite() throws {
    struct Zeros: ByteSource {
      let count: Int
      func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
        throw FileError(.io, "a measuring writer reads nothing")
      }
    }
    let output = FileWriter(measuring: "big.zip")
    var writer = ZipWriter(output)
    try writer.add("a", Bytes(Zeros(count: 5 << 30)))
    try writer.add("b", Bytes(Zeros(count: 3)))
    #expect(output.offset == 31 + 20 + 5 << 30 + 31 + 3)
    try writer.finish()
    // 16 bytes of sizes for the one, 8 of offset for the other, and the zip64 end records.
    #expect(output.offset == 5 << 30 + 31 + 20 + 31 + 3 + (47 + 20) + (47 + 12) + 56 + 20 + 22)

    let many = FileWriter(measuring: "many.zip")
    writer = ZipWriter(many)
    for _ in 0..<65_535 { try writer.add("a", Bytes([])) }
    try writer.finish()
    #expect(many.offset == 65_535 * (31 + 47) + 56 + 20 + 22)
  }

  /// The headers of an archive of 5 GiB around a hole, read by us and by Python.
  @Test func zip64IsReadByPython() throws {
    let size = 5 << 30
    let first = ZipRecord(name: [0x61], size: size, compressedSize: size, headerOffset: 0)
    let header = first.localHeader(alignment: 64)
    #expect(header.count == 64)
    var second = ZipRecord(name: [0x62], size: 3, compressedSize: 3, headerOffset: header.count + size)
    second.crc32 = checksum([1, 2, 3])
    var tail = second.localHeader() + [1, 2, 3]
    let offset = header.count + size + tail.count
    let entries = first.centralHeader() + second.centralHeader()
    tail += entries + ZipRecord.end(count: 2, size: entries.count, offset: offset)

    let path = directory.file("big.zip")
    let descriptor = open(path, O_CREAT | O_WRONLY, 0o600)
    defer { close(descriptor) }
    #expect(pwrite(descriptor, header, header.count, 0) == header.count)
    #expect(pwrite(descriptor, tail, tail.count, header.count + size) == tail.count)

    let archive = try ZipArchive(InputFile(path))
    #expect(archive.entries.map(\.size) == [size, 3])
    #expect(archive.entries.map(\.headerOffset) == [0, 64 + size])
    #expect(archive.notes.count == 1)
    #expect(try archive.bytes(of: archive.entries[1]).load() == [1, 2, 3])
    let last = try archive.bytes(of: archive.entries[0]).slice(size - 2, 2).load()
    #expect(last == [0, 0])
    guard Python.light != nil else { return }
    let listing = try Python.run(
      Python.light,
      """
      import sys, zipfile
      archive = zipfile.ZipFile(sys.argv[1])
      print([(entry.filename, entry.file_size, entry.header_offset) for entry in archive.infolist()], archive.read("b"))
      """, path)
    #expect(listing == "[('a', \(size), 0), ('b', 3, \(64 + size))] b'\\x01\\x02\\x03'\n")
  }

  @Test(.enabled(if: Python.light != nil)) func isReadByPython() throws {
    _ = try write("a.zip") { writer in
      try writer.add("r/a", Bytes([1, 2, 3]), alignment: 64)
      try writer.add("r/é", Bytes([]), alignment: 64)
    }
    let listing = try Python.run(
      Python.light,
      """
      import sys, zipfile
      archive = zipfile.ZipFile(sys.argv[1])
      print(archive.testzip(), [(entry.filename, entry.date_time, archive.read(entry)) for entry in archive.infolist()])
      """, directory.file("a.zip"))
    let time = "(1980, 1, 1, 0, 0, 0)"
    #expect(listing == "None [('r/a', \(time), b'\\x01\\x02\\x03'), ('r/é', \(time), b'')]\n")
  }
}
