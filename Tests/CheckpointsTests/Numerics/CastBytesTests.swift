import Checkpoints
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct CastBytesTests {
  static let sources: [DType] = [.f16, .bf16, .f32, .f64, .q8_0, .q4_0, .q4_1, .q5_0, .q5_1]
  static let targets: [DType] = [.f16, .bf16, .f32, .f64, .q8_0]

  /// 320 numbers of a type, made by the reference libraries where it has blocks.
  private static func tensor(_ dtype: DType) throws -> Tensor {
    let elements = 320
    let numbers = dtype.isBlock ? try numbers("blocks")["\(dtype)"] : nil
    var noise = Noise(state: 17)
    let ordinary = (0..<elements).map { _ in Float.random(in: -3...3, using: &noise) * 0x1p-4 }
    let bytes: [UInt8] =
      switch dtype {
      case .f16: bytes(ordinary.map { Float16($0).bitPattern })
      case .bf16: bytes(ordinary.map { UInt16($0.bitPattern >> 16) })
      case .f32: bytes(ordinary)
      case .f64: bytes(ordinary.map { Double($0) * 1.000_000_1 })
      default: Array(try #require(numbers).prefix(elements / 32 * dtype.blockBytes))
      }
    return try Tensor(dtype: dtype, shape: [5, 64], bytes: Bytes(bytes))
  }

  /// The values of such a tensor, by Swift or by gguf.
  private static func doubles(_ tensor: Tensor) throws -> [Double] {
    let bytes = try tensor.bytes.load()
    switch tensor.dtype {
    case .f16: return values(bytes, as: UInt16.self).map { Double(Float16(bitPattern: $0)) }
    case .bf16: return values(bytes, as: UInt16.self).map { Double(Float(bitPattern: UInt32($0) << 16)) }
    case .f32: return values(bytes, as: Float.self).map(Double.init)
    case .f64: return values(bytes)
    default:
      let f32 = try #require(try numbers("blocks")["\(tensor.dtype)_to_f32"])
      return values(f32, as: Float.self).prefix(tensor.count).map(Double.init)
    }
  }

  /// Values by Swift's own conversions, which round correctly.
  @Test(arguments: sources, targets) func everyPairOfTypes(_ source: DType, _ target: DType) throws {
    let tensor = try Self.tensor(source)
    let cast = try tensor.cast(to: target)
    #expect(cast.dtype == target && cast.shape == tensor.shape)
    let numbers = try Self.doubles(tensor)
    let found = try cast.bytes.load()
    switch target {
    case .f16: #expect(values(found) == numbers.map { Float16($0).bitPattern })
    case .f32: #expect(values(found) == numbers.map { Float($0).bitPattern })
    case .f64: #expect(values(found) == numbers.map { Double($0).bitPattern })
    case .bf16:
      // Neither neighbour is nearer.
      let isNearest = zip(values(found, as: UInt16.self), numbers).map { found, number in
        let errors = [found, found &- 1, found &+ 1].map { abs(Double(Float(bitPattern: UInt32($0) << 16)) - number) }
        return number == 0 ? found & 0x7FFF == 0 : errors.min() == errors[0]
      }
      #expect(isNearest == [Bool](repeating: true, count: 320))
    default:
      guard source != target else { return #expect(found == (try tensor.bytes.load())) }
      let single = try Tensor(dtype: .f32, shape: tensor.shape, bytes: Bytes(bytes(numbers.map { Float($0) })))
      #expect(found == (try single.cast(to: target).bytes.load()))
    }
  }

  @Test func quantizesAsGGUFDoes() throws {
    let numbers = try numbers("blocks")
    let input = try #require(numbers["q8_0_input"])
    let tensor = try Tensor(dtype: .f32, shape: [input.count / 128, 32], bytes: Bytes(input))
    #expect(try tensor.cast(to: .q8_0).bytes.load() == numbers["q8_0_input_to_q8_0"])
  }

  /// Any range of the converted bytes is that range of all of them.
  @Test(arguments: sources, targets) func anyRangeCanBeRead(_ source: DType, _ target: DType) throws {
    let cast = try CastBytes(Self.tensor(source).bytes, from: source, to: target)
    let whole = try Bytes(cast).load()
    var noise = Noise(state: 23)
    for _ in 0..<100 {
      let start = Int.random(in: 0...whole.count, using: &noise)
      let length = Int.random(in: 0...(whole.count - start), using: &noise)
      #expect(try Bytes(cast).slice(start, length).load() == Array(whole[start..<(start + length)]))
    }
  }

  /// However a writer cuts its reads, each element is counted once.
  @Test(arguments: sources, targets) func chunksDoNotChangeTheTally(_ source: DType, _ target: DType) throws {
    let tensor = try Self.tensor(source)
    var counts: [CastTally.Counts] = []
    for size in [1 << 20, 1, 7, 34, 100, 1000] {
      let tally = CastTally()
      try tensor.cast(to: target, tally: tally).bytes.forEachChunk(of: size) { _ throws(FileError) in }
      #expect(tally.counts.elements == 320)
      counts.append(tally.counts)
    }
    for other in counts {
      #expect(abs(other.signalPower - counts[0].signalPower) <= counts[0].signalPower * 1e-14)
      #expect(abs(other.errorPower - counts[0].errorPower) <= counts[0].errorPower * 1e-14)
      var same = other
      (same.signalPower, same.errorPower) = (counts[0].signalPower, counts[0].errorPower)
      #expect(same == counts[0])
    }
  }

  /// 100,000 elements with bad ones near the end: indices count from the tensor's start, through every path.
  @Test(arguments: [DType.f16, .bf16, .f32, .f64], targets)
  func findsWhatIsNotFinite(_ source: DType, _ target: DType) throws {
    var numbers = [Double](repeating: 0.25, count: 100_000)
    (numbers[77_777], numbers[99_999]) = (.infinity, .nan)
    let input: [UInt8] =
      switch source {
      case .f16: bytes(numbers.map { Float16($0).bitPattern })
      case .bf16: bytes(numbers.map { UInt16(Float($0).bitPattern >> 16) })
      case .f32: bytes(numbers.map { Float($0) })
      default: bytes(numbers)
      }
    let tally = CastTally()
    let tensor = try Tensor(dtype: source, shape: [numbers.count], bytes: Bytes(input))
    _ = try tensor.cast(to: target, tally: tally).bytes.load()
    #expect(tally.counts.nonFinite == 2 && tally.counts.firstNonFinite == 77_777)
    // A scale that is infinite or NaN makes the 31 finite elements of its block NaN.
    #expect(tally.counts.overflows == (target == .q8_0 ? 62 : 0) && tally.counts.underflows == 0)
  }

  @Test func countsOverflowAndUnderflow() throws {
    let input: [Double] = [1e300, -65520, 65519.99, 1e-9, -1e-300, 0, 1, .nan]
    let tensor = try Tensor(dtype: .f64, shape: [8], bytes: Bytes(bytes(input)))
    for (target, overflows, underflows) in [(DType.f16, 2, 2), (.bf16, 1, 1), (.f32, 1, 1)] {
      let tally = CastTally()
      _ = try tensor.cast(to: target, tally: tally).bytes.load()
      let counts = tally.counts
      #expect(counts.overflows == overflows && counts.underflows == underflows && counts.maxRelativeError == 1)
      #expect(counts.nonFinite == 1 && counts.firstNonFinite == 7)
    }
  }

  /// With the largest value 127/4, multiples of 1/4 are stored exactly, and 1/16 beside them is lost.
  @Test(arguments: [Float(0), 0.0625]) func signalToNoiseOfBlocks(_ step: Float) throws {
    var input: [Float] = (1...31).map { step - Float($0) / 4 }
    input.append(127 / 4)
    let tally = CastTally()
    let tensor = try Tensor(dtype: .f32, shape: [32], bytes: Bytes(bytes(input)))
    _ = try tensor.cast(to: .q8_0, tally: tally).bytes.load()
    let signal: Double = input.reduce(0) { $0 + Double($1) * Double($1) }
    let noise = 31 * Double(step) * Double(step)
    #expect(tally.counts.signalPower == signal && tally.counts.errorPower == noise)
    #expect(tally.counts.maxAbsoluteError == Double(step))
    let decibels = try #require(tally.counts.signalToNoise)
    #expect(step == 0 ? decibels == .infinity : abs(signal / noise - pow(10, decibels / 10)) < 1e-6)
    #expect(CastTally().counts.signalToNoise == nil)
  }

  @Test func otherTypesAreRefused() throws {
    let bytes = Bytes([UInt8](repeating: 0, count: 64))
    for (source, shape, target) in [
      (DType.i64, [8], DType.f32), (.f32, [16], .i32), (.bool, [64], .f16), (.f8_e4m3, [64], .f32), (.f32, [16], .q4_0),
      (.f32, [16], .q8_0), (.f32, [16, 1], .q8_0), (.c64, [8], .f32),
    ] {
      let tensor = try Tensor(dtype: source, shape: shape, bytes: bytes)
      let error = #expect(throws: FileError.self) { try tensor.cast(to: target) }
      #expect(error?.kind == .unsupported)
    }
    let scalar = try Tensor(dtype: .f32, shape: [], bytes: Bytes([0, 0, 0x80, 0x3F]))
    #expect(throws: FileError.self) { try scalar.cast(to: .q8_0) }
    #expect(try scalar.cast(to: .f16).bytes.load() == [0x00, 0x3C])
  }

  @Test func integersPassUnchanged() throws {
    let tally = CastTally()
    let tensor = try Tensor(dtype: .i64, shape: [2], bytes: Bytes([UInt8](0..<16)))
    #expect(try tensor.cast(to: .i64, tally: tally).bytes.load() == [UInt8](0..<16))
    #expect(tally.counts.elements == 2 && tally.counts.nonFinite == 0)
  }

  @Test func emptyTensors() throws {
    let tally = CastTally()
    let tensor = try Tensor(dtype: .f32, shape: [0, 32], bytes: Bytes([]))
    for target in Self.targets { #expect(try tensor.cast(to: target, tally: tally).bytes.load() == []) }
    #expect(tally.counts == CastTally.Counts())
  }
}
