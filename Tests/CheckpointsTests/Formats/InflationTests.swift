import Checkpoints
import Synchronization
import TestSupport
import Testing

/// Z6, Z12 and their like: what compressed entries may cost, and checksums of data that is used in part.
@Suite struct InflationTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func open(_ entries: [ZipBuilder.Entry], _ options: ReadOptions = ReadOptions()) throws -> Checkpoint {
    try Checkpoint.open(directory.write(ZipBuilder(entries).bytes, to: "archive"), options: options)
  }

  /// Zeros as an array of bytes.
  private func array(_ name: String, runs: Int) -> ZipBuilder.Entry {
    let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (\(1 + 258 * runs),), }\n"
    let head = [0x93] + Array("NUMPY".utf8) + [1, 0] + little(UInt16(text.utf8.count)) + Array(text.utf8)
    return .zeros(name, after: head, runs: runs)
  }

  @Test func honestBombsNeedTheirOption() throws {
    let entries = [array("a.npy", runs: 200_000), array("b.npy", runs: 70_000), .init("c.npy", [])]
    let error = #expect(throws: FileError.self) { try open(Array(entries.prefix(2))) }
    let size = entries.prefix(2).reduce(0) { $0 + Int($1.size) }
    let compressed = entries.prefix(2).reduce(0) { $0 + $1.data.count }
    #expect(
      error?.message == "2 compressed entries, the largest 'a.npy', inflate \(compressed) bytes to \(size), "
        + "allowed 100 to 1")
    #expect(error?.kind == .malformed)
    #expect(error?.hint == "If that is what you expect, allow it with --max-ratio \(size / compressed + 1)")
    let allowed = try open(Array(entries.prefix(2)), ReadOptions(maxRatio: size / compressed + 1))
    #expect(allowed.names == ["a", "b"])
    // One that is small is nobody's harm: a tensor of zeros.
    #expect(try open([array("a.npy", runs: 200_000)]).byteCount == 1 + 258 * 200_000)
  }

  @Test func theFixedCodesAreThoseOfDeflate() throws {
    let checkpoint = try open([array("a.npy", runs: 3)])
    #expect(try checkpoint["a"]?.bytes.load() == [UInt8](repeating: 0, count: 1 + 258 * 3))
  }

  /// Neither 16 times its size nor small: not what anybody's pickle or metadata compresses to.
  @Test(arguments: ["a/data.pkl", "a/clipkit_metadata.json"]) func headersDoNotInflateWithoutEnd(_ name: String) throws
  {
    var entries: [ZipBuilder.Entry] = [.zeros(name, runs: 20_000)]
    if name != "a/data.pkl" {
      entries.append(.init("a/data.pkl", P.pickle(P.dict(("w", P.tensor())))))
      entries.append(.init("a/data/0", sixFloats))
    }
    let error = #expect(throws: FileError.self) { try open(entries) }
    #expect(
      error?.message == "entry '\(name)' inflates \(entries[0].data.count) bytes to 5160001, allowed 16 to 1 above "
        + "4194304 bytes")
    #expect(error?.hint == "Write the archive again without compression")
  }

  /// What a deflated pickle asks for is measured by its bytes in the file: here 4 MB of empty lists in 26 kB.
  @Test func valuesOfACompressedPickleAreBounded() throws {
    let lists =
      P.proto + P.mark + [UInt8](repeating: 0x5D, count: 600_000) + [0x31] + P.dict(("w", P.tensor())) + P.stop
    var pickle = ZipBuilder.Entry.deflated("a/data.pkl", lists)
    (pickle.crc, pickle.localCRC) = (0, 0)
    let error = #expect(throws: FileError.self) { try open([pickle, .init("a/data/0", sixFloats)]) }
    #expect(error?.message.hasPrefix("values take more than ") == true, "\(error?.message ?? "")")
  }

  /// 300 tensors at the end of one storage of 4 MiB would inflate 1.2 GB.
  @Test func sharedStoragesAreNotInflatedWithoutEnd() throws {
    let count = (1 + 258 * 16_000) / 4
    func entries(_ tensors: Int) -> [ZipBuilder.Entry] {
      let items = (0..<tensors).map {
        ("t\($0)", P.tensor(P.storage(count: count), offset: count - 1 - $0, shape: [1], strides: [1]))
      }
      let dict = P.emptyDict + P.mark + items.flatMap { P.text($0.0) + $0.1 } + P.setItems
      return [.init("a/data.pkl", P.pickle(dict)), .zeros("a/data/0", runs: 16_000)]
    }
    let error = #expect(throws: FileError.self) { try open(entries(300)) }
    #expect(error?.message.hasPrefix("tensors that share compressed storages, '0' last, inflate 11") == true)
    #expect(error?.kind == .malformed)
    let few = try open(entries(3))
    #expect(try few["t2"]?.bytes.load() == [0, 0, 0, 0])
  }

  /// Two readers of one entry, in turn, each go on where they were.
  @Test func readersInTurnDoNotBeginAgain() throws {
    final class Counting: ByteSource {
      let bytes: Bytes
      let read = Atomic(0)
      init(_ bytes: [UInt8]) { self.bytes = Bytes(bytes) }
      var count: Int { bytes.count }
      func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
        read.add(buffer.count, ordering: .relaxed)
        try bytes.read(at: offset, into: buffer)
      }
    }
    var random = SeededRandom(seed: 1)
    let data = (0..<(4 << 20)).map { _ in UInt8.random(in: 0...255, using: &random) }
    let source = Counting(ZipBuilder([.deflated("a", data)]).bytes)
    let archive = try ZipArchive(Bytes(source), path: nil)
    let bytes = try archive.bytes(of: archive.entries[0])
    let half = data.count / 2
    var parts: [[UInt8]] = [[], []]
    for offset in stride(from: 0, to: half, by: 64 << 10) {
      for part in 0...1 { parts[part] += try bytes.slice(part * half + offset, 64 << 10).load() }
    }
    #expect(parts[0] + parts[1] == data)
    #expect(source.read.load(ordering: .relaxed) < 3 * source.count)
  }

  /// A view of the beginning, of the middle, and one that is gathered: each read to its end has the storage verified.
  @Test(arguments: [false, true]) func partsOfAStorageAreVerifiedToItsEnd(isDeflated: Bool) throws {
    let views = [
      P.tensor(shape: [2], strides: [1]), P.tensor(offset: 2, shape: [2], strides: [1]),
      P.tensor(shape: [2, 2], strides: [1, 2]), P.tensor(P.storage(count: 3), shape: [3], strides: [1]),
    ]
    for view in views {
      let pickle = ZipBuilder.Entry("a/data.pkl", P.pickle(P.dict(("w", view))))
      var storage = isDeflated ? ZipBuilder.Entry.deflated("a/data/0", sixFloats) : .init("a/data/0", sixFloats)
      #expect(throws: Never.self) { try open([pickle, storage])["w"]?.bytes.load() }
      storage.data[storage.data.count - 1] ^= 1
      let tensor = try #require(try open([pickle, storage])["w"])
      let error = #expect(throws: FileError.self) { try tensor.bytes.load() }
      #expect(error?.message.hasPrefix("entry 'a/data/0' ") == true && error?.message.contains("CRC-32") == true)
    }
  }
}
