import Checkpoints
import Testing

@Suite struct SwappedBytesTests {
  /// Reads that begin and end inside a value give the same bytes as whole ones.
  @Test(arguments: [2, 4, 8]) func everySlice(size: Int) throws {
    let base = Array(0..<UInt8(3 * size))
    let swapped = stride(from: 0, to: base.count, by: size).flatMap { base[$0..<($0 + size)].reversed() }
    let bytes = Bytes(try SwappedBytes(Bytes(base), size: size))
    for start in 0...base.count {
      for end in start...base.count {
        #expect(try bytes.slice(start, end - start).load() == Array(swapped[start..<end]))
      }
    }
  }

  @Test func refusesPartsOfValues() {
    for (count, size) in [(7, 2), (6, 4), (4, 3), (4, 0)] {
      #expect(throws: FileError.self) { try SwappedBytes(Bytes([UInt8](repeating: 0, count: count)), size: size) }
    }
  }
}
