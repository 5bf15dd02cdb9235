import Checkpoints
import TestSupport
import Testing

/// Damage of every kind gives an error that says where, never a crash; and honest files of extreme size stay quick.
@Suite struct GGUFMutationTests {
  /// Every prefix of a file is refused, but for those that only lack zeros after the last tensor.
  @Test(arguments: ["types.gguf", "version2.gguf", "k-quants.gguf"]) func prefixes(name: String) throws {
    let directory = try TemporaryDirectory()
    let bytes = try fixtureBytes("checkpoints/gguf/\(name)")
    let path = try directory.write(bytes, to: name)
    let padding = bytes.reversed().prefix { $0 == 0 }.count
    #expect(padding < 64)
    for length in (0..<bytes.count).reversed() {
      try directory.resize(name, to: length)
      if length >= bytes.count - padding {
        #expect(try read(path).files.count == 1, "\(length)")
      } else {
        let error = #expect(throws: FileError.self, "\(length)") { try read(path) }
        #expect(error?.offset != nil, "\(length)")
        #expect(error?.kind == .truncated, "\(length)")
      }
    }
  }

  private func read(_ path: String) throws -> Checkpoint { try GGUF.read(InputFile(path), options: ReadOptions()) }

  /// One flipped bit in the header is refused with a message, or gives another readable checkpoint.
  @Test func everyBitOfTheHeader() throws {
    let builder = GGUFBuilder().adding("general.alignment", 4, little(UInt32(32)))
      .adding("list", 9, little(UInt32(8)) + little(UInt64(2)) + string("ab") + string("c"))
      .adding("flag", 7, [1]).adding("f", 12, little(Double(1).bitPattern))
      .adding(tensor: "w", [3, 2]).adding(tensor: "q", [32], type: 8, offset: 32)
      .with(data: [UInt8](repeating: 1, count: 24) + [UInt8](repeating: 0, count: 8) + [UInt8](repeating: 2, count: 34))
    let bytes = builder.bytes
    let directory = try TemporaryDirectory()
    var refused = 0
    for bit in 0..<(builder.header.count * 8) {
      var flipped = bytes
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      do {
        let checkpoint = try read(directory.write(flipped, to: "flipped.gguf"))
        #expect(checkpoint.names.count + checkpoint.unreadable.count == 2)
      } catch let error as FileError {
        #expect(!error.message.isEmpty)
        refused += 1
      }
    }
    #expect(refused > builder.header.count * 4)
  }

  /// Bytes changed at random places, several at once.
  @Test(arguments: 0..<8) func randomBytes(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let bytes = try fixtureBytes("checkpoints/gguf/types.gguf")
    let directory = try TemporaryDirectory()
    let header = 2_500
    for _ in 0..<150 {
      var changed = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        changed[Int.random(in: 0..<header, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if Bool.random(using: &random) { changed.removeLast(Int.random(in: 0..<changed.count, using: &random)) }
      do {
        let checkpoint = try read(directory.write(changed, to: "changed.gguf"))
        for name in checkpoint.names { _ = try checkpoint[name]?.bytes.load() }
      } catch let error as FileError {
        #expect(!error.message.isEmpty, "seed \(seed)")
      }
    }
  }

  private struct SplitMix64: RandomNumberGenerator {
    var seed: UInt64
    mutating func next() -> UInt64 {
      seed &+= 0x9E37_79B9_7F4A_7C15
      var value = seed
      value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
      value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
      return value ^ (value >> 31)
    }
  }

  /// 100,000 keys, tensors and strings: linear work. The bound is far above what it takes even without optimisation.
  @Test func hundredThousandOfEverything() throws {
    let count = 100_000
    var builder = GGUFBuilder()
    builder.metadata = (0..<count).map { string("key.\($0)") + little(UInt32(4)) + little(UInt32($0)) }
    builder.tensors = (0..<count).map {
      string("tensor.\($0)") + little(UInt32(1)) + little(UInt64(1)) + little(UInt32(24)) + little(UInt64($0 * 32))
    }
    let strings = (0..<count).flatMap { string("token \($0)") }
    builder = builder.adding("list", 9, little(UInt32(8)) + little(UInt64(count)) + strings)
      .with(data: [UInt8](repeating: 0, count: count * 32))
    let bytes = builder.bytes
    let clock = ContinuousClock()
    var checkpoint = Checkpoint()
    let elapsed = try clock.measure { checkpoint = try readGGUF(bytes) }
    #expect(checkpoint.metadata["key.99999"] == .uint32(99_999))
    #expect(checkpoint.metadata["list"]?.strings?.last == "token 99999")
    #expect(checkpoint.names.count == count)
    #expect(elapsed < .seconds(10))
  }

  /// A header may not be larger than the limit, however large the file is.
  @Test func headersAreLimited() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(
      GGUFBuilder().changed { $0.metadataCount = 1 }.header + string("k") + little(UInt32(8))
        + little(UInt64(Limits.ggufHeader)), to: "sparse.gguf")
    try directory.resize("sparse.gguf", to: Limits.ggufHeader + 1000)
    let error = #expect(throws: FileError.self) { try read(path) }
    let message = "length of metadata 'k': 100000000 of at least 1 bytes each, 99999955 bytes remain"
    #expect(error?.message == "\(message) of the 100000000 that a header may take")
    #expect(error?.kind == .malformed)
  }
}
