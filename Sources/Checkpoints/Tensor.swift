/// A dense array: element type, shape (row-major, last dimension fastest) and little-endian bytes.
///
/// A `Tensor` that exists is valid: its bytes are exactly as many as its shape and type need.
public struct Tensor: Sendable {
  /// The type of the elements.
  public let dtype: DType
  /// The dimensions, outermost first; empty for a scalar.
  public let shape: [Int]
  /// The elements, row-major, little-endian.
  public let bytes: Bytes

  /// Throws `mismatch` unless `bytes` has the size that `dtype` and `shape` ask for.
  public init(dtype: DType, shape: [Int], bytes: Bytes) throws(FileError) {
    let expected = try dtype.byteCount(shape: shape)
    guard bytes.count == expected else {
      throw FileError(.mismatch, "\(dtype) \(shape) needs \(expected) bytes, found \(bytes.count)")
    }
    self.dtype = dtype
    self.shape = shape
    self.bytes = bytes
  }

  /// How many elements there are.
  public var count: Int { shape.reduce(1, *) }

  /// The same elements under another shape of the same size.
  public func reshaped(_ shape: [Int]) throws(FileError) -> Tensor {
    try Tensor(dtype: dtype, shape: shape, bytes: bytes)
  }

  /// Rows `range` of the first dimension.
  public func rows(_ range: Range<Int>) throws(FileError) -> Tensor {
    guard let first = shape.first, range.lowerBound >= 0, range.upperBound <= first else {
      throw FileError(.mismatch, "rows \(range) of shape \(shape)")
    }
    let stride = first == 0 ? 0 : bytes.count / first
    return try Tensor(
      dtype: dtype, shape: [range.count] + shape.dropFirst(),
      bytes: bytes.slice(range.lowerBound * stride, range.count * stride))
  }

  /// Tensors of one type, stacked along the first dimension.
  public init(concatenating parts: [Tensor]) throws(FileError) {
    guard let first = parts.first, !first.shape.isEmpty else { throw FileError(.mismatch, "nothing to concatenate") }
    for part in parts where part.dtype != first.dtype || part.shape.dropFirst() != first.shape.dropFirst() {
      throw FileError(
        .mismatch, "cannot concatenate \(part.dtype) \(part.shape) to \(first.dtype) \(first.shape)")
    }
    var rows = 0
    for part in parts {
      let (sum, overflow) = rows.addingReportingOverflow(part.shape.first ?? 0)
      guard !overflow else { throw FileError(.malformed, "rows of \(parts.map(\.shape)) overflow") }
      rows = sum
    }
    try self.init(
      dtype: first.dtype, shape: [rows] + first.shape.dropFirst(),
      bytes: Bytes(concatenating: parts.map(\.bytes)))
  }
}
