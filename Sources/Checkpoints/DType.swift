/// The type of a tensor's elements, and how many bytes they take.
///
/// Block types store `blockElements` consecutive values of the last dimension in `blockBytes` bytes, so one size rule
/// covers them all.
public enum DType: String, Sendable, CaseIterable, Codable {
  case bool, u8, i8, u16, i16, u32, i32, u64, i64
  case f16, bf16, f32, f64
  case c64
  case f8_e4m3, f8_e5m2
  /// GGUF blocks of 32 values: f16 scale, 32 × int8.
  case q8_0
  /// GGUF blocks of 32 values: f16 scale (and f16 minimum in the `_1` types), 4- or 5-bit integers.
  case q4_0, q4_1, q5_0, q5_1

  /// How many values one block holds; 1 for plain types.
  public var blockElements: Int {
    switch self {
    case .q8_0, .q4_0, .q4_1, .q5_0, .q5_1: 32
    default: 1
    }
  }

  /// How many bytes one block takes; the size of one value for plain types.
  public var blockBytes: Int {
    switch self {
    case .bool, .u8, .i8, .f8_e4m3, .f8_e5m2: 1
    case .u16, .i16, .f16, .bf16: 2
    case .u32, .i32, .f32: 4
    case .u64, .i64, .f64, .c64: 8
    case .q8_0: 34
    case .q4_0: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    }
  }

  /// Whether values are floating point of 16, 32 or 64 bits: the types that can be cast to one another.
  public var isFloat: Bool {
    switch self {
    case .f16, .bf16, .f32, .f64: true
    default: false
    }
  }

  /// Whether values are stored in GGUF blocks.
  public var isBlock: Bool { blockElements > 1 }

  /// The number of elements of a shape (1 for a scalar); throws when it overflows or a dimension is negative.
  public static func elementCount(of shape: [Int]) throws(FileError) -> Int {
    guard shape.count <= Limits.dimensions else {
      throw FileError(.malformed, "\(shape.count) dimensions, allowed \(Limits.dimensions)")
    }
    // A zero dimension makes the product zero, but must not hide an overflow in the others.
    var product = 1
    var isEmpty = false
    for size in shape {
      guard size >= 0 else { throw FileError(.malformed, "dimension \(size) of shape \(shape) is negative") }
      if size == 0 {
        isEmpty = true
        continue
      }
      let (result, overflow) = product.multipliedReportingOverflow(by: size)
      guard !overflow else { throw FileError(.malformed, "shape \(shape) overflows") }
      product = result
    }
    return isEmpty ? 0 : product
  }

  /// The bytes that a tensor of this shape takes; throws on overflow and on partial blocks.
  public func byteCount(shape: [Int]) throws(FileError) -> Int {
    let elements = try Self.elementCount(of: shape)
    if isBlock {
      guard let last = shape.last, last % blockElements == 0 else {
        throw FileError(
          .malformed, "last dimension of shape \(shape) is not a multiple of \(self)'s block of \(blockElements)")
      }
    }
    let (result, overflow) = (elements / blockElements).multipliedReportingOverflow(by: blockBytes)
    guard !overflow else { throw FileError(.malformed, "shape \(shape) of \(self) overflows") }
    return result
  }
}
