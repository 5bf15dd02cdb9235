import Checkpoints

/// The constants of a graph, and who makes and takes each value.
struct GraphConstants {
  /// A constant under the name that it has but for what a quantizer or optimizer made of it.
  struct Constant {
    var name: String
    var tensor: Tensor
    /// Whether rows and columns are exchanged against the tensor of that name.
    var isTransposed = false
    /// Whether it is some rows of the tensor of that name.
    var isPart = false
  }

  let graph: ONNXGraph
  /// By the value's name in the graph.
  private(set) var constants: [String: Constant] = [:]
  /// The node that makes a value.
  private(set) var producers: [String: Int] = [:]
  /// The nodes that take a value.
  private(set) var consumers: [String: [Int]] = [:]
  /// Which part of what its node splits a value is.
  private var parts: [String: Int] = [:]

  init(_ graph: ONNXGraph) throws(FileError) {
    self.graph = graph
    for (name, tensor) in graph.initializers { constants[name] = Constant(name: name, tensor: tensor) }
    for (index, node) in graph.nodes.enumerated() {
      for output in node.outputs where !output.isEmpty { producers[output] = index }
      if node.kind == "Split" { for (part, output) in node.outputs.enumerated() { parts[output] = part } }
      for input in Set(node.inputs) where !input.isEmpty { consumers[input, default: []].append(index) }
      if node.kind == "Constant", let output = node.outputs.first, case .tensor(let tensor)? = node.attributes["value"]
      {
        constants[output] = Constant(name: output, tensor: tensor)
      }
    }
    try addQuantized()
  }

  /// ONNX Runtime's quantization keeps `NAME_quantized`, `NAME_scale` and `NAME_zero_point` of each weight, and
  /// calls one that it exchanged the rows and columns of `NAME_Transposed`.
  private mutating func addQuantized() throws(FileError) {
    for (value, constant) in constants {
      guard value.hasSuffix("_quantized"), !constant.tensor.dtype.isFloat else { continue }
      var name = String(value.dropLast("_quantized".count))
      guard let scale = constants["\(name)_scale"]?.tensor else { continue }
      let tensor = try dequantized(
        constant.tensor, scale, constants["\(name)_zero_point"]?.tensor, axis: axis(of: value))
      let isTransposed = name.hasSuffix("_Transposed")
      if isTransposed { name.removeLast("_Transposed".count) }
      constants[value] = Constant(name: name, tensor: tensor, isTransposed: isTransposed)
    }
  }

  /// Which axis scales are of: dynamic quantization has them for outputs, the static one says it at the node.
  private func axis(of value: String) -> Int {
    for index in consumers[value] ?? [] where graph.nodes[index].kind == "DequantizeLinear" {
      return Self.axis(graph.nodes[index])
    }
    return -1
  }

  private static func axis(_ node: ONNXNode) -> Int {
    if case .integer(let value)? = node.attributes["axis"] { Int(clamping: value) } else { 1 }
  }

  private func dequantized(
    _ tensor: Tensor, _ scale: Tensor, _ zero: Tensor?, axis: Int
  ) throws(FileError) -> Tensor {
    let bytes = try DequantizedBytes(tensor, scale: scale, zero: zero, axis: axis)
    return try Tensor(dtype: .f32, shape: tensor.shape, bytes: Bytes(bytes))
  }

  /// The constant behind a value, through what changes its type or exchanges rows and columns only.
  func constant(_ value: String, depth: Int = 0) throws(FileError) -> Constant? {
    if let constant = constants[value] { return constant }
    guard depth < 8, let index = producers[value], let input = graph.nodes[index].inputs.first else { return nil }
    let node = graph.nodes[index]
    switch node.kind {
    // What a quantizer rounds when it runs is still there as it was.
    case "Cast", "QuantizeLinear": return try constant(input, depth: depth + 1)
    case "Identity":
      // Of equal tensors an exporter stores one, and the others are it under their own names.
      var found = try constant(input, depth: depth + 1)
      if TensorNaming.isName(value) { found?.name = value }
      return found
    case "Transpose":
      guard var found = try constant(input, depth: depth + 1), found.tensor.shape.count == 2,
        case .integers([1, 0])? = node.attributes["perm"]
      else { return nil }
      found.isTransposed.toggle()
      found.tensor = try found.tensor.transposed()
      return found
    case "DequantizeLinear":
      guard var found = try constant(input, depth: depth + 1), node.inputs.count > 1 else { return nil }
      // One that was found by its name.
      if found.tensor.dtype.isFloat { return found }
      guard let scale = constants[node.inputs[1]]?.tensor
      else { return nil }
      let zero = node.inputs.count > 2 ? constants[node.inputs[2]]?.tensor : nil
      found.tensor = try dequantized(found.tensor, scale, zero, axis: Self.axis(node))
      return found
    case "Split":
      guard var found = try constant(input, depth: depth + 1), let part = parts[value],
        let rows = found.tensor.shape.first, rows % node.outputs.count == 0
      else { return nil }
      let size = rows / node.outputs.count
      found.tensor = try found.tensor.rows((part * size)..<((part + 1) * size))
      found.isPart = true
      return found
    default: return nil
    }
  }
}
