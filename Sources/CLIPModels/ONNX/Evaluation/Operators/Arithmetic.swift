import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Operators on two tensors that are repeated to one shape.
enum Arithmetic: Sendable {
  case add, subtract, multiply, divide, power, remainder, minimum, maximum

  func apply(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let inputs = try call.allInputs()
    guard inputs.count == 2 || isVariadic else { throw FileError(.malformed, "\(inputs.count) inputs, expected 2") }
    guard inputs.count > 1 else { return inputs }
    var result = inputs[0]
    let truncates = try call.flag("fmod")
    for other in inputs.dropFirst() { result = try combine(result, other, truncates: truncates, call.shop) }
    return [result]
  }

  private var isVariadic: Bool { self == .minimum || self == .maximum }

  /// The result has the type of `a`; that of `b` is the same but for powers.
  func combine(
    _ a: DenseTensor, _ b: DenseTensor, truncates: Bool = false, _ shop: Workshop
  ) throws(FileError) -> DenseTensor {
    let (x, y) = (try shop.widened(a), try shop.widened(b))
    if self == .power { return try shop.narrowed(power(x, y, shop), to: a.dtype) }
    guard a.dtype == b.dtype else { throw FileError(.mismatch, "types \(a.dtype) and \(b.dtype)") }
    let result = try dispatch(x.dtype, Body(operation: self, a: x, b: y, truncates: truncates, shop: shop))
    return try shop.narrowed(result, to: a.dtype)
  }

  private struct Body: TypedBody {
    let operation: Arithmetic
    let a, b: DenseTensor
    let truncates: Bool
    let shop: Workshop

    func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
      let truncates = truncates
      switch operation {
      case .add: return try shop.combine(a, as: T.self, b, as: T.self, into: a.dtype, as: T.self) { T.sum($0, $1) }
      case .subtract:
        return try shop.combine(a, as: T.self, b, as: T.self, into: a.dtype, as: T.self) { T.difference($0, $1) }
      case .multiply:
        return try shop.combine(a, as: T.self, b, as: T.self, into: a.dtype, as: T.self) { T.product($0, $1) }
      case .divide:
        return try shop.combine(a, as: T.self, b, as: T.self, into: a.dtype, as: T.self) { T.quotient($0, $1) }
      case .remainder:
        return try shop.combine(a, as: T.self, b, as: T.self, into: a.dtype, as: T.self) {
          T.remainder($0, $1, truncated: truncates)
        }
      case .minimum:
        return try shop.combine(a, as: T.self, b, as: T.self, into: a.dtype, as: T.self) {
          $0.isNotANumber || $0 < $1 ? $0 : $1
        }
      case .maximum:
        return try shop.combine(a, as: T.self, b, as: T.self, into: a.dtype, as: T.self) {
          $0.isNotANumber || $0 > $1 ? $0 : $1
        }
      case .power: throw FileError(.unsupported, "powers of that type")
      }
    }
  }

  /// Bases may be whole numbers while exponents are not, and the other way round.
  private func power(_ a: DenseTensor, _ b: DenseTensor, _ shop: Workshop) throws(FileError) -> DenseTensor {
    if a.dtype == .f32 {
      let exponents = try convert(b, to: .f32, shop)
      if exponents.count == 1, exponents.read(Float.self, { $0[0] }) == 2 {
        return try shop.combine(a, as: Float.self, exponents, as: Float.self, into: .f32, as: Float.self) { x, _ in
          x * x
        }
      }
      return try shop.combine(a, as: Float.self, exponents, as: Float.self, into: .f32, as: Float.self) { powf($0, $1) }
    }
    let (x, y) = (try convert(a, to: .f64, shop), try convert(b, to: .f64, shop))
    let powers = try shop.combine(x, as: Double.self, y, as: Double.self, into: .f64, as: Double.self) { pow($0, $1) }
    return try convert(powers, to: a.dtype, shop)
  }
}

/// Comparisons, and logic on bool.
enum Comparison: Sendable {
  case equal, greater, greaterOrEqual, less, lessOrEqual, and, or, exclusiveOr

  func apply(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (a, b) = (try call.input(0), try call.input(1))
    guard a.dtype == b.dtype else { throw FileError(.mismatch, "types \(a.dtype) and \(b.dtype)") }
    let (x, y) = (try call.shop.widened(a), try call.shop.widened(b))
    return [try dispatch(x.dtype, Body(operation: self, a: x, b: y, shop: call.shop))]
  }

  private struct Body: TypedBody {
    let operation: Comparison
    let a, b: DenseTensor
    let shop: Workshop

    func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
      let operation = operation
      let zero = T(integer: 0)
      return try shop.combine(a, as: T.self, b, as: T.self, into: .bool, as: UInt8.self) { x, y in
        let result =
          switch operation {
          case .equal: x == y
          case .greater: x > y
          case .greaterOrEqual: x >= y
          case .less: x < y
          case .lessOrEqual: x <= y
          case .and: x != zero && y != zero
          case .or: x != zero || y != zero
          case .exclusiveOr: (x != zero) != (y != zero)
          }
        return result ? 1 : 0
      }
    }
  }
}

enum Selection {
  /// `Where`: the second input where the first is true, and the third elsewhere.
  static func choose(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (condition, a, b) = (try call.input(0), try call.input(1), try call.input(2))
    guard condition.dtype == .bool else { throw FileError(.mismatch, "a condition of type \(condition.dtype)") }
    guard a.dtype == b.dtype else { throw FileError(.mismatch, "types \(a.dtype) and \(b.dtype)") }
    switch a.dtype.blockBytes {
    case 1: return [try choose(condition, a, b, UInt8.self, call.shop)]
    case 2: return [try choose(condition, a, b, UInt16.self, call.shop)]
    case 4: return [try choose(condition, a, b, UInt32.self, call.shop)]
    default: return [try choose(condition, a, b, UInt64.self, call.shop)]
    }
  }

  private static func choose<Value: BitwiseCopyable>(
    _ condition: DenseTensor, _ a: DenseTensor, _ b: DenseTensor, _ type: Value.Type, _ shop: Workshop
  ) throws(FileError) -> DenseTensor {
    let shape = try broadcastShape([condition.shape, a.shape, b.shape])
    let loop = StridedLoop(shape: shape, strides: [condition, a, b].map { broadcastStrides($0.shape, to: shape) })
    let row = loop.row
    let (conditionStep, aStep, bStep) = (loop.step(0), loop.step(1), loop.step(2))
    return try shop.make(a.dtype, shape, as: Value.self) { target in
      condition.read(UInt8.self) { condition in
        a.read(Value.self) { a in
          b.read(Value.self) { b in
            guard target.count > 0, let out = target.baseAddress, let condition = condition.baseAddress,
              let a = a.baseAddress, let b = b.baseAddress
            else { return }
            loop.forEachRow(0..<loop.rows) { index, offsets in
              let (condition, a, b) = (condition + offsets.first, a + offsets.second, b + offsets.third)
              let out = out + index * row
              for i in 0..<row { out[i] = condition[i * conditionStep] != 0 ? a[i * aStep] : b[i * bStep] }
            }
          }
        }
      }
    }
  }
}

/// The elements as another type; 16-bit floats on either side too.
func convert(_ tensor: DenseTensor, to dtype: DType, _ shop: Workshop) throws(FileError) -> DenseTensor {
  guard tensor.dtype != dtype else { return tensor }
  if dtype == .f16 || dtype == .bf16 {
    let wide = tensor.dtype == .f64 ? tensor : try convert(tensor, to: .f32, shop)
    return try shop.narrowed(wide, to: dtype)
  }
  let source = try shop.widened(tensor)
  guard source.dtype != dtype else { return source }
  return try dispatch(source.dtype, ConvertFrom(source: source, dtype: dtype, shop: shop))
}

private struct ConvertFrom: TypedBody {
  let source: DenseTensor
  let dtype: DType
  let shop: Workshop

  func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
    if dtype == .bool {
      let zero = T(integer: 0)
      return try shop.map(source, as: T.self, into: .bool, as: UInt8.self) { $0 != zero ? 1 : 0 }
    }
    return try dispatch(dtype, ConvertTo<T>(source: source, dtype: dtype, shop: shop))
  }
}

private struct ConvertTo<Source: Element>: TypedBody {
  let source: DenseTensor
  let dtype: DType
  let shop: Workshop

  func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
    // Between whole numbers nothing may go through a float.
    if !source.dtype.isFloat, source.dtype != .u64 || !dtype.isFloat {
      return try shop.map(source, as: Source.self, into: dtype, as: T.self) { T(integer: $0.integer) }
    }
    return try shop.map(source, as: Source.self, into: dtype, as: T.self) { T(double: $0.double) }
  }
}
