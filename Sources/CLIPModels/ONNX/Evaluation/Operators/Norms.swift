import Checkpoints

/// Operators that subtract means and divide by deviations.
enum Norms {
  /// `LayerNormalization` over the dimensions from an axis on; the mean and 1/deviation are further outputs.
  static func layer(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let x = try call.floats(0)
    let axis = try call.axis(call.integer("axis", default: -1), rank: x.shape.count)
    let epsilon = try call.float("epsilon", default: 1e-5)
    let shape = Array(x.shape[axis...])
    let length = shape.reduce(1, *)
    let rows = x.shape[..<axis].reduce(1, *)
    let weight = try parameter(call.optionalFloats(1), shape, call.shop)
    let bias = try parameter(call.optionalFloats(2), shape, call.shop)
    let normed = try call.shop.make(.f32, x.shape, as: Float.self) { target in
      withParameter(weight) { weight in
        withParameter(bias) { bias in
          x.read(Float.self) { source in
            guard length > 0, let from = source.baseAddress, let out = target.baseAddress else { return }
            layerNorm(
              from, rows: rows, columns: length, weight: weight, bias: bias, epsilon: Double(epsilon), into: out,
              team: call.shop.team)
          }
        }
      }
    }
    var result = [try call.narrowed(normed)]
    guard call.node.outputs.count > 1 else { return result }
    let outer = Array(x.shape[..<axis]) + shape.map { _ in 1 }
    for isMean in [true, false] {
      result.append(
        try call.shop.make(.f32, outer, as: Float.self) { target in
          x.read(Float.self) { source in
            for row in target.indices {
              let values = source[(row * length)..<((row + 1) * length)]
              let mean = values.reduce(0.0) { $0 + Double($1) } / Double(length)
              let variance = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(length)
              target[row] = Float(isMean ? mean : 1 / (variance + Double(epsilon)).squareRoot())
            }
          }
        })
    }
    return result
  }

  /// A weight or bias, repeated to the normed dimensions.
  private static func parameter(
    _ tensor: DenseTensor?, _ shape: [Int], _ shop: Workshop
  ) throws(FileError) -> DenseTensor? {
    guard let tensor, tensor.shape != shape else { return tensor }
    guard try broadcastShape([tensor.shape, shape]) == shape else {
      throw FileError(.mismatch, "a weight of shape \(tensor.shape) for \(shape)")
    }
    return try shop.gathered(tensor, shape: shape, strides: broadcastStrides(tensor.shape, to: shape))
  }

  private static func withParameter(_ tensor: DenseTensor?, _ body: (UnsafePointer<Float>?) -> Void) {
    guard let tensor else { return body(nil) }
    tensor.read(Float.self) { body($0.baseAddress) }
  }

  /// `RMSNormalization` over the dimensions from an axis on.
  static func rootMeanSquare(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (x, weight) = (try call.floats(0), try call.floats(1))
    let axis = try call.axis(call.integer("axis", default: -1), rank: x.shape.count)
    let epsilon = Double(try call.float("epsilon", default: 1e-5))
    let shape = Array(x.shape[axis...])
    let rows = x.reshaped([x.shape[..<axis].reduce(1, *), shape.reduce(1, *)])
    let normed = try AxisRows.map(rows, axis: 1, call.shop) { row, out in
      let squares = row.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(row.count)
      let factor = Float(1 / (squares + epsilon).squareRoot())
      for index in row.indices { out[index] = row[index] * factor }
    }
    return [
      try call.narrowed(
        Arithmetic.multiply.combine(normed.reshaped(x.shape), parameter(weight, shape, call.shop) ?? weight, call.shop))
    ]
  }

  /// `BatchNormalization` with the statistics of the training.
  static func batch(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    guard try !call.flag("training_mode") else { throw FileError(.unsupported, "batch norm while training") }
    let x = try call.floats(0)
    guard x.shape.count > 1 else { throw FileError(.mismatch, "shape \(x.shape) has no channels") }
    let channels = x.shape[1]
    let epsilon = Double(try call.float("epsilon", default: 1e-5))
    let rows = try (1...4).map { (index) throws(FileError) in
      let row = try call.floats(index)
      guard row.shape == [channels] else { throw FileError(.mismatch, "shape \(row.shape) for \(channels) channels") }
      return row.array(Float.self)
    }
    let factors = (0..<channels).map { Float(Double(rows[0][$0]) / (Double(rows[3][$0]) + epsilon).squareRoot()) }
    let shifts = (0..<channels).map { Float(Double(rows[1][$0]) - Double(rows[2][$0]) * Double(factors[$0])) }
    return [try call.narrowed(scaled(x, factors, shifts, call.shop))]
  }

  private static func scaled(
    _ x: DenseTensor, _ factors: [Float], _ shifts: [Float], _ shop: Workshop
  ) throws(FileError) -> DenseTensor {
    let channels = factors.count
    return try shop.make(.f32, x.shape, as: Float.self) { target in
      x.read(Float.self) { source in
        guard source.count > 0, let from = source.baseAddress, let out = target.baseAddress else { return }
        let area = x.shape[2...].reduce(1, *)
        shop.forEachRange(x.shape[0] * channels, cost: area) { range in
          for plane in range {
            let (factor, shift) = (factors[plane % channels], shifts[plane % channels])
            for index in (plane * area)..<((plane + 1) * area) { out[index] = from[index] * factor + shift }
          }
        }
      }
    }
  }

  /// `InstanceNormalization` and `GroupNormalization`: statistics of each item's groups of channels.
  static func group(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (x, weight, bias) = (try call.floats(0), try call.floats(1), try call.floats(2))
    guard x.shape.count > 1 else { throw FileError(.mismatch, "shape \(x.shape) has no channels") }
    let channels = x.shape[1]
    let groups = call.node.kind == "InstanceNormalization" ? channels : try call.integer("num_groups", default: 1)
    guard groups > 0, channels % groups == 0 else { throw FileError(.malformed, "\(groups) groups of \(channels)") }
    let rows = x.reshaped([x.shape[0] * groups, x.count / max(1, x.shape[0] * groups)])
    let epsilon = Double(try call.float("epsilon", default: 1e-5))
    let normed = try AxisRows.map(rows, axis: 1, call.shop) { row, out in
      guard let from = row.baseAddress else { return }
      ProductKernels.layerNorm(from, rows: 1, columns: row.count, weight: nil, bias: nil, epsilon: epsilon, into: out)
    }
    func perChannel(_ parameter: DenseTensor) throws(FileError) -> [Float] {
      let values = parameter.array(Float.self)
      // Before opset 21 there was one number for each group.
      guard values.count == channels || values.count == groups else {
        throw FileError(.mismatch, "\(values.count) factors for \(channels) channels")
      }
      return (0..<channels).map { values[values.count == channels ? $0 : $0 / (channels / groups)] }
    }
    return [
      try call.narrowed(scaled(normed.reshaped(x.shape), perChannel(weight), perChannel(bias), call.shop))
    ]
  }
}
