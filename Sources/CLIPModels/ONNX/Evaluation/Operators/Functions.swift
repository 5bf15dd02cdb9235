import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Functions of one floating-point tensor.
enum Function: Sendable {
  case squareRoot, reciprocal, exponential, logarithm, errorFunction, tangens, sigmoid, sine, cosine
  case floor, ceiling, rounded, softplus, softsign, hardSwish, mish, rectifier

  func apply(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    let wide = try call.shop.widened(tensor)
    let result: DenseTensor
    switch wide.dtype {
    case .f32: result = try single(wide, call.shop)
    case .f64: result = try double(wide, call.shop)
    default:
      guard self == .rectifier else { throw FileError(.unsupported, "elements of type \(tensor.dtype)") }
      result = try dispatch(wide.dtype, Rectifier(tensor: wide, shop: call.shop))
    }
    return [try call.narrowed(result)]
  }

  private struct Rectifier: TypedBody {
    let tensor: DenseTensor
    let shop: Workshop
    func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
      let zero = T(integer: 0)
      return try shop.map(tensor, as: T.self, into: tensor.dtype, as: T.self) { $0 < zero ? zero : $0 }
    }
  }

  private func single(_ tensor: DenseTensor, _ shop: Workshop) throws(FileError) -> DenseTensor {
    func map(_ cost: Int = 8, _ function: (Float) -> Float) throws(FileError) -> DenseTensor {
      try shop.map(tensor, as: Float.self, into: .f32, as: Float.self, cost: cost, function)
    }
    switch self {
    case .squareRoot: return try map { $0.squareRoot() }
    case .reciprocal: return try map { 1 / $0 }
    case .exponential: return try map { expf($0) }
    case .logarithm: return try map { logf($0) }
    case .errorFunction: return try map { erff($0) }
    case .tangens: return try map { tanhf($0) }
    case .sigmoid: return try map { logistic($0) }
    case .sine: return try map { sinf($0) }
    case .cosine: return try map { cosf($0) }
    case .floor: return try map { $0.rounded(.down) }
    case .ceiling: return try map { $0.rounded(.up) }
    case .rounded: return try map { $0.rounded(.toNearestOrEven) }
    case .softplus: return try map { max($0, 0) + log1pf(expf(-abs($0))) }
    case .softsign: return try map { $0 / (1 + abs($0)) }
    case .hardSwish: return try map { $0 * max(0, min(1, $0 / 6 + 0.5)) }
    case .mish: return try map { $0 * tanhf(max($0, 0) + log1pf(expf(-abs($0)))) }
    case .rectifier: return try map(1) { $0 < 0 ? 0 : $0 }
    }
  }

  private func double(_ tensor: DenseTensor, _ shop: Workshop) throws(FileError) -> DenseTensor {
    let function: (Double) -> Double =
      switch self {
      case .squareRoot: { $0.squareRoot() }
      case .reciprocal: { 1 / $0 }
      case .exponential: { exp($0) }
      case .logarithm: { log($0) }
      case .errorFunction: { erf($0) }
      case .tangens: { tanh($0) }
      case .sigmoid: { 1 / (1 + exp(-$0)) }
      case .sine: { sin($0) }
      case .cosine: { cos($0) }
      case .floor: { $0.rounded(.down) }
      case .ceiling: { $0.rounded(.up) }
      case .rounded: { $0.rounded(.toNearestOrEven) }
      case .softplus: { max($0, 0) + log1p(exp(-abs($0))) }
      case .softsign: { $0 / (1 + abs($0)) }
      case .hardSwish: { $0 * max(0, min(1, $0 / 6 + 0.5)) }
      case .mish: { $0 * tanh(max($0, 0) + log1p(exp(-abs($0)))) }
      case .rectifier: { $0 < 0 ? 0 : $0 }
      }
    return try shop.map(tensor, as: Double.self, into: .f64, as: Double.self, cost: 8, function)
  }

  /// 1/(1 + e⁻ˣ), without an overflow on the way.
  @inline(__always)
  static func logistic(_ x: Float) -> Float {
    guard x < 0 else { return 1 / (1 + expf(-x)) }
    let power = expf(x)
    return power / (1 + power)
  }
  private func logistic(_ x: Float) -> Float { Self.logistic(x) }
}

/// Functions with parameters, and those of any number.
enum Elementwise {
  /// `Gelu`, exact or by tanh.
  static func gelu(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let form = try call.string("approximate") ?? "none"
    guard form == "none" || form == "tanh" else {
      throw FileError(.unsupported, "approximate '\(escaped(form))', known are none and tanh")
    }
    return [try call.narrowed(gelu(call.floats(0), byTanh: form == "tanh", call.shop))]
  }

  static func gelu(_ x: DenseTensor, byTanh: Bool, _ shop: Workshop) throws(FileError) -> DenseTensor {
    guard byTanh else {
      return try shop.map(x, as: Float.self, into: .f32, as: Float.self, cost: 8) {
        0.5 * $0 * (1 + erff($0 * 0.70710678118654752440))
      }
    }
    return try shop.map(x, as: Float.self, into: .f32, as: Float.self, cost: 8) { x in
      0.5 * x * (1 + tanhf(0.7978845608028654 * (x + 0.044715 * x * x * x)))
    }
  }

  /// Functions of f32 with one or two parameters.
  static func parametric(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let x = try call.floats(0)
    func map(_ function: (Float) -> Float) throws(FileError) -> [DenseTensor] {
      [try call.narrowed(call.shop.map(x, as: Float.self, into: .f32, as: Float.self, cost: 8, function))]
    }
    switch call.node.kind {
    case "LeakyRelu":
      let alpha = try call.float("alpha", default: 0.01)
      return try map { $0 < 0 ? alpha * $0 : $0 }
    case "Elu":
      let alpha = try call.float("alpha", default: 1)
      return try map { $0 < 0 ? alpha * (expf($0) - 1) : $0 }
    case "Celu":
      let alpha = try call.float("alpha", default: 1)
      return try map { max(0, $0) + min(0, alpha * (expf($0 / alpha) - 1)) }
    case "Selu":
      let (alpha, gamma) = (try call.float("alpha", default: 1.67326319), try call.float("gamma", default: 1.05070102))
      return try map { gamma * ($0 < 0 ? alpha * (expf($0) - 1) : $0) }
    case "Swish":
      let alpha = try call.float("alpha", default: 1)
      return try map { $0 * Function.logistic(alpha * $0) }
    case "ThresholdedRelu":
      let alpha = try call.float("alpha", default: 1)
      return try map { $0 > alpha ? $0 : 0 }
    default:  // HardSigmoid
      let (alpha, beta) = (try call.float("alpha", default: 0.2), try call.float("beta", default: 0.5))
      return try map { max(0, min(1, alpha * $0 + beta)) }
    }
  }

  /// `PRelu`: negative numbers times a slope that is repeated to their shape.
  static func slopes(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (x, slope) = (try call.floats(0), try call.floats(1))
    let result = try call.shop.combine(x, as: Float.self, slope, as: Float.self, into: .f32, as: Float.self) {
      $0 < 0 ? $0 * $1 : $0
    }
    return [try call.narrowed(result)]
  }

  /// `Abs`, `Neg`, `Sign`.
  static func sign(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let wide = try call.shop.widened(call.input(0))
    return [try call.narrowed(dispatch(wide.dtype, Signs(kind: call.node.kind, tensor: wide, shop: call.shop)))]
  }

  private struct Signs: TypedBody {
    let kind: String
    let tensor: DenseTensor
    let shop: Workshop
    func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
      let (zero, one) = (T(integer: 0), T(integer: 1))
      switch kind {
      case "Abs":
        return try shop.map(tensor, as: T.self, into: tensor.dtype, as: T.self) {
          $0 < zero ? T.difference(zero, $0) : T.sum($0, zero)
        }
      case "Neg":
        let minusOne = T(integer: -1)
        return try shop.map(tensor, as: T.self, into: tensor.dtype, as: T.self) { T.product(minusOne, $0) }
      default:
        return try shop.map(tensor, as: T.self, into: tensor.dtype, as: T.self) {
          $0 > zero ? one : $0 < zero ? T.difference(zero, one) : $0
        }
      }
    }
  }

  static func not(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    guard tensor.dtype == .bool else { throw FileError(.mismatch, "elements of type \(tensor.dtype), expected bool") }
    return [try call.shop.map(tensor, as: UInt8.self, into: .bool, as: UInt8.self) { 1 - $0 }]
  }

  /// `IsNaN` and `IsInf`.
  static func classify(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let wide = try convert(call.input(0), to: .f64, call.shop)
    let isNaN = call.node.kind == "IsNaN"
    let (up, down) = (try call.flag("detect_positive", default: true), try call.flag("detect_negative", default: true))
    return [
      try call.shop.map(wide, as: Double.self, into: .bool, as: UInt8.self) {
        let found = isNaN ? $0.isNaN : ($0 == .infinity && up) || ($0 == -.infinity && down)
        return found ? 1 : 0
      }
    ]
  }

  /// `Clip`, whose limits are attributes before opset 11 and may be left out.
  static func clip(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    var result = try call.input(0)
    if call.opset < 11 {
      let (low, high) = (try call.float("min", default: -.infinity), try call.float("max", default: .infinity))
      let x = try call.floats(0)
      return [
        try call.narrowed(
          call.shop.map(x, as: Float.self, into: .f32, as: Float.self) { Swift.min(Swift.max($0, low), high) })
      ]
    }
    if let low = call.optional(1) { result = try Arithmetic.maximum.combine(result, low, call.shop) }
    if let high = call.optional(2) { result = try Arithmetic.minimum.combine(result, high, call.shop) }
    return [result]
  }

  /// `Cast` and `CastLike`.
  static func cast(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    if call.node.kind == "CastLike" { return [try convert(call.input(0), to: call.input(1).dtype, call.shop)] }
    guard let dtype = try call.dtype("to") else { throw FileError(.malformed, "attribute to is not there") }
    return [try convert(call.input(0), to: dtype, call.shop)]
  }

  /// `Identity`, and `Dropout` where nothing is trained.
  static func identity(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let x = try call.input(0)
    guard call.node.kind == "Dropout" else { return [x] }
    if let training = call.optional(2), try training.scalar() != 0 {
      throw FileError(.unsupported, "dropout while training")
    }
    return [x, try call.shop.make(.bool, x.shape, as: UInt8.self) { $0.update(repeating: 1) }]
  }

  /// `Sum` and `Mean` of any number of tensors.
  static func sum(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let inputs = try call.allInputs()
    var result = try call.floats(0)
    for index in inputs.indices.dropFirst() {
      result = try Arithmetic.add.combine(result, call.floats(index), call.shop)
    }
    if call.node.kind == "Mean" {
      let count = Float(inputs.count)
      result = try call.shop.map(result, as: Float.self, into: .f32, as: Float.self) { $0 / count }
    }
    return [try call.narrowed(result)]
  }
}
