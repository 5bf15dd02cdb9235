import Checkpoints
import TestSupport
import Testing

/// Whatever happens to an archive of arrays, it is refused or it holds what it held.
@Suite struct NPZDamageTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private struct Content: Equatable {
    var dtype: DType
    var shape: [Int]
    var bytes: [UInt8]
  }

  private func contents(_ bytes: [UInt8], _ name: String = "x.npz") throws -> [String: Content] {
    let file = try InputFile(directory.write(bytes, to: name))
    guard try NPZ.matches(file) else { throw FileError(.unsupported, "not recognised") }
    let checkpoint = try NPZ.read(file, options: ReadOptions())
    if let refusal = checkpoint.unreadable.first { throw refusal }
    var contents: [String: Content] = [:]
    for name in checkpoint.names {
      let tensor = try #require(checkpoint[name])
      contents[name] = Content(dtype: tensor.dtype, shape: tensor.shape, bytes: try tensor.bytes.load())
    }
    return contents
  }

  private static let array = NPYFile(
    descr: "'>f4'", order: "True", shape: "(2, 3)", data: Array(0..<24)
  ).bytes
  private static let archives: [[UInt8]] = [
    ZipBuilder([.init("a/x.npy", array), .init("b.npy", NPYFile(shape: "()", data: [1]).bytes)]).bytes,
    ZipBuilder([.deflated("a/x.npy", array), .deflated("b.npy", NPYFile(shape: "()", data: [1]).bytes)]).bytes,
  ]

  @Test(arguments: archives.indices) func everyPrefixIsRefused(_ index: Int) throws {
    let bytes = Self.archives[index]
    #expect(try contents(bytes).count == 2)
    for length in 0..<bytes.count {
      #expect(throws: FileError.self) { try contents(Array(bytes[..<length])) }
    }
  }

  @Test func everyPrefixOfAnArrayIsRefused() throws {
    #expect(try contents(Self.array, "x.npy").count == 1)
    for length in 0..<Self.array.count {
      #expect(throws: FileError.self) { try contents(Array(Self.array[..<length]), "x.npy") }
    }
  }

  @Test(arguments: archives.indices) func everyFlippedBitIsNoticedOrHarmless(_ index: Int) throws {
    let original = Self.archives[index]
    let whole = try contents(original)
    // Deflated archives are tried bit by bit in ZipDamageTests.
    for bit in stride(from: 0, to: original.count * 8, by: index == 0 ? 1 : 7) {
      var bytes = original
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      do {
        #expect(try contents(bytes) == whole, "bit \(bit)")
      } catch {
        #expect(error is FileError)
      }
    }
  }

  @Test(arguments: 0..<8 as Range<UInt64>) func randomDamageOfAnArrayNeverTraps(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<200 {
      var bytes = Self.array
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let alphabet = Array("()[]{}',:<>|0123456789LTrueFalse-. \n\\\0\u{7F}".utf8) + [0x80, 0xFF]
        bytes[Int.random(in: 6..<bytes.count, using: &random)] = alphabet.randomElement(using: &random) ?? 0
      }
      // Without a checksum the values may be others; their number may not.
      if let found = try? contents(bytes, "x.npy")["x"] {
        #expect(found.bytes.count == found.shape.reduce(1, *) * found.dtype.blockBytes, "seed \(seed)")
      }
    }
  }
}
