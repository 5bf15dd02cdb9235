import Checkpoints

/// One application of an operator: what it is given, and how its attributes are read.
struct NodeCall {
  let node: ONNXNode
  /// The version of the operators of the node's domain.
  let opset: Int
  /// The inputs in their order; nil for those left out.
  let inputs: [DenseTensor?]
  /// The constant input of a product, packed when the graph was prepared.
  let packed: PackedOperand?
  let shop: Workshop
  /// Evaluates a graph inside the node, which sees the values around it.
  let subgraph: (ONNXGraph) throws(FileError) -> [DenseTensor]

  // MARK: Inputs

  func input(_ index: Int) throws(FileError) -> DenseTensor {
    guard let tensor = optional(index) else { throw FileError(.malformed, "input \(index) is not there") }
    return tensor
  }

  func optional(_ index: Int) -> DenseTensor? { index < inputs.count ? inputs[index] : nil }

  /// All inputs, none of which may be left out.
  func allInputs() throws(FileError) -> [DenseTensor] {
    guard !inputs.isEmpty else { throw FileError(.malformed, "no inputs") }
    var result: [DenseTensor] = []
    for index in inputs.indices { result.append(try input(index)) }
    return result
  }

  /// The whole numbers of an input that is a shape, a list of axes or the like; nil when it is left out.
  func integers(_ index: Int) throws(FileError) -> [Int]? { try optional(index)?.integers() }

  // MARK: Attributes

  func integer(_ name: String) throws(FileError) -> Int? {
    guard let attribute = node.attributes[name] else { return nil }
    guard case .integer(let value) = attribute else { throw wrong(name, "a whole number") }
    return Int(value)
  }

  func integer(_ name: String, default value: Int) throws(FileError) -> Int { try integer(name) ?? value }

  func flag(_ name: String, default value: Bool = false) throws(FileError) -> Bool {
    try integer(name).map { $0 != 0 } ?? value
  }

  func float(_ name: String) throws(FileError) -> Float? {
    guard let attribute = node.attributes[name] else { return nil }
    guard case .float(let value) = attribute else { throw wrong(name, "a number") }
    return value
  }

  func float(_ name: String, default value: Float) throws(FileError) -> Float { try float(name) ?? value }

  func integers(_ name: String) throws(FileError) -> [Int]? {
    guard let attribute = node.attributes[name] else { return nil }
    guard case .integers(let values) = attribute else { throw wrong(name, "a list of whole numbers") }
    return values.map { Int($0) }
  }

  func string(_ name: String) throws(FileError) -> String? {
    guard let attribute = node.attributes[name] else { return nil }
    guard case .string(let value) = attribute else { throw wrong(name, "a text") }
    return value
  }

  func tensor(_ name: String) throws(FileError) -> Tensor? {
    guard let attribute = node.attributes[name] else { return nil }
    guard case .tensor(let value) = attribute else { throw wrong(name, "a tensor") }
    return value
  }

  func graph(_ name: String) throws(FileError) -> ONNXGraph {
    guard case .graph(let graph) = node.attributes[name] else { throw wrong(name, "a graph") }
    return graph
  }

  /// The element type that an attribute names by ONNX's number.
  func dtype(_ name: String) throws(FileError) -> DType? {
    guard let number = try integer(name) else { return nil }
    guard let dtype = ONNX.dtype(of: number) else {
      throw FileError(.unsupported, "elements of ONNX's type \(number)")
    }
    return dtype
  }

  private func wrong(_ name: String, _ expected: String) -> FileError {
    FileError(.malformed, "attribute \(name) is not \(expected)")
  }

  /// Axes, or the like, which older opsets have as an attribute and newer ones as an input.
  func integers(attribute: String, orInput index: Int) throws(FileError) -> [Int]? {
    if let values = try integers(attribute) { return values }
    return try integers(index)
  }

  /// An axis of a tensor of `rank` dimensions, counted from the end when negative.
  func axis(_ axis: Int, rank: Int) throws(FileError) -> Int {
    let result = axis < 0 ? axis + rank : axis
    guard (0..<max(rank, 1)).contains(result) else {
      throw FileError(.malformed, "axis \(axis) of \(rank) dimensions")
    }
    return result
  }

  /// Several axes, in ascending order, none of them twice.
  func axes(_ axes: [Int], rank: Int) throws(FileError) -> [Int] {
    var result: [Int] = []
    for given in axes { result.append(try axis(given, rank: rank)) }
    result.sort()
    guard zip(result, result.dropFirst()).allSatisfy({ $0 != $1 }) else {
      throw FileError(.malformed, "axes \(axes) name one twice")
    }
    return result
  }

  // MARK: Numbers

  /// An input's f32 numbers; 16-bit floats are widened.
  func floats(_ index: Int) throws(FileError) -> DenseTensor {
    let tensor = try shop.widened(input(index))
    guard tensor.dtype == .f32 else { throw FileError(.unsupported, "input \(index) of type \(tensor.dtype)") }
    return tensor
  }

  /// An optional input's f32 numbers.
  func optionalFloats(_ index: Int) throws(FileError) -> DenseTensor? {
    optional(index) == nil ? nil : try floats(index)
  }

  /// A result computed in f32, rounded to the type of an input.
  func narrowed(_ tensor: DenseTensor, like index: Int = 0) throws(FileError) -> DenseTensor {
    try shop.narrowed(tensor, to: input(index).dtype)
  }
}

extension DenseTensor {
  /// Whole numbers of type i64 or i32, few enough to be a shape, axes or indices.
  func integers() throws(FileError) -> [Int] {
    switch dtype {
    case .i64: array(Int64.self).map { Int($0) }
    case .i32: array(Int32.self).map { Int($0) }
    default: throw FileError(.malformed, "whole numbers of type \(dtype), expected i64 or i32")
    }
  }

  /// The only element, of any type of numbers.
  func scalar() throws(FileError) -> Double {
    guard count == 1 else { throw FileError(.malformed, "shape \(shape), expected a single number") }
    struct First: TypedBody {
      let tensor: DenseTensor
      func compute<T: Element>(_ type: T.Type) throws(FileError) -> Double { tensor.read(T.self) { $0[0].double } }
    }
    return try dispatch(dtype, First(tensor: self))
  }
}
