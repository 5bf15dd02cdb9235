import Checkpoints

/// Convolutions.
enum Convolutions {
  static func convolution(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (x, kernel) = (try call.floats(0), try call.floats(1))
    let bias = try call.optionalFloats(2)
    let shape = try Shape(call, x: x.shape, kernel: kernel.shape)
    if let bias, bias.shape != [shape.outputs] { throw FileError(.mismatch, "a bias of shape \(bias.shape)") }
    var matrices: [PackedMatrix] = []
    if case .groups(let packed) = call.packed { matrices = packed }
    if matrices.isEmpty, shape.groupOutputs >= SmallProduct.columns, kernel.count > 0 {
      for group in 0..<shape.groups {
        matrices.append(
          try PackedOperand.packed(
            rows: kernel, from: group * shape.groupOutputs, outputs: shape.groupOutputs, call.shop))
      }
    }
    let team = call.shop.team
    let weights = kernel.array(Float.self)
    let biases = bias?.array(Float.self)
    let result = try apply(shape, x, into: .f32, as: Float.self, call.shop) { group, rows, count, out in
      if matrices.isEmpty {
        weights.withUnsafeBufferPointer { weights in
          guard let start = weights.baseAddress else { return }
          SmallProduct.multiply(
            rows, rows: count, inputs: shape.length, start + group * shape.groupOutputs * shape.length,
            columns: shape.groupOutputs, isTransposed: true, into: out)
        }
        guard let biases else { return }
        for place in 0..<(count * shape.groupOutputs) {
          out[place] += biases[group * shape.groupOutputs + place % shape.groupOutputs]
        }
        return
      }
      guard let biases else { return matrices[group].multiply(rows, rows: count, into: out, team: team) }
      biases.withUnsafeBufferPointer { biases in
        matrices[group].multiply(
          rows, rows: count, into: out, bias: biases.baseAddress.map { $0 + group * shape.groupOutputs }, team: team)
      }
    }
    return [try call.narrowed(result)]
  }

  /// `ConvInteger`.
  static func convInteger(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    [try integerConvolution(call, x: 0, xZero: 2, kernel: 1, kernelZero: 3)]
  }

  static func integerConvolution(
    _ call: NodeCall, x: Int, xZero: Int, kernel: Int, kernelZero: Int
  ) throws(FileError) -> DenseTensor {
    let source = try WholeMatrix.centred(call.input(x), call.optional(xZero), call.shop)
    let kernel = try call.input(kernel)
    var zero = call.optional(kernelZero)
    let shape = try Shape(call, x: source.shape, kernel: kernel.shape)
    if let zeros = zero, zeros.count > 1 {
      zero = zeros.reshaped([zeros.count] + kernel.shape.dropFirst().map { _ in 1 })
    }
    let weights = try WholeMatrix.centred(kernel, zero, call.shop)
    var matrices: [WholeMatrix] = []
    for group in 0..<shape.groups where weights.count > 0 {
      let columns = try call.shop.gathered(
        weights, shape: [shape.length, shape.groupOutputs], offset: group * shape.groupOutputs * shape.length,
        strides: [1, shape.length])
      matrices.append(try WholeMatrix(centred: columns, call.shop))
    }
    let team = call.shop.team
    var partial: [Float] = []
    return try apply(shape, source, into: .i32, as: Int32.self, call.shop) { group, rows, count, out in
      if partial.count < count * shape.groupOutputs {
        partial = [Float](repeating: 0, count: count * shape.groupOutputs)
      }
      partial.withUnsafeMutableBufferPointer { partial in
        guard let partial = partial.baseAddress else { return }
        matrices[group].multiply(rows, rows: count, stride: shape.length, into: out, partial: partial, team: team)
      }
    }
  }

  /// What of a convolution follows from its shapes.
  struct Shape {
    let windows: Windows
    let groups, items, channels, outputs: Int
    var groupOutputs: Int { outputs / groups }
    /// The inputs of one output.
    let length: Int

    init(_ call: NodeCall, x: [Int], kernel: [Int]) throws(FileError) {
      groups = try call.integer("group", default: 1)
      guard x.count > 2, kernel.count == x.count, groups > 0, kernel[0] % groups == 0,
        case (let inputs, false) = kernel[1].multipliedReportingOverflow(by: groups), inputs == x[1]
      else { throw FileError(.mismatch, "a kernel of shape \(kernel) for \(x) in \(groups) groups") }
      let spatial = Array(kernel[2...])
      guard try call.integers("kernel_shape") ?? spatial == spatial else {
        throw FileError(.mismatch, "a kernel of shape \(kernel), said to be another")
      }
      windows = try Windows(call, input: x, kernel: spatial)
      (items, channels, outputs) = (x[0], x[1] / groups, kernel[0])
      length = channels * windows.area
    }
  }

  /// Rows of neighbourhoods, times the kernel of each group, turned into planes.
  private static func apply<Value: BitwiseCopyable>(
    _ shape: Shape, _ x: DenseTensor, into dtype: DType, as type: Value.Type, _ shop: Workshop,
    _ multiply: (Int, UnsafePointer<Float>, Int, UnsafeMutablePointer<Value>) -> Void
  ) throws(FileError) -> DenseTensor {
    let windows = shape.windows
    let result = [shape.items, shape.outputs] + windows.output
    _ = try dtype.byteCount(shape: result)
    let (work, overflow) = (result.reduce(1, *)).multipliedReportingOverflow(by: shape.length)
    try shop.memory.charge(overflow ? .max : work)
    // As many rows at once as stay in the cache.
    let rowsAtOnce = max(64, min(windows.places, (1 << 18) / max(1, shape.length + shape.groupOutputs)))
    let storage = try shop.memory.storage(rowsAtOnce * (shape.length + shape.groupOutputs) * 4)
    defer { withExtendedLifetime(storage) {} }
    let rows = storage.start.assumingMemoryBound(to: Float.self)
    let products = (storage.start + rowsAtOnce * shape.length * 4).assumingMemoryBound(to: Value.self)
    let plane = windows.input.reduce(1, *)
    return try shop.make(dtype, result, as: Value.self) { target in
      x.read(Float.self) { source in
        guard target.count > 0, let out = target.baseAddress, let from = source.baseAddress else { return }
        for item in 0..<shape.items {
          for group in 0..<shape.groups {
            let channels = from + (item * shape.groups + group) * shape.channels * plane
            let planes = out + (item * shape.groups + group) * shape.groupOutputs * windows.places
            for first in stride(from: 0, to: windows.places, by: rowsAtOnce) {
              let count = min(rowsAtOnce, windows.places - first)
              fill(rows, shape, channels, places: first..<(first + count), plane, shop)
              multiply(group, rows, count, products)
              for output in 0..<shape.groupOutputs {
                let line = planes + output * windows.places + first
                for row in 0..<count { line[row] = products[row * shape.groupOutputs + output] }
              }
            }
          }
        }
      }
    }
  }

  /// One row of `length` numbers for each place: channel after channel, each with its window.
  private static func fill(
    _ rows: UnsafeMutablePointer<Float>, _ shape: Shape, _ channels: UnsafePointer<Float>, places: Range<Int>,
    _ plane: Int, _ shop: Workshop
  ) {
    let area = shape.windows.area
    shop.forEachRange(places.count, cost: shape.length) { range in
      var offsets = [Int](repeating: 0, count: area)
      for index in range {
        shape.windows.offsets(places.lowerBound + index, into: &offsets)
        var target = rows + index * shape.length
        for channel in 0..<shape.channels {
          let source = channels + channel * plane
          for position in 0..<area { target[position] = offsets[position] < 0 ? 0 : source[offsets[position]] }
          target += area
        }
      }
    }
  }
}
