import Checkpoints
import Synchronization
import TestSupport
import Testing

@Suite struct ZipArchiveTests {
  private func open(_ builder: ZipBuilder) throws -> ZipArchive { try ZipArchive(Bytes(builder.bytes), path: "a.zip") }

  private func load(_ archive: ZipArchive, _ name: String) throws -> [UInt8] {
    try archive.bytes(of: #require(archive[name])).load()
  }

  @Test func readsStoredAndDeflatedEntries() throws {
    let long = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 251) }
    let archive = try open(
      ZipBuilder([ZipBuilder.Entry("root/a", [1, 2, 3]), .deflated("root/é", long), ZipBuilder.Entry("empty", [])]))
    #expect(archive.entries.map(\.name) == ["root/a", "root/é", "empty"])
    #expect(archive.entries.map(\.size) == [3, 200_000, 0])
    #expect(archive.entries[0].dataOffset == 36)
    #expect(try load(archive, "root/a") == [1, 2, 3])
    #expect(try load(archive, "root/é") == long)
    #expect(try load(archive, "empty") == [])
    #expect(archive["root"] == nil)
    #expect(archive.notes.isEmpty)
  }

  @Test func readsAnEmptyArchive() throws {
    #expect(try open(ZipBuilder([])).entries.isEmpty)
  }

  @Test func leavesDirectoriesOut() throws {
    let archive = try open(ZipBuilder([ZipBuilder.Entry("root/", []), ZipBuilder.Entry("root/a", [7])]))
    #expect(archive.entries.map(\.name) == ["root/a"])
  }

  /// Data descriptors, zero checksums in local headers, padding and a zip64 end record.
  @Test func readsWhatTorchWrites() throws {
    let archive = try ZipArchive(InputFile(fixture("checkpoints/openai-vit.pt")))
    #expect(archive.entries.count > 50)
    #expect(archive.entries.allSatisfy { $0.dataOffset % 64 == 0 })
    for entry in archive.entries { #expect(try archive.bytes(of: entry).load().count == entry.size) }
    #expect(try load(archive, "openai-vit/version") == Array("3\n".utf8))
    #expect(archive.notes.isEmpty)
  }

  /// A TorchScript archive with deflated code, entry for entry.
  @Test(.enabled(if: Python.peers != nil)) func agreesWithPythonOnTorchScript() throws {
    let directory = try TemporaryDirectory()
    let listing = try Python.run(
      Python.peers,
      """
      import hashlib, sys, torch, zipfile
      torch.jit.script(torch.nn.Sequential(torch.nn.Linear(30, 20), torch.nn.GELU())).save(sys.argv[1])
      archive = zipfile.ZipFile(sys.argv[1])
      for entry in archive.infolist():
          method = {0: "stored", 8: "deflated"}[entry.compress_type]
          print(entry.filename, method, hashlib.sha256(archive.read(entry)).hexdigest())
      """, directory.file("script.pt"))
    let archive = try ZipArchive(InputFile(directory.file("script.pt")))
    let found = try archive.entries.map { entry in
      "\(entry.name) \(entry.method) \(try SHA256.hex(SHA256.hash(of: archive.bytes(of: entry))))"
    }
    #expect(found == listing.split(separator: "\n").map(String.init))
    #expect(Set(archive.entries.map(\.method)) == [.stored, .deflated])
  }

  @Test func notesMissingChecksums() throws {
    let archive = try ZipArchive(InputFile(fixture("checkpoints/torch-without-checksums.pt")))
    #expect(archive.notes == ["7 entries have no checksum: damage in them would not be noticed"])
    let data = try load(archive, "torch-without-checksums/data/0")
    #expect(data == (0..<6).flatMap { little(Float($0).bitPattern) })
  }

  @Test func readsDataWithoutChecksumInAnyOrder() throws {
    var stored = ZipBuilder.Entry("a", Array(0..<100))
    var deflated = ZipBuilder.Entry.deflated("b", Array(0..<100))
    (stored.crc, stored.localCRC, deflated.crc, deflated.localCRC) = (0, 0, 0, 0)
    let archive = try open(ZipBuilder([stored, deflated]))
    #expect(archive.notes == ["2 entries have no checksum: damage in them would not be noticed"])
    for name in ["a", "b"] {
      let bytes = try archive.bytes(of: #require(archive[name]))
      #expect(try bytes.slice(50, 50).load() == Array(50..<100))
      #expect(try bytes.load() == Array(0..<100))
    }
  }

  /// Every order of reads gives the data; sizes that are not those of any chunk.
  @Test(arguments: [0, 1, 2, 3, 4] as [UInt64]) func readsInAnyOrder(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let data = (0..<70_000).map { _ in UInt8.random(in: 0...255, using: &random) }
    let archive = try open(ZipBuilder([ZipBuilder.Entry("a", data), .deflated("b", data)]))
    for name in ["a", "b"] {
      let bytes = try archive.bytes(of: #require(archive[name]))
      for _ in 0..<20 {
        let range = Int.random(in: 0...data.count, using: &random)
        let length = Int.random(in: 0...(data.count - range), using: &random)
        #expect(try bytes.slice(range, length).load() == Array(data[range..<(range + length)]))
      }
    }
  }

  @Test func readsFromManyThreads() throws {
    let data = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let archive = try open(ZipBuilder([ZipBuilder.Entry("a", data), .deflated("b", data)]))
    for name in ["a", "b"] {
      let bytes = try archive.bytes(of: #require(archive[name]))
      let wrong = Mutex(0)
      try parallelForEach(30, threads: 4) { (index) throws(FileError) in
        let part = try bytes.slice(index * 10_000, 10_000).load()
        if part != Array(data[(index * 10_000)..<((index + 1) * 10_000)]) { wrong.withLock { $0 += 1 } }
      }
      #expect(wrong.withLock { $0 } == 0)
    }
  }
}
