import Checkpoints

/// The f32 numbers that 8-bit integers stand for: `(value − zero) × scale`, one scale for all or one for each index of
/// an axis. They are computed when they are read.
struct DequantizedBytes: ByteSource {
  private let base: Bytes
  private let isSigned: Bool
  private let scales: [Float]
  private let zeros: [Float]
  /// How many consecutive values share a scale.
  private let run: Int

  /// Throws `unsupported` for other integers, `mismatch` when the numbers of scales and of indices differ.
  init(_ tensor: Tensor, scale: Tensor, zero: Tensor?, axis: Int) throws(FileError) {
    guard tensor.dtype == .i8 || tensor.dtype == .u8, scale.dtype == .f32 || scale.dtype == .f16 else {
      throw FileError(.unsupported, "\(tensor.dtype) quantized with scales of \(scale.dtype) is not read")
    }
    base = tensor.bytes
    isSigned = tensor.dtype == .i8
    scales = try Self.floats(scale)
    if let zero {
      guard zero.dtype == tensor.dtype, zero.count == scale.count else {
        throw FileError(.mismatch, "zero points \(zero.dtype) \(zero.shape) beside scales \(scale.shape)")
      }
      let isSigned = isSigned
      zeros = try zero.bytes.load().map { isSigned ? Float(Int8(bitPattern: $0)) : Float($0) }
    } else {
      zeros = [Float](repeating: 0, count: scales.count)
    }
    let axis = axis < 0 ? axis + tensor.shape.count : axis
    guard scales.count == 1 || (tensor.shape.indices.contains(axis) && tensor.shape[axis] == scales.count) else {
      throw FileError(.mismatch, "\(scales.count) scales of axis \(axis) of shape \(tensor.shape)")
    }
    run = scales.count == 1 ? max(1, tensor.count) : tensor.shape[(axis + 1)...].reduce(1, *)
  }

  private static func floats(_ tensor: Tensor) throws(FileError) -> [Float] {
    let bytes = try tensor.cast(to: .f32).bytes.load()
    return (0..<tensor.count).map { index in
      Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[index * 4 + $1]) << UInt32($1 * 8) })
    }
  }

  var count: Int { base.count * 4 }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    let first = offset / 4
    let last = (offset + buffer.count + 3) / 4
    let values = try base.slice(first, last - first).load()
    for index in first..<last {
      let group = index / run % scales.count
      let byte = values[index - first]
      let value = isSigned ? Float(Int8(bitPattern: byte)) : Float(byte)
      let bits = ((value - zeros[group]) * scales[group]).bitPattern.littleEndian
      withUnsafeBytes(of: bits) { bytes in
        for part in 0..<4 where index * 4 + part >= offset && index * 4 + part < offset + buffer.count {
          buffer[index * 4 + part - offset] = bytes[part]
        }
      }
    }
  }
}
