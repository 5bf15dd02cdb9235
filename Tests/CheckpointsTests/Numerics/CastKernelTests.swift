import CKernels
import Checkpoints
import Testing

@Suite struct CastKernelTests {
  /// What numpy and torch make of values at every kind of boundary.
  @Test(arguments: KernelLevel.all) func castsAsNumpyAndTorchDo(_ level: KernelLevel) throws {
    let numbers = try numbers("casts")
    let f32 = try #require(numbers["f32"])
    let f64 = try #require(numbers["f64"])
    for (kernel, input, key) in [
      (CastKernel(.f32, .f16, \.f32_to_f16), f32, "f32_to_f16"),
      (CastKernel(.f32, .bf16, \.f32_to_bf16), f32, "f32_to_bf16"),
      (CastKernel(.f64, .f16, \.f64_to_f16), f64, "f64_to_f16"),
      (CastKernel(.f64, .bf16, \.f64_to_bf16), f64, "f64_to_bf16"),
    ] {
      let count = input.count / kernel.source.blockBytes
      let expected: [UInt16] = values(try #require(numbers[key]))
      let found: [UInt16] = values(kernel.run(level, input, count: count).output)
      let infinity: UInt16 = kernel.target == .f16 ? 0x7C00 : 0x7F80
      #expect(found.count == count && expected.count == count && count > 200)
      for (index, (found, expected)) in zip(found, expected).enumerated() where found != expected {
        // torch writes its own NaN as bf16, and numpy does not quiet one: any NaN is right here.
        #expect(found & 0x7FFF > infinity && expected & 0x7FFF > infinity, "\(kernel) of element \(index)")
      }
    }
    let found: [UInt32] = values(CastKernel(.f64, .f32, \.f64_to_f32).run(level, f64, count: f64.count / 8).output)
    #expect(found == values(try #require(numbers["f64_to_f32"])))
  }

  @Test(arguments: KernelLevel.all) func everyF16Widens(_ level: KernelLevel) {
    let patterns = (0...UInt16.max).map { $0 }
    let found: [UInt32] = values(
      CastKernel(.f16, .f32, \.f16_to_f32).run(level, bytes(patterns), count: patterns.count).output)
    let expected = patterns.map { pattern in
      let isNaN = pattern & 0x7FFF > 0x7C00
      let quiet = UInt32(pattern & 0x8000) << 16 | 0x7FC0_0000 | UInt32(pattern & 0x3FF) << 13
      return isNaN ? quiet : Float(Float16(bitPattern: pattern)).bitPattern
    }
    #expect(found == expected)
  }

  @Test(arguments: KernelLevel.all) func everyBF16Widens(_ level: KernelLevel) {
    let patterns = (0...UInt16.max).map { $0 }
    let found: [UInt32] = values(
      CastKernel(.bf16, .f32, \.bf16_to_f32).run(level, bytes(patterns), count: patterns.count).output)
    #expect(found == patterns.map { UInt32($0) << 16 })
  }

  /// Every f16, its neighbours in f32, and the ties between it and the next with their neighbours.
  @Test(arguments: KernelLevel.all) func everyBoundaryOfF16Rounds(_ level: KernelLevel) {
    var inputs: [Float] = []
    for pattern in UInt16(0)..<0x7C00 {
      let value = Float(Float16(bitPattern: pattern))
      let next = pattern == 0x7BFF ? 65536 : Float(Float16(bitPattern: pattern + 1))
      let tie = (value + next) / 2
      inputs += [
        value, value.nextUp, value.nextDown, tie, tie.nextUp, tie.nextDown, -tie, -tie.nextUp, -value.nextDown,
      ]
    }
    let found: [UInt16] = values(
      CastKernel(.f32, .f16, \.f32_to_f16).run(level, bytes(inputs), count: inputs.count).output)
    #expect(found == inputs.map { Float16($0).bitPattern })
  }

  /// Payloads of NaN: sign and upper bits stay, the quiet bit is set, nothing becomes infinite.
  @Test(arguments: KernelLevel.all) func notANumberStaysOne(_ level: KernelLevel) {
    let patterns = [0x7F80_0001, 0xFF80_0001, 0x7FFF_FFFF, 0xFFFF_8000, 0x7F81_2345, 0x7FC0_0000, 0x7FBF_FFFF].map(
      UInt32.init)
    let f16: [UInt16] = values(
      CastKernel(.f32, .f16, \.f32_to_f16).run(level, bytes(patterns + patterns + patterns), count: 21).output)
    let bf16: [UInt16] = values(
      CastKernel(.f32, .bf16, \.f32_to_bf16).run(level, bytes(patterns + patterns + patterns), count: 21).output)
    let expectedF16: [UInt16] = [0x7E00, 0xFE00, 0x7FFF, 0xFFFC, 0x7E09, 0x7E00, 0x7FFF]
    let expectedBF16: [UInt16] = [0x7FC0, 0xFFC0, 0x7FFF, 0xFFFF, 0x7FC1, 0x7FC0, 0x7FFF]
    #expect(f16 == expectedF16 + expectedF16 + expectedF16)
    #expect(bf16 == expectedBF16 + expectedBF16 + expectedBF16)
  }

  /// The tally against the same sums written down plainly, on results that are known to be right.
  @Test(arguments: KernelLevel.all) func tallySaysWhatHappened(_ level: KernelLevel) throws {
    let numbers = try numbers("casts")
    let inputs: [Float] = values(try #require(numbers["f32"]))
    let f16: [UInt16] = values(try #require(numbers["f32_to_f16"]))
    let bf16: [UInt16] = values(try #require(numbers["f32_to_bf16"]))
    let input = bytes(inputs)
    try check(
      CastKernel(.f32, .f16, \.f32_to_f16).run(level, input, count: inputs.count).tally, inputs,
      f16.map { Float(Float16(bitPattern: $0)) })
    try check(
      CastKernel(.f32, .bf16, \.f32_to_bf16).run(level, input, count: inputs.count).tally, inputs,
      bf16.map { Float(bitPattern: UInt32($0) << 16) })
  }

  private func check(_ tally: ck_tally, _ inputs: [Float], _ outputs: [Float]) throws {
    let pairs = zip(inputs, outputs).filter { $0.isFinite && $1.isFinite }
    let errors = pairs.map { (Double($0), abs(Double($1) - Double($0))) }
    #expect(Int(tally.nonfinite) == inputs.filter { !$0.isFinite }.count)
    #expect(Int(tally.first_nonfinite) == inputs.firstIndex { !$0.isFinite })
    #expect(Int(tally.overflow) == zip(inputs, outputs).filter { $0.isFinite && !$1.isFinite }.count)
    #expect(Int(tally.underflow) == pairs.filter { $0 != 0 && $1 == 0 }.count)
    #expect(tally.max_absolute == errors.map(\.1).max())
    let relative = try #require(errors.filter { $0.0 != 0 }.map { $0.1 / abs($0.0) }.max())
    #expect(abs(tally.max_relative / relative - 1) < 1e-7)
    #expect(tally.signal == 0 && tally.noise == 0)
  }

  /// Without anything that became zero, the largest relative error of f16 is just under 2^-11.
  @Test(arguments: KernelLevel.all) func relativeErrorOfOrdinaryNumbers(_ level: KernelLevel) {
    var noise = Noise(state: 11)
    let inputs = (0..<10_000).map { _ in Float.random(in: 1...2, using: &noise) }
    let tally = CastKernel(.f32, .f16, \.f32_to_f16).run(level, bytes(inputs), count: inputs.count).tally
    let expected = inputs.map { abs(Float(Float16($0)) - $0) / $0 }.max() ?? 0
    #expect(tally.max_relative == Double(expected) && expected < 0x1p-11 && expected > 0x1p-12)
  }

  /// Every level, every length, addresses that are aligned to nothing, values of every kind.
  @Test(arguments: CastKernel.all, KernelLevel.all) func levelsAgree(_ kernel: CastKernel, _ level: KernelLevel) throws
  {
    let pool = try Self.pool(for: kernel.source)
    var noise = Noise(state: 3)
    for count in stride(from: 0, through: kernel.unit == 1 ? 130 : 130 * 32, by: kernel.unit) {
      for shift in [0, 1, 2, 7] {
        let size = kernel.source.blockBytes
        let start = Int.random(in: 0..<(pool.count / size), using: &noise) * size
        let input = Array((pool[start...] + pool[..<start]).prefix(count / kernel.source.blockElements * size))
        let found = kernel.run(level, input, count: count, shift: shift)
        let expected = kernel.run(.scalar, input, count: count, shift: 0)
        #expect(
          found.output == expected.output && found.tally.values == expected.tally.values,
          "\(count) elements at \(shift)")
      }
    }
  }

  /// Values of a type for at least 131 blocks: those of the fixtures, and noise.
  private static func pool(for dtype: DType) throws -> [UInt8] {
    var noise = Noise(state: 5)
    let random = (0..<(131 * dtype.blockBytes)).map { _ in UInt8.random(in: 0...255, using: &noise) }
    switch dtype {
    case .f32:
      let fixtures = try numbers("casts")["f32"]! + numbers("blocks")["q8_0_input"]!
      let ordinary = (0..<4096).map { _ in Float.random(in: -1...1, using: &noise) }
      return fixtures + random + bytes(ordinary)
    case .f64: return try numbers("casts")["f64"]! + random
    default: return random
    }
  }
}
