import CKernels
import Checkpoints
import Testing

/// GGUF's block types, byte for byte as gguf quantizes and dequantizes them.
@Suite struct BlockKernelTests {
  @Test(arguments: KernelLevel.all) func quantizesEveryKindOfBlock(_ level: KernelLevel) throws {
    let numbers = try numbers("blocks")
    let input = try #require(numbers["q8_0_input"])
    let expected = try #require(numbers["q8_0_input_to_q8_0"])
    let found = CastKernel(.f32, .q8_0, \.f32_to_q8_0).run(level, input, count: input.count / 4)
    for block in 0..<(expected.count / 34) {
      let range = (34 * block)..<(34 * block + 34)
      #expect(Array(found.output[range]) == Array(expected[range]), "block \(block)")
    }
    #expect(found.output.count == expected.count && expected.count > 34 * 50)
  }

  @Test(arguments: KernelLevel.all) func dequantizesAsGGUFDoes(_ level: KernelLevel) throws {
    let numbers = try numbers("blocks")
    for kernel in CastKernel.all where kernel.source.isBlock {
      let input = try #require(numbers["\(kernel.source)"])
      let count = input.count / kernel.source.blockBytes * 32
      #expect(kernel.run(level, input, count: count).output == numbers["\(kernel.source)_to_f32"], "\(kernel)")
    }
  }

  /// The sums behind the signal-to-noise ratio, the errors and the zeros, from gguf's own bytes and values.
  @Test(arguments: KernelLevel.all) func tallyOfBlocks(_ level: KernelLevel) throws {
    let numbers = try numbers("blocks")
    let inputs: [Float] = values(try #require(numbers["q8_0_input"]))
    let quantized = try #require(numbers["q8_0_input_to_q8_0"])
    let tally = CastKernel(.f32, .q8_0, \.f32_to_q8_0).run(level, bytes(inputs), count: inputs.count).tally
    let back = CastKernel(.q8_0, .f32, \.q8_0_to_f32).run(.scalar, quantized, count: inputs.count).output
    let pairs = zip(inputs, values(back, as: Float.self)).filter { $0.isFinite && $1.isFinite }
    let errors = pairs.map { abs(Double($1 - $0)) }
    #expect(Int(tally.nonfinite) == inputs.filter { !$0.isFinite }.count)
    #expect(Int(tally.first_nonfinite) == inputs.firstIndex { !$0.isFinite })
    #expect(Int(tally.overflow) == inputs.filter(\.isFinite).count - pairs.count)
    #expect(Int(tally.underflow) == pairs.filter { $0 != 0 && $1 == 0 }.count)
    #expect(tally.max_absolute == errors.max())
    let signal = pairs.reduce(0) { $0 + Double($1.0) * Double($1.0) }
    let noise = errors.reduce(0) { $0 + $1 * $1 }
    #expect(abs(tally.signal - signal) <= 1e-12 * signal && abs(tally.noise - noise) <= 1e-12 * noise)
  }
}
