import Checkpoints
import TestSupport
import Testing

/// Statistics and comparison against what numpy says of the same tensors.
@Suite struct TensorReductionTests {
  private static func tensors() throws -> Checkpoint {
    try Safetensors.read(InputFile(fixture("numerics/reductions.safetensors")), options: ReadOptions())
  }

  private static func expected() throws -> JSONValue {
    try JSONValue(parsing: fixtureBytes("numerics/reductions.json"))
  }

  private static func isClose(_ found: Double, _ expected: Double?) -> Bool {
    guard let expected else { return found.isNaN }
    return found == expected || abs(found - expected) <= 1e-12 * max(abs(found), abs(expected))
  }

  @Test func statisticsAsNumpy() throws {
    let tensors = try Self.tensors()
    let expected = try #require(try Self.expected()["statistics"]?.object)
    #expect(expected.keys.count == 19)
    for name in expected.keys {
      let numbers = try #require(expected[name])
      let found = try TensorStatistics(try #require(tensors[name]))
      #expect(found.min == numbers["min"]?.number || (found.min.isNaN && numbers["min"] == .null), "\(name)")
      #expect(found.max == numbers["max"]?.number || (found.max.isNaN && numbers["max"] == .null), "\(name)")
      #expect(Self.isClose(found.mean, numbers["mean"]?.number), "\(name): \(found.mean)")
      #expect(Self.isClose(found.standardDeviation, numbers["std"]?.number), "\(name): \(found.standardDeviation)")
      #expect(found.count == numbers["count"]?.integer && found.zeros == numbers["zeros"]?.integer, "\(name)")
      #expect(found.nanCount == numbers["nan"]?.integer, "\(name)")
      #expect(found.positiveInfinities == numbers["positive"]?.integer, "\(name)")
      #expect(found.negativeInfinities == numbers["negative"]?.integer, "\(name)")
    }
  }

  @Test func comparisonsAsNumpy() throws {
    let tensors = try Self.tensors()
    let expected = try #require(try Self.expected()["comparisons"]?.array)
    #expect(expected.count == 16)
    for numbers in expected {
      let (a, b) = (try #require(numbers["a"]?.string), try #require(numbers["b"]?.string))
      let found = try TensorComparison(try #require(tensors[a]), try #require(tensors[b]))
      #expect(!found.isEqual && found.differing == numbers["differing"]?.integer, "\(a) \(b)")
      #expect(found.nanMismatches == numbers["nan_mismatches"]?.integer, "\(a) \(b)")
      #expect(found.maxAbsolute == numbers["max_absolute"]?.string.flatMap(Double.init), "\(a) \(b)")
      let hasMaximum = found.maxAbsolute > 0
      #expect(found.maxAbsoluteIndex == (hasMaximum ? numbers["index"]?.integer : nil), "\(a) \(b)")
      let relative = hasMaximum ? numbers["relative"]?.string.flatMap(Double.init) : 0
      #expect(Self.isClose(found.relative, relative), "\(a) \(b): \(found.relative)")
      #expect(Self.isClose(found.cosine, numbers["cosine"]?.number), "\(a) \(b): \(found.cosine)")
      #expect(Self.isClose(found.distance, numbers["distance"]?.number), "\(a) \(b): \(found.distance)")
    }
  }

  @Test func blocksAreDequantized() throws {
    let numbers = try numbers("blocks")
    for dtype in [DType.q8_0, .q4_0, .q4_1, .q5_0, .q5_1] {
      let f32 = try Tensor(dtype: .f32, shape: [40, 32], bytes: Bytes(try #require(numbers["\(dtype)_to_f32"])))
      let blocks = try Tensor(dtype: dtype, shape: [40, 32], bytes: Bytes(try #require(numbers["\(dtype)"])))
      #expect(try TensorStatistics(blocks) == TensorStatistics(f32))
      let comparison = try TensorComparison(blocks, f32)
      #expect(comparison.isEqual && comparison.maxAbsolute == 0 && comparison.maxAbsoluteIndex == nil)
    }
  }

  /// A tensor of several chunks: one number differs in the last, and places count from the start.
  @Test func chunksAreOneTensor() throws {
    var values = (0..<100_003).map { Float($0 % 7) - 2 }
    let a = try Tensor(dtype: .f32, shape: [100_003], bytes: Bytes(bytes(values)))
    values[70_000] += 0.5
    values[99_999] += 3
    let b = try Tensor(dtype: .f32, shape: [100_003], bytes: Bytes(bytes(values)))
    let found = try TensorComparison(a, b)
    #expect(!found.isEqual && found.differing == 2 && found.maxAbsolute == 3 && found.maxAbsoluteIndex == 99_999)
    #expect(found.relative == 0.75 && found.distance == (9.25).squareRoot())
    let statistics = try TensorStatistics(a)
    #expect(statistics.count == 100_003 && statistics.zeros == 14_286 && statistics.min == -2 && statistics.max == 4)
  }

  /// Three chunks far from zero, each with a mean of its own. Half of the numbers are 8 below, half 8 above, and the
  /// chunks' means are 800 apart: the variance is 8² plus that of the means.
  @Test func varianceOfChunksDoesNotCancel() throws {
    let chunk = 32 << 10
    let values = (0..<3 * chunk).map { Float(100_000_000 + 800 * ($0 / chunk - 1) + ($0 % 2 == 0 ? 8 : -8)) }
    let statistics = try TensorStatistics(
      Tensor(dtype: .f32, shape: [values.count], bytes: Bytes(bytes(values))))
    #expect(statistics.mean == 100_000_000)
    let expected = (64 + 800 * 800 * 2 / 3.0).squareRoot()
    #expect(abs(statistics.standardDeviation - expected) < 1e-9 * expected)
  }

  /// Bytes decide between tensors of one type, numbers between types.
  @Test func whatEqualMeans() throws {
    func f32(_ values: [Float]) throws -> Tensor {
      try Tensor(dtype: .f32, shape: [values.count], bytes: Bytes(bytes(values)))
    }
    let zero = try TensorComparison(f32([0, 1]), f32([-0.0, 1]))
    #expect(!zero.isEqual && zero.differing == 0 && zero.maxAbsolute == 0 && zero.cosine == 1)
    let nan = try TensorComparison(f32([.nan, 1]), f32([Float(bitPattern: 0x7FC0_0001), 1]))
    #expect(!nan.isEqual && nan.differing == 0 && nan.nanMismatches == 0)
    #expect(try TensorComparison(f32([.nan, .infinity]), f32([.nan, .infinity])).isEqual)
    let f16 = try f32([.nan, -0.0, 1.5, -.infinity]).cast(to: .f16)
    #expect(try TensorComparison(f16, f32([.nan, 0, 1.5, -.infinity])).isEqual)
    #expect(try TensorComparison(f32([]), f32([])).isEqual)
  }

  @Test func differentCountsAreRefused() throws {
    let a = try Tensor(dtype: .u8, shape: [2, 2], bytes: Bytes([1, 2, 3, 4]))
    let error = #expect(throws: FileError.self) { try TensorComparison(a, a.rows(0..<1)) }
    #expect(error?.kind == .mismatch)
    #expect(try TensorComparison(a, a.reshaped([4])).isEqual)
  }
}
