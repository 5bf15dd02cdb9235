import Checkpoints
import TestSupport
import Testing

/// Blocks through files and casts, against what gguf-py made of the same numbers: rows of every magnitude from 1e-30
/// to 3e38, ties, zeros of both signs, denormal rows; then blocks of random bits whose scales are infinite, NaN or
/// denormal.
@Suite struct GGUFBlockTests {
  private let blocks: Checkpoint

  init() throws {
    blocks = try GGUF.read(InputFile(fixture("checkpoints/gguf/blocks.gguf")), options: ReadOptions())
  }

  private func words(_ tensor: Tensor?) throws -> [UInt32] {
    let bytes = try #require(tensor).bytes.load()
    return bytes.withUnsafeBytes { buffer in
      stride(from: 0, to: bytes.count, by: 4).map {
        UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: $0, as: UInt32.self))
      }
    }
  }

  @Test func quantizesAsGGUFPy() throws {
    let source = try #require(blocks["source"])
    let expected = try #require(blocks["q8_0"]).bytes.load()
    let found = try source.cast(to: .q8_0)
    #expect(found.shape == blocks["q8_0"]?.shape)
    let bytes = try found.bytes.load()
    for row in 0..<(expected.count / 34) {
      let range = (row * 34)..<(row * 34 + 34)
      #expect(Array(bytes[range]) == Array(expected[range]), "row \(row)")
    }
    #expect(expected.count == 34 * 42 && bytes.count == expected.count)
  }

  @Test(arguments: [DType.q8_0, .q4_0, .q4_1, .q5_0, .q5_1], ["", "any."])
  func dequantizesAsGGUFPy(dtype: DType, prefix: String) throws {
    let tensor = try #require(blocks["\(prefix)\(dtype)"])
    #expect(tensor.dtype == dtype)
    let expected = try words(blocks["\(prefix)\(dtype).f32"])
    let found = try words(tensor.cast(to: .f32))
    #expect(found.count == expected.count)
    for (index, (left, right)) in zip(found, expected).enumerated() {
      let bothNaN = Float(bitPattern: left).isNaN && Float(bitPattern: right).isNaN
      #expect(left == right || bothNaN, "element \(index)")
    }
  }
}
