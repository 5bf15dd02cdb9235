/// Reads the elements of a tensor as f32 or f64, whatever their type, a chunk at a time.
struct NumberReader {
  /// Numbers in a chunk: a few of them stay in the second-level cache.
  static let chunk = 32 << 10

  private let tensor: Tensor
  /// How many numbers there are: two for each complex element, real and imaginary part.
  let count: Int
  /// f64 when f32 cannot hold every value of the type, and f32 otherwise.
  let natural: DType
  private let perElement: Int

  init(_ tensor: Tensor) {
    self.tensor = tensor
    perElement = tensor.dtype == .c64 ? 2 : 1
    count = tensor.count * perElement
    natural = Self.natural(tensor.dtype)
  }

  /// 64-bit integers beyond 2^53 are rounded even in f64.
  private static func natural(_ dtype: DType) -> DType {
    switch dtype {
    case .f64, .i32, .u32, .i64, .u64: .f64
    default: .f32
    }
  }

  /// Calls `body` with numbers of type `result` (f32, or f64 for anything) from `start` on, at `buffers.numbers`.
  func read(
    _ length: Int, from start: Int, as result: DType, _ buffers: NumberBuffers
  ) throws(FileError) -> UnsafeRawPointer {
    let dtype = tensor.dtype
    let raw = buffers.raw
    let size = length / perElement / dtype.blockElements * dtype.blockBytes
    let offset = start / perElement / dtype.blockElements * dtype.blockBytes
    try tensor.bytes.read(at: offset, into: UnsafeMutableRawBufferPointer(start: raw, count: size))

    if dtype == result || (dtype == .c64 && result == .f32) { return UnsafeRawPointer(raw) }
    let numbers = buffers.numbers
    if natural == .f32, result == .f64 {
      let isPlain = dtype == .f32 || dtype == .c64
      if !isPlain { toF32(raw, buffers.singles, length) }
      Kernels.widenToF64(isPlain ? raw : buffers.singles, numbers, length)
    } else if result == .f32 {
      toF32(raw, numbers, length)
    } else {
      toF64(raw, numbers, length)
    }
    return UnsafeRawPointer(numbers)
  }

  private func toF32(_ raw: UnsafeMutableRawPointer, _ target: UnsafeMutableRawPointer, _ length: Int) {
    if let widen = Kernels.widener(of: tensor.dtype) { return widen(raw, target, length) }
    let target = target.assumingMemoryBound(to: Float.self)
    switch tensor.dtype {
    case .i8: for i in 0..<length { target[i] = Float(raw.load(fromByteOffset: i, as: Int8.self)) }
    case .i16: for i in 0..<length { target[i] = Float(raw.load(fromByteOffset: 2 * i, as: Int16.self)) }
    case .u16: for i in 0..<length { target[i] = Float(raw.load(fromByteOffset: 2 * i, as: UInt16.self)) }
    case .f8_e4m3: for i in 0..<length { target[i] = Self.e4m3(raw.load(fromByteOffset: i, as: UInt8.self)) }
    case .f8_e5m2: for i in 0..<length { target[i] = Self.e5m2(raw.load(fromByteOffset: i, as: UInt8.self)) }
    default: for i in 0..<length { target[i] = Float(raw.load(fromByteOffset: i, as: UInt8.self)) }
    }
  }

  private func toF64(_ raw: UnsafeMutableRawPointer, _ target: UnsafeMutableRawPointer, _ length: Int) {
    let target = target.assumingMemoryBound(to: Double.self)
    switch tensor.dtype {
    case .i32: for i in 0..<length { target[i] = Double(raw.load(fromByteOffset: 4 * i, as: Int32.self)) }
    case .u32: for i in 0..<length { target[i] = Double(raw.load(fromByteOffset: 4 * i, as: UInt32.self)) }
    case .i64: for i in 0..<length { target[i] = Double(raw.load(fromByteOffset: 8 * i, as: Int64.self)) }
    default: for i in 0..<length { target[i] = Double(raw.load(fromByteOffset: 8 * i, as: UInt64.self)) }
    }
  }

  /// Sign, 4 bits of exponent (bias 7), 3 of fraction; no infinities, all ones is NaN.
  private static func e4m3(_ bits: UInt8) -> Float {
    let magnitude = bits & 0x7F
    if magnitude == 0x7F { return .nan }
    // As the upper bits of an f32 the exponent's bias is 120 too small, also for subnormal numbers.
    let value = Float(bitPattern: UInt32(magnitude) << 20) * 0x1p120
    return bits > 0x7F ? -value : value
  }

  /// The upper half of an f16: sign, 5 bits of exponent (bias 15), 2 of fraction.
  private static func e5m2(_ bits: UInt8) -> Float {
    let magnitude = bits & 0x7F
    if magnitude > 0x7C { return .nan }
    let value = magnitude == 0x7C ? .infinity : Float(bitPattern: UInt32(magnitude) << 21) * 0x1p112
    return bits > 0x7F ? -value : value
  }
}

/// Memory for one chunk of numbers.
struct NumberBuffers {
  let raw = UnsafeMutableRawPointer.allocate(byteCount: NumberReader.chunk * 8, alignment: 64)
  let singles = UnsafeMutableRawPointer.allocate(byteCount: NumberReader.chunk * 4, alignment: 64)
  let numbers = UnsafeMutableRawPointer.allocate(byteCount: NumberReader.chunk * 8, alignment: 64)

  func deallocate() {
    raw.deallocate()
    singles.deallocate()
    numbers.deallocate()
  }
}
