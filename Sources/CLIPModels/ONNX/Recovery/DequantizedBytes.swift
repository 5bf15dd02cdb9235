import Checkpoints

/// The f32 numbers that integers of 8 bits, or a bias's of 32, stand for: `(value − zero) × scale`, one scale for all or
/// one for each index of an axis. They are computed when they are read.
struct DequantizedBytes: ByteSource {
  private let base: Bytes
  private let dtype: DType
  private let scales: [Float]
  private let zeros: [Float]
  /// How many consecutive values share a scale.
  private let run: Int

  /// Throws `unsupported` for other integers, `mismatch` when the numbers of scales and of indices differ.
  init(_ tensor: Tensor, scale: Tensor, zero: Tensor?, axis: Int) throws(FileError) {
    guard [.i8, .u8, .i32].contains(tensor.dtype), scale.dtype == .f32 || scale.dtype == .f16 else {
      throw FileError(.unsupported, "\(tensor.dtype) quantized with scales of \(scale.dtype) is not read")
    }
    base = tensor.bytes
    dtype = tensor.dtype
    scales = try scale.floats()
    if let zero {
      guard zero.dtype == tensor.dtype, zero.count == scale.count else {
        throw FileError(.mismatch, "zero points \(zero.dtype) \(zero.shape) beside scales \(scale.shape)")
      }
      let bytes = try zero.bytes.load()
      zeros = (0..<zero.count).map { Self.value(bytes, $0, zero.dtype) }
    } else {
      zeros = [Float](repeating: 0, count: scales.count)
    }
    let axis = axis < 0 ? axis + tensor.shape.count : axis
    guard scales.count == 1 || (tensor.shape.indices.contains(axis) && tensor.shape[axis] == scales.count) else {
      throw FileError(.mismatch, "\(scales.count) scales of axis \(axis) of shape \(tensor.shape)")
    }
    run = scales.count == 1 ? max(1, tensor.count) : tensor.shape[(axis + 1)...].reduce(1, *)
  }

  private static func value(_ bytes: [UInt8], _ index: Int, _ dtype: DType) -> Float {
    switch dtype {
    case .i8: return Float(Int8(bitPattern: bytes[index]))
    case .u8: return Float(bytes[index])
    default:
      let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[index * 4 + $1]) << UInt32($1 * 8) }
      return Float(Int32(bitPattern: bits))
    }
  }

  var count: Int { base.count / dtype.blockBytes * 4 }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    let first = offset / 4
    let last = (offset + buffer.count + 3) / 4
    let size = dtype.blockBytes
    let values = try base.slice(first * size, (last - first) * size).load()
    for index in first..<last {
      let group = index / run % scales.count
      let value = Self.value(values, index - first, dtype)
      let bits = ((value - zeros[group]) * scales[group]).bitPattern.littleEndian
      withUnsafeBytes(of: bits) { bytes in
        for part in 0..<4 where index * 4 + part >= offset && index * 4 + part < offset + buffer.count {
          buffer[index * 4 + part - offset] = bytes[part]
        }
      }
    }
  }
}
