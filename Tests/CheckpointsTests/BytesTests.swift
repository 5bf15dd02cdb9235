import Checkpoints
import TestSupport
import Testing

@Suite struct BytesTests {
  /// Every slice of every concatenation of a few parts equals the same slice of the plain array.
  @Test func slicesOfConcatenationsAreThoseOfTheArray() throws {
    let parts: [[UInt8]] = [[0, 1, 2], [], [3], [4, 5, 6, 7]]
    let all = parts.flatMap { $0 }
    let bytes = Bytes(concatenating: parts.map { Bytes($0) })
    #expect(bytes.count == all.count)
    for start in 0...all.count {
      for length in 0...(all.count - start) {
        let slice = try bytes.slice(start, length)
        #expect(try slice.load() == Array(all[start..<(start + length)]))
        for inner in 0...length {
          #expect(try slice.slice(inner, length - inner).load() == Array(all[(start + inner)..<(start + length)]))
        }
      }
    }
    for (offset, length) in [(-1, 1), (0, 9), (8, 1), (9, 0), (1, .max), (.max, 1)] {
      #expect(throws: FileError.self) { try bytes.slice(offset, length) }
    }
  }

  @Test(arguments: [1, 3, 8, 100]) func chunksCoverEverything(size: Int) throws {
    let array = (0..<50).map { UInt8($0) }
    var seen: [UInt8] = []
    try Bytes(array).forEachChunk(of: size) { (chunk) throws(FileError) in seen += Array(chunk) }
    #expect(seen == array)
  }

  /// A transposed matrix, read at every offset and length, against the plain loop.
  @Test func stridedViewsAreGatheredAtAnyOffset() throws {
    let (rows, columns) = (3, 5)
    let matrix = (0..<(rows * columns)).map { UInt16($0 * 257) }
    let bytes = matrix.withUnsafeBytes { Bytes(Array($0)) }
    let tensor = try Tensor(dtype: .u16, shape: [rows, columns], bytes: bytes)
    var expected: [UInt16] = []
    for column in 0..<columns { for row in 0..<rows { expected.append(matrix[row * columns + column]) } }
    let plain = expected.withUnsafeBytes { Array($0) }
    let transposed = try tensor.transposed()
    #expect(transposed.shape == [columns, rows])
    for start in 0...plain.count {
      for length in 0...(plain.count - start) {
        #expect(try transposed.bytes.slice(start, length).load() == Array(plain[start..<(start + length)]))
      }
    }
    #expect(try transposed.transposed().bytes.load() == bytes.load())
  }

  @Test func viewsBeyondTheStorageAreRefused() {
    let base = Bytes([UInt8](repeating: 0, count: 16))
    let cases: [(shape: [Int], strides: [Int], offset: Int)] = [
      ([5], [1], 0), ([4], [1], 1), ([2, 2], [3, 1], 0), ([2], [-1], 1), ([2], [.max], 0), ([.max, .max], [1, 1], 0),
      ([1], [1], 4), ([1], [1], -1), ([1, 2], [1], 0),
    ]
    for view in cases {
      #expect(throws: FileError.self, "\(view)") {
        try StridedBytes(base, elementSize: 4, shape: view.shape, strides: view.strides, offset: view.offset)
      }
    }
    #expect(throws: Never.self) {
      // Nothing is read of a view without elements, wherever its strides lead.
      try StridedBytes(base, elementSize: 4, shape: [0, 7], strides: [.max, 1], offset: 4)
    }
  }
}

@Suite struct TensorTests {
  @Test func sizesMustAgree() {
    #expect(throws: FileError.self) { try Tensor(dtype: .f32, shape: [2], bytes: Bytes([0, 0, 0, 0])) }
    #expect(throws: FileError.self) { try Tensor(dtype: .q8_0, shape: [33], bytes: Bytes([])) }
    #expect(throws: FileError.self) { try DType.f64.byteCount(shape: [1 << 62]) }
    #expect(throws: FileError.self) { try DType.u8.byteCount(shape: [0, 1 << 62, 4]) }
    #expect(throws: FileError.self) { try DType.u8.byteCount(shape: [-1]) }
    #expect(throws: FileError.self) { try DType.u8.byteCount(shape: [Int](repeating: 1, count: 33)) }
    #expect(try! DType.q8_0.byteCount(shape: [2, 64]) == 2 * 2 * 34)
    #expect(try! DType.u8.byteCount(shape: []) == 1)
  }

  @Test func rowsAndConcatenationUndoEachOther() throws {
    let tensor = try Tensor(dtype: .u8, shape: [4, 2], bytes: Bytes([0, 1, 2, 3, 4, 5, 6, 7]))
    let halves = [try tensor.rows(0..<1), try tensor.rows(1..<4)]
    #expect(try halves[1].bytes.load() == [2, 3, 4, 5, 6, 7])
    #expect(try Tensor(concatenating: halves).bytes.load() == tensor.bytes.load())
    #expect(throws: FileError.self) { try tensor.rows(3..<5) }
    let other = try Tensor(dtype: .i8, shape: [1, 2], bytes: Bytes([0, 0]))
    #expect(throws: FileError.self) { try Tensor(concatenating: [tensor, other]) }
  }
}
