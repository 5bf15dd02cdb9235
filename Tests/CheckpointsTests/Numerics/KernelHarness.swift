import CKernels
import Checkpoints
import TestSupport
import Testing

/// The kernels of one instruction set of this machine.
struct KernelLevel: CustomTestStringConvertible {
  let index: Int32
  var table: ck_kernel_table { ck_kernels(index).pointee }
  var testDescription: String { String(cString: table.name) }

  static let scalar = KernelLevel(index: 0)
  static let all = (0..<ck_level_count()).map(KernelLevel.init)
}

typealias WidenKernel = @convention(c) (UnsafeRawPointer, UnsafeMutableRawPointer, Int) -> Void
typealias NarrowKernel =
  @convention(c) (
    UnsafeRawPointer, UnsafeMutableRawPointer, Int, UnsafeMutablePointer<ck_tally>
  ) -> Void

/// A kernel that turns elements into elements, and the sizes of one block of each.
struct CastKernel: CustomTestStringConvertible, Sendable {
  enum Field: Sendable {
    case widen(any KeyPath<ck_kernel_table, WidenKernel> & Sendable)
    case narrow(any KeyPath<ck_kernel_table, NarrowKernel> & Sendable)
  }
  let testDescription: String
  let source: DType
  let target: DType
  let field: Field

  init(_ source: DType, _ target: DType, _ field: any KeyPath<ck_kernel_table, WidenKernel> & Sendable) {
    (self.source, self.target, self.field) = (source, target, .widen(field))
    testDescription = "\(source) to \(target)"
  }

  init(_ source: DType, _ target: DType, _ field: any KeyPath<ck_kernel_table, NarrowKernel> & Sendable) {
    (self.source, self.target, self.field) = (source, target, .narrow(field))
    testDescription = "\(source) to \(target)"
  }

  static var all: [CastKernel] {
    [
      CastKernel(.f16, .f32, \.f16_to_f32), CastKernel(.bf16, .f32, \.bf16_to_f32),
      CastKernel(.f32, .f64, \.f32_to_f64), CastKernel(.f32, .f16, \.f32_to_f16),
      CastKernel(.f32, .bf16, \.f32_to_bf16), CastKernel(.f64, .f32, \.f64_to_f32),
      CastKernel(.f64, .f16, \.f64_to_f16), CastKernel(.f64, .bf16, \.f64_to_bf16),
      CastKernel(.q8_0, .f32, \.q8_0_to_f32), CastKernel(.q4_0, .f32, \.q4_0_to_f32),
      CastKernel(.q4_1, .f32, \.q4_1_to_f32), CastKernel(.q5_0, .f32, \.q5_0_to_f32),
      CastKernel(.q5_1, .f32, \.q5_1_to_f32), CastKernel(.f32, .q8_0, \.f32_to_q8_0),
    ]
  }

  var unit: Int { max(source.blockElements, target.blockElements) }

  /// Runs the kernel on the first `count` elements of `input`, which it sees at an address that is `shift` beyond an
  /// aligned one. Records an issue when it writes beyond its output.
  func run(_ level: KernelLevel, _ input: [UInt8], count: Int, shift: Int = 0) -> (output: [UInt8], tally: ck_tally) {
    let sourceBytes = count / source.blockElements * source.blockBytes
    let targetBytes = count / target.blockElements * target.blockBytes
    let from = UnsafeMutableRawBufferPointer.allocate(byteCount: sourceBytes + shift, alignment: 64)
    let to = UnsafeMutableRawBufferPointer.allocate(byteCount: targetBytes + shift + 64, alignment: 64)
    defer {
      from.deallocate()
      to.deallocate()
    }
    UnsafeMutableRawBufferPointer(rebasing: from[shift...]).copyBytes(from: input.prefix(sourceBytes))
    to.initializeMemory(as: UInt8.self, repeating: 0xA5)
    var tally = ck_tally()
    switch field {
    case .widen(let field): level.table[keyPath: field](from.baseAddress! + shift, to.baseAddress! + shift, count)
    case .narrow(let field):
      level.table[keyPath: field](from.baseAddress! + shift, to.baseAddress! + shift, count, &tally)
    }
    let outside = Array(to[..<shift]) + Array(to[(shift + targetBytes)...])
    #expect(outside.allSatisfy { $0 == 0xA5 }, "\(self) wrote beyond its output")
    return (Array(to[shift..<(shift + targetBytes)]), tally)
  }
}

extension ck_tally {
  /// All fields, to compare.
  var values: [Double] {
    [
      Double(nonfinite), Double(first_nonfinite), Double(overflow), Double(underflow), max_absolute, max_relative,
      signal, noise,
    ]
  }
}

/// The tensors of `Fixtures/numerics/NAME.safetensors`.
func numbers(_ name: String) throws -> [String: [UInt8]] {
  let file = try InputFile(fixture("numerics/\(name).safetensors"))
  let checkpoint = try Safetensors.read(file, options: ReadOptions())
  var result: [String: [UInt8]] = [:]
  for name in checkpoint.names { result[name] = try checkpoint[name]?.bytes.load() }
  return result
}

/// The bytes of little-endian numbers.
func bytes<T: BitwiseCopyable>(_ values: [T]) -> [UInt8] { values.withUnsafeBytes(Array.init) }

/// Little-endian numbers from their bytes.
func values<T: BitwiseCopyable>(_ bytes: [UInt8], as type: T.Type = T.self) -> [T] {
  bytes.withUnsafeBytes { buffer in
    (0..<(buffer.count / MemoryLayout<T>.size)).map {
      buffer.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self)
    }
  }
}

/// A small generator of repeatable noise (SplitMix64).
struct Noise: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
