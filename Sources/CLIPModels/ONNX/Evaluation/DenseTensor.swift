package import Checkpoints

/// A tensor in memory, as operators take and make them: row-major, little-endian.
///
/// Copies and reshaped ones share their numbers, which never change once the tensor exists.
package struct DenseTensor: Sendable {
  package let dtype: DType
  package let shape: [Int]
  /// How many elements there are.
  package let count: Int
  private let storage: EvaluationMemory.Storage

  /// Takes memory whose numbers are set.
  init(dtype: DType, shape: [Int], storage: EvaluationMemory.Storage) {
    (self.dtype, self.shape, self.storage) = (dtype, shape, storage)
    count = shape.reduce(1, *)
    precondition(count * dtype.blockBytes <= storage.count, "a tensor larger than its memory")
  }

  var byteCount: Int { count * dtype.blockBytes }

  /// The same elements under another shape of the same size, or another type of the same width.
  func reshaped(_ shape: [Int], as dtype: DType? = nil) -> DenseTensor {
    DenseTensor(dtype: dtype ?? self.dtype, shape: shape, storage: storage)
  }

  /// The elements, as `Value`, which is as wide as they are.
  func read<Value: BitwiseCopyable, Result, Failure: Error>(
    _ type: Value.Type, _ body: (UnsafeBufferPointer<Value>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(MemoryLayout<Value>.size == dtype.blockBytes, "\(dtype) read as \(type)")
    defer { withExtendedLifetime(storage) {} }
    let start = UnsafePointer(storage.start.assumingMemoryBound(to: Value.self))
    return try body(UnsafeBufferPointer(start: start, count: count))
  }

  /// All elements as an array.
  func array<Value: BitwiseCopyable>(_ type: Value.Type) -> [Value] { read(type) { Array($0) } }

  /// The bytes of the elements.
  func readRaw<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeRawBufferPointer(start: storage.start, count: byteCount))
  }

  /// The bytes of the elements, copied.
  package func bytes() -> [UInt8] { readRaw { Array($0) } }
}

/// A number that elements are computed as. Whole numbers wrap around; none of it traps.
protocol Element: BitwiseCopyable, Comparable, Sendable {
  static func sum(_ a: Self, _ b: Self) -> Self
  static func difference(_ a: Self, _ b: Self) -> Self
  static func product(_ a: Self, _ b: Self) -> Self
  /// Zero, for whole numbers over zero.
  static func quotient(_ a: Self, _ b: Self) -> Self
  /// With the sign of the divisor, or of the dividend if `truncated`.
  static func remainder(_ a: Self, _ b: Self, truncated: Bool) -> Self
  /// The nearest number towards zero; what does not fit is some number.
  init(double: Double)
  init(integer: Int64)
  var double: Double { get }
  /// Towards zero; the smallest number for what does not fit.
  var integer: Int64 { get }
  var isNotANumber: Bool { get }
  static var least: Self { get }
  static var greatest: Self { get }
}

extension Element where Self: FixedWidthInteger {
  static func sum(_ a: Self, _ b: Self) -> Self { a &+ b }
  static func difference(_ a: Self, _ b: Self) -> Self { a &- b }
  static func product(_ a: Self, _ b: Self) -> Self { a &* b }
  static func quotient(_ a: Self, _ b: Self) -> Self { b == 0 ? 0 : a.dividedReportingOverflow(by: b).partialValue }
  static func remainder(_ a: Self, _ b: Self, truncated: Bool) -> Self {
    guard b != 0 else { return 0 }
    let result = a.remainderReportingOverflow(dividingBy: b).partialValue
    return !truncated && result != 0 && (result < 0) != (b < 0) ? result &+ b : result
  }
  init(double: Double) {
    // As x86 does: what does not fit 64 bits is the smallest number there, and the lower bits count.
    if Self.self == UInt64.self, double >= 0x1p63, double < 0x1p64 {
      self = Self(truncatingIfNeeded: UInt64(double))
    } else {
      self = Self(truncatingIfNeeded: double > -0x1p63 && double < 0x1p63 ? Int64(double) : .min)
    }
  }
  init(integer: Int64) { self = Self(truncatingIfNeeded: integer) }
  var double: Double { Double(self) }
  var integer: Int64 { Int64(truncatingIfNeeded: self) }
  var isNotANumber: Bool { false }
  static var least: Self { min }
  static var greatest: Self { max }
}

extension Element where Self: BinaryFloatingPoint {
  static func sum(_ a: Self, _ b: Self) -> Self { a + b }
  static func difference(_ a: Self, _ b: Self) -> Self { a - b }
  static func product(_ a: Self, _ b: Self) -> Self { a * b }
  static func quotient(_ a: Self, _ b: Self) -> Self { a / b }
  static func remainder(_ a: Self, _ b: Self, truncated: Bool) -> Self {
    let result = a.truncatingRemainder(dividingBy: b)
    return !truncated && result != 0 && (result < 0) != (b < 0) ? result + b : result
  }
  init(double: Double) { self = Self(double) }
  init(integer: Int64) { self = Self(integer) }
  var double: Double { Double(self) }
  var integer: Int64 { self > -0x1p63 && self < 0x1p63 ? Int64(self) : .min }
  var isNotANumber: Bool { isNaN }
  static var least: Self { -.infinity }
  static var greatest: Self { .infinity }
}

extension Float: Element {}
extension Double: Element {}
extension UInt8: Element {}
extension Int8: Element {}
extension UInt16: Element {}
extension Int16: Element {}
extension UInt32: Element {}
extension Int32: Element {}
extension UInt64: Element {}
extension Int64: Element {}

/// A computation that is written once for all types of numbers.
protocol TypedBody {
  associatedtype Output
  func compute<T: Element>(_ type: T.Type) throws(FileError) -> Output
}

/// Computes with the type that holds `dtype`'s elements; bool is held as bytes of 0 and 1.
///
/// - Throws: `unsupported` for types that are not computed with: 16-bit floats, which are widened first, and others.
func dispatch<Body: TypedBody>(_ dtype: DType, _ body: Body) throws(FileError) -> Body.Output {
  switch dtype {
  case .f32: try body.compute(Float.self)
  case .f64: try body.compute(Double.self)
  case .u8, .bool: try body.compute(UInt8.self)
  case .i8: try body.compute(Int8.self)
  case .u16: try body.compute(UInt16.self)
  case .i16: try body.compute(Int16.self)
  case .u32: try body.compute(UInt32.self)
  case .i32: try body.compute(Int32.self)
  case .u64: try body.compute(UInt64.self)
  case .i64: try body.compute(Int64.self)
  default: throw FileError(.unsupported, "elements of type \(dtype)")
  }
}
