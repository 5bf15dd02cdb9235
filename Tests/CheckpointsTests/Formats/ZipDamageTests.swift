import Checkpoints
import TestSupport
import Testing

/// Whatever happens to an archive, it is refused or it holds what it held.
@Suite struct ZipDamageTests {
  static let archives: [(name: String, bytes: [UInt8])] = [
    ("built", ZipBuilder([.init("r/a", Array(0..<40)), .init("r/", []), .deflated("r/b", Array(40..<90))]).bytes),
    ("numpy", (try? fixtureBytes("checkpoints/numpy-types-deflated.npz")) ?? []),
    ("torch", torch),
  ]

  /// The first entries of what torch writes, with data descriptors and a zip64 end: small enough to try every bit.
  private static let torch: [UInt8] = {
    var first = ZipBuilder.Entry("t/data.pkl", Array(0..<30))
    (first.flags, first.localFlags) = (0x808, 0x808)
    (first.localCRC, first.localSize, first.localCompressedSize) = (0, 0, 0)
    first.localExtra = [0x46, 0x42, 20, 0] + [UInt8](repeating: 0x5A, count: 20)
    first.gap = little(UInt32(0x0807_4B50)) + little(first.crc) + little(first.size) + little(first.size)
    var builder = ZipBuilder([first])
    builder.beforeEnd = { ZipBuilder.zip64End(count: 1, size: UInt64($1), offset: UInt64($0), at: $0 + $1) }
    return builder.bytes
  }()

  private func contents(_ bytes: [UInt8]) throws(FileError) -> [String: [UInt8]] {
    let archive = try ZipArchive(Bytes(bytes), path: nil)
    var contents: [String: [UInt8]] = [:]
    for entry in archive.entries { contents[entry.name] = try archive.bytes(of: entry).load() }
    return contents
  }

  @Test(arguments: archives.indices) func everyPrefixIsRefused(_ index: Int) throws {
    let bytes = Self.archives[index].bytes
    #expect(try !contents(bytes).isEmpty)
    for length in stride(from: 0, to: bytes.count, by: bytes.count < 1000 ? 1 : 41) {
      #expect(throws: FileError.self) { try ZipArchive(Bytes(Array(bytes[..<length])), path: nil) }
    }
  }

  @Test(arguments: archives.indices) func everyFlippedBitIsNoticedOrHarmless(_ index: Int) throws {
    var bytes = Self.archives[index].bytes
    let whole = try contents(bytes)
    var random = SeededRandom(seed: 1)
    for bit in 0..<(bytes.count * 8) where bytes.count < 1000 || Int.random(in: 0..<512, using: &random) == 0 {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      defer { bytes[bit / 8] ^= 1 << UInt8(bit % 8) }
      // Refused, or all as it was: the bits of times, versions and data descriptors mean nothing here.
      if let found = try? contents(bytes) { #expect(found == whole, "bit \(bit)") }
    }
  }

  @Test(arguments: 0..<8 as Range<UInt64>) func randomDamageNeverTraps(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    for (name, original) in Self.archives {
      let whole = try contents(original)
      for _ in 0..<40 {
        var bytes = original
        for _ in 0..<Int.random(in: 1...6, using: &random) {
          let position = Int.random(in: 0..<bytes.count, using: &random)
          bytes[position] =
            [0, 1, 0x7F, 0x80, 0xFF, UInt8.random(in: 0...255, using: &random)].randomElement(
              using: &random) ?? 0
        }
        if let found = try? contents(bytes) { #expect(found == whole, "\(name), seed \(seed)") }
      }
    }
  }
}
