import Checkpoints

/// Operators that look at shapes, or change nothing but the shape.
enum Shapes {
  static func shape(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let shape = try call.input(0).shape
    func place(_ name: String, _ value: Int) throws(FileError) -> Int {
      let given = try call.integer(name, default: value)
      return min(max(given < 0 ? given.addingReportingOverflow(shape.count).partialValue : given, 0), shape.count)
    }
    let (start, end) = (try place("start", 0), try place("end", shape.count))
    return [try call.shop.make(integers: Array(shape[start..<max(start, end)]))]
  }

  static func size(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    [try call.shop.make(.i64, [], [Int64(call.input(0).count)])]
  }

  static func reshape(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    guard let given = try call.integers(1) else { throw FileError(.malformed, "no shape") }
    guard given.count <= Limits.dimensions else { throw FileError(.malformed, "\(given.count) dimensions") }
    let keepsZeros = try call.flag("allowzero")
    var shape = given
    for (axis, size) in given.enumerated() where size == 0 && !keepsZeros {
      guard axis < tensor.shape.count else { throw FileError(.malformed, "shape \(given) for \(tensor.shape)") }
      shape[axis] = tensor.shape[axis]
    }
    let open = shape.indices.filter { shape[$0] == -1 }
    if let axis = open.first, open.count == 1 {
      shape[axis] = 1
      let known = try DType.elementCount(of: shape)
      guard known > 0, tensor.count % known == 0 else {
        throw FileError(.mismatch, "shape \(tensor.shape) cannot become \(given)")
      }
      shape[axis] = tensor.count / known
    }
    guard open.count < 2, try DType.elementCount(of: shape) == tensor.count else {
      throw FileError(.mismatch, "shape \(tensor.shape) cannot become \(given)")
    }
    return [tensor.reshaped(shape)]
  }

  static func flatten(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    let given = try call.integer("axis", default: 1)
    let axis = given < 0 ? given + tensor.shape.count : given
    guard (0...tensor.shape.count).contains(axis) else { throw FileError(.malformed, "axis \(given)") }
    let rows = tensor.shape[..<axis].reduce(1, *)
    return [tensor.reshaped([rows, tensor.shape[axis...].reduce(1, *)])]
  }

  static func squeeze(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    var shape = tensor.shape
    if let given = try call.integers(attribute: "axes", orInput: 1) {
      for axis in try call.axes(given, rank: shape.count).reversed() {
        guard !shape.isEmpty, shape[axis] == 1 else {
          throw FileError(.mismatch, "axes \(given) of shape \(tensor.shape) are not all 1")
        }
        shape.remove(at: axis)
      }
    } else {
      shape.removeAll { $0 == 1 }
    }
    return [tensor.reshaped(shape)]
  }

  static func unsqueeze(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let tensor = try call.input(0)
    guard let given = try call.integers(attribute: "axes", orInput: 1) else { throw FileError(.malformed, "no axes") }
    guard given.count + tensor.shape.count <= Limits.dimensions else {
      throw FileError(.malformed, "\(given.count) new dimensions")
    }
    var shape = tensor.shape
    for axis in try call.axes(given, rank: tensor.shape.count + given.count) {
      guard axis <= shape.count else { throw FileError(.malformed, "axes \(given) of shape \(tensor.shape)") }
      shape.insert(1, at: axis)
    }
    return [tensor.reshaped(shape)]
  }

  /// `If`: one of two graphs.
  static func branch(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let condition = try call.input(0)
    guard condition.dtype == .bool else { throw FileError(.mismatch, "a condition of type \(condition.dtype)") }
    return try call.subgraph(call.graph(condition.scalar() != 0 ? "then_branch" : "else_branch"))
  }

  // MARK: Tensors from nothing

  static func constant(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    if let tensor = try call.tensor("value") { return [try call.shop.load(tensor)] }
    if let value = try call.float("value_float") { return [try call.shop.make(.f32, [], [value])] }
    if let value = try call.integer("value_int") { return [try call.shop.make(.i64, [], [Int64(value)])] }
    if let values = try call.integers("value_ints") { return [try call.shop.make(integers: values)] }
    if case .floats(let values) = call.node.attributes["value_floats"] {
      return [try call.shop.make(.f32, [values.count], values)]
    }
    throw FileError(.unsupported, "a constant that is neither a tensor nor numbers")
  }

  static func constantOfShape(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let shape = try call.input(0).integers()
    guard let value = try call.tensor("value") else {
      return [try call.shop.make(.f32, shape, as: Float.self) { $0.update(repeating: 0) }]
    }
    guard value.count == 1 else { throw FileError(.malformed, "a value of shape \(value.shape)") }
    _ = try DType.elementCount(of: shape)
    let single = try call.shop.load(value).reshaped([])
    return [try call.shop.gathered(single, shape: shape, strides: shape.map { _ in 0 })]
  }

  static func range(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let (start, limit, delta) = (try call.input(0), try call.input(1), try call.input(2))
    guard start.dtype == limit.dtype, start.dtype == delta.dtype else { throw FileError(.mismatch, "several types") }
    let wide = try call.shop.widened(start)
    let (first, end, step) = (
      try convertedScalar(start, call), try convertedScalar(limit, call), try convertedScalar(delta, call)
    )
    let steps = ((end - first) / step).rounded(.up)
    guard steps.isFinite, steps < 0x1p40 else { throw FileError(.malformed, "a range of \(steps) numbers") }
    let count = Int(max(0, steps))
    let body = Ramp(dtype: wide.dtype, count: count, start: first, step: step, shop: call.shop)
    return [try call.narrowed(dispatch(wide.dtype, body))]
  }

  private static func convertedScalar(_ tensor: DenseTensor, _ call: NodeCall) throws(FileError) -> Double {
    try call.shop.widened(tensor).scalar()
  }

  private struct Ramp: TypedBody {
    let dtype: DType
    let count: Int
    let start, step: Double
    let shop: Workshop
    func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
      try shop.make(dtype, [count], as: T.self) { target in
        for index in 0..<count { target[index] = T(double: start + Double(index) * step) }
      }
    }
  }
}
