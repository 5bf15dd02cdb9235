import Checkpoints
import TestSupport
import Testing

/// X9 and X10: cut and damaged files give a located error or the right numbers, never a crash.
@Suite struct PyTorchDamageTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// Opens a file and reads every tensor.
  private func readAll(_ bytes: [UInt8], options: ReadOptions = ReadOptions()) throws -> FileError? {
    let path = try directory.write(bytes, to: "damaged.pt")
    do throws(FileError) {
      let checkpoint = try Checkpoint.open(path, options: options)
      for name in checkpoint.names { _ = try checkpoint[name]?.bytes.load() }
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: ["types-p4.pt", "types-legacy-p2.pt", "types-legacy-p4.pt", "module-legacy.pt", "script.pt"])
  func everyPrefixIsRefused(_ file: String) throws {
    let bytes = try fixtureBytes("checkpoints/pytorch/\(file)")
    // Every length of the smallest one; the others in steps that fall on every kind of opcode and record.
    let step = file == "types-legacy-p4.pt" ? 1 : 13
    for length in stride(from: 0, to: bytes.count, by: step) {
      let error = try readAll(Array(bytes[..<length]))
      #expect(error != nil, "cut at \(length)")
      #expect(error?.offset != nil, "cut at \(length): \(error?.description ?? "")")
    }
  }

  @Test func trailingBytesAreRefused() throws {
    for file in ["types-p2.pt", "types-legacy-p2.pt"] {
      let bytes = try fixtureBytes("checkpoints/pytorch/\(file)")
      #expect(try readAll(bytes + [0]) != nil)
      #expect(try readAll(bytes + [UInt8](repeating: 0, count: 1 << 20)) != nil)
    }
  }

  /// Every bit of the pickle, in an archive whose checksums are right.
  @Test(arguments: ["types-p2.pt", "types-p5.pt", "objects-p4.pt", "module.pt", "script.pt"])
  func flippedBitsOfThePickle(_ file: String) throws {
    let zip = try ZipArchive(InputFile(fixture("checkpoints/pytorch/\(file)")))
    let pickleEntry = try #require(zip.entries.first { $0.name.hasSuffix("data.pkl") })
    let pickle = try zip.bytes(of: pickleEntry).load()
    let others = try zip.entries.filter { $0 != pickleEntry && !$0.name.contains("/code/") }
      .map { ($0.name, try zip.bytes(of: $0).load()) }
    let archive = try PyTorchFile()
    var generator = SeededRandom(seed: 20_261_123)
    for _ in 0..<120 {
      var damaged = pickle
      damaged[Int.random(in: damaged.indices, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      let path = try archive.archive([(pickleEntry.name, damaged)] + others)
      do throws(FileError) {
        let checkpoint = try Checkpoint.open(path)
        for name in checkpoint.names { _ = try checkpoint[name]?.bytes.load() }
      } catch {
        #expect(!error.message.isEmpty)
      }
    }
  }

  @Test(arguments: ["types-legacy-p2.pt", "views-legacy.pt", "types-p2.pt"])
  func flippedBitsOfTheFile(_ file: String) throws {
    let bytes = try fixtureBytes("checkpoints/pytorch/\(file)")
    var generator = SeededRandom(seed: 20_261_124)
    for _ in 0..<200 {
      var damaged = bytes
      damaged[Int.random(in: damaged.indices, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      if let error = try readAll(damaged) { #expect(!error.message.isEmpty) }
    }
  }

  /// Damage to a storage is found when it is read: an archive has checksums.
  @Test func damagedStoragesAreNoticed() throws {
    var bytes = try fixtureBytes("checkpoints/pytorch/types-p2.pt")
    let zip = try ZipArchive(Bytes(bytes), path: nil)
    let entry = try #require(zip.entries.first { $0.name == "types-p2/data/0" })
    bytes[entry.dataOffset] ^= 1
    let error = try readAll(bytes)
    #expect(error?.message.hasPrefix("entry 'types-p2/data/0' has the CRC-32") == true)
  }

  /// A pickle's bytes in random order: most opcodes are met in places where they do not belong.
  @Test func shuffledOpcodes() throws {
    let archive = try PyTorchFile()
    let parts: [[UInt8]] = [
      P.mark, P.emptyDict, P.emptyList, P.emptyTuple, P.tensor(), P.text("w"), P.put(0), P.get(0), P.setItem,
      P.setItems,
      P.append, [0x65], [0x74], [0x85], [0x86], [0x87], P.orderedDict, P.global("a", "B"), P.newObject, P.build, P.none,
      P.reduce, P.storage(), [0x30], [0x31], [0x32], [0x6C], [0x64], [0x91], [0x94], P.int(3),
    ]
    var generator = SeededRandom(seed: 20_261_125)
    for _ in 0..<600 {
      let count = Int.random(in: 1...40, using: &generator)
      let body = (0..<count).flatMap { _ in parts.randomElement(using: &generator) ?? [] }
      if let error = try archive.error(P.pickle(body)) { #expect(!error.message.isEmpty) }
    }
  }
}
