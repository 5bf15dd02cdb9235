import Checkpoints

/// Operators between floats and whole numbers with a scale and a zero point.
enum Quantization {
  /// Scales or zero points as they lie along a tensor: one for all, one for each place of an axis, or one for each
  /// block of an axis.
  private static func spread(
    _ parameter: DenseTensor, over shape: [Int], _ call: NodeCall
  ) throws(FileError) -> DenseTensor {
    if parameter.count == 1 { return parameter.reshaped([]) }
    let axis = try call.axis(call.integer("axis", default: 1), rank: shape.count)
    guard axis < shape.count else { throw FileError(.mismatch, "scales of shape \(parameter.shape) for \(shape)") }
    let block = try call.integer("block_size", default: 0)
    if block > 0 {
      var blocks = shape
      blocks[axis] = (shape[axis] + block - 1) / block
      guard parameter.shape == blocks else {
        throw FileError(.mismatch, "scales of shape \(parameter.shape) for blocks of \(block) of \(shape)")
      }
      let maps = shape.indices.map { place in (0..<shape[place]).map { place == axis ? $0 / block : $0 } }
      return try call.shop.picked(parameter, shape: shape, maps: maps)
    }
    guard parameter.shape == [shape[axis]] else {
      throw FileError(.mismatch, "scales of shape \(parameter.shape) for axis \(axis) of \(shape)")
    }
    return parameter.reshaped([shape[axis]] + shape[(axis + 1)...].map { _ in 1 })
  }

  static func dequantize(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (x, given) = (try call.input(0), try call.input(1))
    guard [.u8, .i8, .u16, .i16, .i32].contains(x.dtype) else {
      throw FileError(.unsupported, "whole numbers of type \(x.dtype)")
    }
    let scale = try spread(call.floats(1), over: x.shape, call)
    // Differences of whole numbers, which f32 may not hold.
    var difference = try convert(x, to: .i32, call.shop)
    if let zero = call.optional(2) {
      guard zero.dtype == x.dtype else { throw FileError(.mismatch, "a zero point of type \(zero.dtype)") }
      let zeros = try spread(convert(zero, to: .i32, call.shop), over: x.shape, call)
      difference = try Arithmetic.subtract.combine(difference, zeros, call.shop)
    }
    let result = try call.shop.combine(
      difference, as: Int32.self, scale, as: Float.self, into: .f32, as: Float.self
    ) { Float($0) * $1 }
    guard result.shape == x.shape else { throw FileError(.mismatch, "scales of shape \(scale.shape)") }
    let dtype = try call.integer("output_dtype", default: 0) > 0 ? call.dtype("output_dtype") : given.dtype
    return [try call.shop.narrowed(result, to: dtype ?? .f32)]
  }

  static func quantize(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let x: DenseTensor = try call.input(0).dtype == .i32 ? convert(call.input(0), to: .f32, call.shop) : call.floats(0)
    let scale = try spread(call.floats(1), over: x.shape, call)
    var dtype = call.optional(2)?.dtype ?? .u8
    if call.optional(2) == nil, try call.integer("output_dtype", default: 0) > 0 {
      dtype = try call.dtype("output_dtype") ?? .u8
    }
    let scaled = try call.shop.combine(x, as: Float.self, scale, as: Float.self, into: .f32, as: Float.self) { $0 / $1 }
    guard scaled.shape == x.shape else { throw FileError(.mismatch, "scales of shape \(scale.shape)") }
    guard let zero = call.optional(2) else { return [try rounded(scaled, nil, to: dtype, call.shop)] }
    return [try rounded(scaled, spread(zero, over: x.shape, call), to: dtype, call.shop)]
  }

  /// Rounded to even, plus the zero point, as near as the type has it.
  static func rounded(
    _ x: DenseTensor, _ zero: DenseTensor?, to dtype: DType, _ shop: Workshop
  ) throws(FileError) -> DenseTensor {
    guard [.u8, .i8, .u16, .i16].contains(dtype) else {
      throw FileError(.unsupported, "whole numbers of type \(dtype)")
    }
    let single = if let zero { try convert(zero, to: .f32, shop) } else { try shop.make(.f32, [], [Float(0)]) }
    return try dispatch(dtype, Rounding(x: x, zero: single, dtype: dtype, shop: shop))
  }

  private struct Rounding: TypedBody {
    let x, zero: DenseTensor
    let dtype: DType
    let shop: Workshop
    func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
      let (low, high) = (Float(T.least.double), Float(T.greatest.double))
      return try shop.combine(x, as: Float.self, zero, as: Float.self, into: dtype, as: T.self) { x, zero in
        // Bounds come first: a large number must not vanish in what rounding makes of it. NaN becomes the lowest.
        let bounded = x > low - zero ? min(high - zero, x) : low - zero
        return T(integer: Int64(bounded.rounded(.toNearestOrEven) + zero))
      }
    }
  }

  /// `DynamicQuantizeLinear`: u8 of a scale and a zero point that cover all numbers and zero.
  static func dynamic(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let x = try call.floats(0)
    let (low, high) = x.read(Float.self) { values in
      values.reduce(into: (Float(0), Float(0))) { range, value in
        range = (min(range.0, value), max(range.1, value))
      }
    }
    let scale: Float = high == low ? 1 : (high - low) / 255
    let zero = max(0, min(255, -low / scale)).rounded(.toNearestOrEven)
    let zeros = try call.shop.make(.u8, [], [zero.isNaN ? 0 : UInt8(zero)])
    let scaled = try call.shop.map(x, as: Float.self, into: .f32, as: Float.self) { $0 / scale }
    return [
      try rounded(scaled, zeros, to: .u8, call.shop), try call.shop.make(.f32, [], [scale]), zeros,
    ]
  }

  // MARK: Products of quantized numbers

  /// `QLinearMatMul`: inputs a, its scale and zero point, b with the same, and scale and zero point of the result.
  static func matMul(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let product = try Products.integerProduct(call, a: 0, aZero: 2, b: 3, bZero: 5)
    func column(_ index: Int) throws(FileError) -> DenseTensor {
      // A scale for each row of the first operand.
      let scale = try call.floats(index)
      return scale.count > 1 && scale.shape.count == 1 ? scale.reshaped([scale.count, 1]) : scale
    }
    let factors = try Arithmetic.multiply.combine(column(1), call.floats(4), call.shop)
    return [try requantized(product, factors, call)]
  }

  /// `QLinearConv`: as `QLinearMatMul`, then a bias of i32.
  static func convolution(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    var product = try Convolutions.integerConvolution(call, x: 0, xZero: 2, kernel: 3, kernelZero: 5)
    let perChannel = [product.shape[1]] + product.shape[2...].map { _ in 1 }
    if let bias = call.optional(8) {
      guard bias.count == product.shape[1] else { throw FileError(.mismatch, "a bias of shape \(bias.shape)") }
      product = try Arithmetic.add.combine(product, bias.reshaped(perChannel), call.shop)
    }
    var scale = try call.floats(4)
    if scale.count > 1 {
      guard scale.count == product.shape[1] else { throw FileError(.mismatch, "scales of shape \(scale.shape)") }
      scale = scale.reshaped(perChannel)
    }
    return [try requantized(product, Arithmetic.multiply.combine(call.floats(1), scale, call.shop), call)]
  }

  /// Whole numbers times `factors` over the scale of the result, inputs 6 and 7.
  private static func requantized(
    _ product: DenseTensor, _ factors: DenseTensor, _ call: NodeCall
  ) throws(FileError) -> DenseTensor {
    let (scale, zero) = (try call.floats(6), try call.input(7))
    let multipliers = try Arithmetic.divide.combine(factors, scale, call.shop)
    let scaled = try Arithmetic.multiply.combine(convert(product, to: .f32, call.shop), multipliers, call.shop)
    guard scaled.shape == product.shape else { throw FileError(.mismatch, "scales of shape \(factors.shape)") }
    return try rounded(scaled, zero, to: zero.dtype, call.shop)
  }
}
