import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Operators that make one number of many along some axes.
enum Reduction: String, Sendable {
  case mean = "ReduceMean"
  case sum = "ReduceSum"
  case maximum = "ReduceMax"
  case minimum = "ReduceMin"
  case product = "ReduceProd"
  case l1 = "ReduceL1"
  case l2 = "ReduceL2"
  case sumOfSquares = "ReduceSumSquare"
  case logOfSum = "ReduceLogSum"
  case logOfSumOfExponentials = "ReduceLogSumExp"

  func apply(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    let rank = tensor.shape.count
    let given = try call.integers(attribute: "axes", orInput: 1)
    if given?.isEmpty ?? true, try call.flag("noop_with_empty_axes") {
      // Nothing is reduced, but squares, absolute values and logarithms are still taken: over dimensions of one.
      let column = tensor.reshaped(tensor.shape + [1])
      return [try reduce(column, axes: [rank], keepsAxes: false, call.shop)]
    }
    let axes = given?.isEmpty ?? true ? Array(0..<rank) : try call.axes(given ?? [], rank: rank)
    guard axes.allSatisfy({ $0 < rank }) || rank == 0 else { throw FileError(.malformed, "axes \(axes)") }
    return [try reduce(tensor, axes: rank == 0 ? [] : axes, keepsAxes: call.flag("keepdims", default: true), call.shop)]
  }

  func reduce(
    _ tensor: DenseTensor, axes: [Int], keepsAxes: Bool, _ shop: Workshop
  ) throws(FileError) -> DenseTensor {
    let rank = tensor.shape.count
    let kept = (0..<rank).filter { !axes.contains($0) }
    let shape = keepsAxes ? (0..<rank).map { axes.contains($0) ? 1 : tensor.shape[$0] } : kept.map { tensor.shape[$0] }
    // The reduced dimensions last, so that each result comes from one row.
    let rows = try Movement.transposed(shop.widened(tensor), kept + axes, shop)
    let body = Rows(
      reduction: self, tensor: rows, shape: shape, length: axes.reduce(1) { $0 * tensor.shape[$1] }, shop: shop)
    return try shop.narrowed(dispatch(rows.dtype, body), to: tensor.dtype)
  }

  private struct Rows: TypedBody {
    let reduction: Reduction
    let tensor: DenseTensor
    let shape: [Int]
    let length: Int
    let shop: Workshop

    func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
      let (length, reduction) = (length, reduction)
      let isWhole = !tensor.dtype.isFloat
      if length == 0, reduction == .mean, isWhole { throw FileError(.malformed, "the mean of no whole numbers") }
      return try shop.make(tensor.dtype, shape, as: T.self) { target in
        tensor.read(T.self) { source in
          guard let out = target.baseAddress else { return }
          let from = source.baseAddress ?? UnsafePointer(out)
          shop.forEachRange(target.count, cost: length) { range in
            for row in range {
              let values = UnsafeBufferPointer(start: from + row * length, count: length)
              out[row] = isWhole ? reduction.whole(values) : reduction.floating(values)
            }
          }
        }
      }
    }
  }

  /// Sums in f64, so that the order hardly matters.
  private func floating<T: Element>(_ values: UnsafeBufferPointer<T>) -> T {
    func sum(_ term: (Double) -> Double) -> Double {
      var sum = 0.0
      for value in values { sum += term(value.double) }
      return sum
    }
    switch self {
    case .mean: return T(double: sum { $0 } / Double(values.count))
    case .sum: return T(double: sum { $0 })
    case .l1: return T(double: sum { abs($0) })
    case .l2: return T(double: sum { $0 * $0 }.squareRoot())
    case .sumOfSquares: return T(double: sum { $0 * $0 })
    case .logOfSum: return T(double: log(sum { $0 }))
    case .logOfSumOfExponentials:
      let largest = extreme(values, from: T.least) { $1 > $0 }.double
      guard largest.isFinite else { return T(double: largest) }
      return T(double: largest + log(sum { exp($0 - largest) }))
    case .product: return T(double: values.reduce(1.0) { $0 * $1.double })
    case .maximum: return extreme(values, from: T.least) { $1 > $0 }
    case .minimum: return extreme(values, from: T.greatest) { $1 < $0 }
    }
  }

  private func extreme<T: Element>(_ values: UnsafeBufferPointer<T>, from start: T, _ isBetter: (T, T) -> Bool) -> T {
    var best = start
    for value in values where isBetter(best, value) || value.isNotANumber { best = value }
    return best
  }

  /// Whole numbers wrap around.
  private func whole<T: Element>(_ values: UnsafeBufferPointer<T>) -> T {
    let zero = T(integer: 0)
    switch self {
    case .mean: return T.quotient(values.reduce(zero, T.sum), T(integer: Int64(values.count)))
    case .sum: return values.reduce(zero, T.sum)
    case .l1: return values.reduce(zero) { T.sum($0, $1 < zero ? T.difference(zero, $1) : $1) }
    case .sumOfSquares: return values.reduce(zero) { T.sum($0, T.product($1, $1)) }
    case .product: return values.reduce(T(integer: 1), T.product)
    case .maximum: return extreme(values, from: T.least) { $1 > $0 }
    case .minimum: return extreme(values, from: T.greatest) { $1 < $0 }
    case .l2: return T(double: values.reduce(0.0) { $0 + $1.double * $1.double }.squareRoot())
    case .logOfSum: return T(double: log(values.reduce(0.0) { $0 + $1.double }))
    case .logOfSumOfExponentials: return T(double: log(values.reduce(0.0) { $0 + exp($1.double) }))
    }
  }
}

/// Rows of numbers along one axis: softmax, the place of the largest, running sums.
enum AxisRows {
  /// Calls `body` with f32 rows along `axis`, which it reads from the first and writes to the second.
  static func map(
    _ tensor: DenseTensor, axis: Int, _ shop: Workshop,
    _ body: (UnsafeBufferPointer<Float>, UnsafeMutablePointer<Float>) -> Void
  ) throws(FileError) -> DenseTensor {
    let rank = tensor.shape.count
    let order = (0..<rank).filter { $0 != axis } + (rank == 0 ? [] : [axis])
    let rows = try Movement.transposed(tensor, order, shop)
    let length = rank == 0 ? 1 : tensor.shape[axis]
    let result = try shop.make(.f32, rows.shape, as: Float.self) { target in
      rows.read(Float.self) { source in
        guard length > 0, let from = source.baseAddress, let out = target.baseAddress else { return }
        shop.forEachRange(source.count / length, cost: 8 * length) { range in
          for row in range {
            body(UnsafeBufferPointer(start: from + row * length, count: length), out + row * length)
          }
        }
      }
    }
    var back = [Int](repeating: 0, count: rank)
    for (place, axis) in order.enumerated() { back[axis] = place }
    return try Movement.transposed(result, back, shop)
  }

  /// `Softmax` and `LogSoftmax`; before opset 13 all dimensions from the axis on are one.
  static func softmax(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    if try call.input(0).dtype == .f64 { return try doubleSoftmax(call) }
    let input = try call.floats(0)
    let isOld = call.opset < 13 && call.node.domain.isEmpty
    let axis = try call.axis(call.integer("axis", default: isOld ? 1 : -1), rank: input.shape.count)
    let isLogarithm = call.node.kind == "LogSoftmax"
    var x = input
    if isOld { x = input.reshaped([input.shape[..<axis].reduce(1, *), input.shape[axis...].reduce(1, *)]) }
    let result = try map(x, axis: isOld ? 1 : axis, call.shop) { row, out in
      isLogarithm ? logSoftmax(row, out) : softmax(row, out)
    }
    return [try call.narrowed(result.reshaped(input.shape))]
  }

  /// In f64, made of other operators.
  private static func doubleSoftmax(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (x, shop) = (try call.input(0), call.shop)
    guard call.opset >= 13 else { throw FileError(.unsupported, "elements of type f64 before opset 13") }
    let axes = [try call.axis(call.integer("axis", default: -1), rank: x.shape.count)]
    let largest = try Reduction.maximum.reduce(x, axes: axes, keepsAxes: true, shop)
    let shifted = try Arithmetic.subtract.combine(x, largest, shop)
    if call.node.kind == "LogSoftmax" {
      let sums = try Reduction.logOfSumOfExponentials.reduce(shifted, axes: axes, keepsAxes: true, shop)
      return [try Arithmetic.subtract.combine(shifted, sums, shop)]
    }
    let powers = try shop.map(shifted, as: Double.self, into: .f64, as: Double.self) { exp($0) }
    let sums = try Reduction.sum.reduce(powers, axes: axes, keepsAxes: true, shop)
    return [try Arithmetic.divide.combine(powers, sums, shop)]
  }

  static func softmax(_ row: UnsafeBufferPointer<Float>, _ out: UnsafeMutablePointer<Float>) {
    var largest = -Float.infinity
    for value in row where value > largest { largest = value }
    // Where nothing is finite the largest is no number to subtract, and the result is NaN as it must be.
    var sum: Float = 0
    for index in row.indices {
      out[index] = expf(row[index] - largest)
      sum += out[index]
    }
    for index in row.indices { out[index] /= sum }
  }

  private static func logSoftmax(_ row: UnsafeBufferPointer<Float>, _ out: UnsafeMutablePointer<Float>) {
    var largest = -Float.infinity
    for value in row where value > largest { largest = value }
    var sum: Float = 0
    for value in row { sum += expf(value - largest) }
    let logarithm = logf(sum)
    for index in row.indices { out[index] = row[index] - largest - logarithm }
  }

  /// `LpNormalization`.
  static func normalize(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let x = try call.floats(0)
    let axis = try call.axis(call.integer("axis", default: -1), rank: x.shape.count)
    let isFirst = try call.integer("p", default: 2) == 1
    return [
      try call.narrowed(
        map(x, axis: axis, call.shop) { row, out in
          var sum = 0.0
          for value in row { sum += isFirst ? Double(abs(value)) : Double(value) * Double(value) }
          let length = Float(isFirst ? sum : sum.squareRoot())
          for index in row.indices { out[index] = length == 0 ? 0 : row[index] / length }
        })
    ]
  }

  /// `ArgMax` and `ArgMin`: the first place, or the last, of the largest or smallest.
  static func extreme(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.shop.widened(call.input(0))
    let rank = tensor.shape.count
    let axis = try call.axis(call.integer("axis", default: 0), rank: rank)
    guard rank > 0, tensor.shape[axis] > 0 else { throw FileError(.malformed, "no largest of no numbers") }
    let order = (0..<rank).filter { $0 != axis } + [axis]
    var shape = tensor.shape
    if try call.flag("keepdims", default: true) { shape[axis] = 1 } else { shape.remove(at: axis) }
    let body = Extreme(
      rows: try Movement.transposed(tensor, order, call.shop), length: tensor.shape[axis], shape: shape,
      isLargest: call.node.kind == "ArgMax", takesLast: try call.flag("select_last_index"), shop: call.shop)
    return [try dispatch(tensor.dtype, body)]
  }

  private struct Extreme: TypedBody {
    let rows: DenseTensor
    let length: Int
    let shape: [Int]
    let isLargest, takesLast: Bool
    let shop: Workshop
    func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
      try shop.make(.i64, shape, as: Int64.self) { target in
        rows.read(T.self) { values in
          for row in target.indices {
            var best = row * length
            for place in (row * length)..<(row * length + length) {
              let (value, found) = (values[place], values[best])
              if isLargest ? value > found : value < found {
                best = place
              } else if takesLast, value == found {
                best = place
              }
            }
            target[row] = Int64(best - row * length)
          }
        }
      }
    }
  }

  /// `CumSum`.
  static func runningSum(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.shop.widened(call.input(0))
    let rank = tensor.shape.count
    let axis = try call.axis(Int(call.input(1).scalar()), rank: rank)
    guard rank > 0 else { throw FileError(.mismatch, "a number has no axis") }
    let body = RunningSum(
      tensor: tensor, length: tensor.shape[axis], inner: tensor.shape[(axis + 1)...].reduce(1, *),
      isExclusive: try call.flag("exclusive"), isReverse: try call.flag("reverse"), shop: call.shop)
    return [try call.narrowed(dispatch(tensor.dtype, body))]
  }

  private struct RunningSum: TypedBody {
    let tensor: DenseTensor
    let length, inner: Int
    let isExclusive, isReverse: Bool
    let shop: Workshop
    func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
      try shop.make(tensor.dtype, tensor.shape, as: T.self) { target in
        tensor.read(T.self) { values in
          guard values.count > 0 else { return }
          for outer in 0..<(values.count / (length * inner)) {
            for column in 0..<inner {
              var sum = T(integer: 0)
              for step in 0..<length {
                let place = (outer * length + (isReverse ? length - 1 - step : step)) * inner + column
                let next = T.sum(sum, values[place])
                target[place] = isExclusive ? sum : next
                sum = next
              }
            }
          }
        }
      }
    }
  }
}
