import Checkpoints

/// Collects the nodes of a graph in the order of their computation, each with a name of its own.
final class GraphBuilder {
  /// The version of ONNX's operators that the nodes are for.
  let opset: Int
  /// The type that is computed in: `f32` or `f16`.
  let dtype: DType
  var graph = ONNXGraph()
  /// The module of the linear layer that was added last; attention, which has no tensors, is named after it.
  var lastModule = ""
  private var names: [String: Int] = [:]
  /// Outputs of nodes that need not be there twice, by what they are.
  private var known: [String: String] = [:]

  init(opset: Int, dtype: DType) {
    self.opset = opset
    self.dtype = dtype
  }

  /// Adds a node with one output, and returns the output's name.
  func add(
    _ kind: String, _ inputs: [String], _ attributes: [String: ONNXAttribute] = [:], in scope: String
  ) -> String {
    add(kind, inputs, attributes, in: scope, outputs: 1)[0]
  }

  /// Adds a node, and returns its outputs' names.
  func add(
    _ kind: String, _ inputs: [String], _ attributes: [String: ONNXAttribute] = [:], in scope: String, outputs: Int
  ) -> [String] {
    let name = unique("/\(scope)/\(kind)")
    let results = (0..<outputs).map { "\(name)_output_\($0)" }
    graph.nodes.append(ONNXNode(kind, name: name, inputs: inputs, outputs: results, attributes: attributes))
    return results
  }

  /// What `make` made when it was first asked for `key`.
  func once(_ key: String, _ make: () -> String) -> String {
    if let name = known[key] { return name }
    let name = make()
    known[key] = name
    return name
  }

  private func unique(_ name: String) -> String {
    let count = names[name, default: 0]
    names[name] = count + 1
    return count == 0 ? name : "\(name)_\(count)"
  }

  /// Gives the output of a node another name, wherever it is taken.
  func rename(_ output: String, to name: String) {
    for index in graph.nodes.indices.reversed() {
      for place in graph.nodes[index].inputs.indices where graph.nodes[index].inputs[place] == output {
        graph.nodes[index].inputs[place] = name
      }
      guard let place = graph.nodes[index].outputs.firstIndex(of: output) else { continue }
      graph.nodes[index].outputs[place] = name
      return
    }
  }

  /// A tensor of the checkpoint under its own name.
  func initializer(_ name: String, _ tensor: Tensor) {
    _ = once("initializer \(name)") {
      graph.initializers.append((name, tensor))
      return name
    }
  }
}

/// Constants that no checkpoint has: shapes, indices, factors. They are nodes, so that initializers are tensors of the
/// checkpoint and nothing else.
extension GraphBuilder {
  /// A list of whole numbers, i64.
  func integers(_ values: [Int]) -> String { integers(values, shape: [values.count]) }

  /// One whole number, i64.
  func integer(_ value: Int) -> String { integers([value], shape: []) }

  private func integers(_ values: [Int], shape: [Int]) -> String {
    let bytes = values.flatMap { value in withUnsafeBytes(of: Int64(value).littleEndian) { Array($0) } }
    return constant(.i64, shape, bytes, title: values.map(String.init).joined(separator: "_"))
  }

  /// One whole number, i32, as ids are compared.
  func id(_ value: Int32) -> String {
    constant(.i32, [], withUnsafeBytes(of: value.littleEndian) { Array($0) }, title: "\(value)")
  }

  /// One number of the type that is computed in, or of `dtype`.
  func number(_ value: Float, _ dtype: DType? = nil) -> String {
    let dtype = dtype ?? self.dtype
    let bytes = withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
    // Four bytes in memory: neither making a tensor of them nor reading it back fails.
    let cast = try? Tensor(dtype: .f32, shape: [], bytes: Bytes(bytes)).cast(to: dtype).bytes.load()
    return constant(dtype, [], cast ?? bytes, title: "\(value)")
  }

  private func constant(_ dtype: DType, _ shape: [Int], _ bytes: [UInt8], title: String) -> String {
    let kind = shape.isEmpty ? "scalar" : "list"
    return once("\(kind) \(dtype) \(title)") {
      // The bytes are made above, as many as the shape asks for.
      guard let tensor = try? Tensor(dtype: dtype, shape: shape, bytes: Bytes(bytes)) else { return "" }
      return add("Constant", [], ["value": .tensor(tensor)], in: "constants/\(kind)_\(dtype)_\(title)")
    }
  }

  /// `x` in another type.
  func cast(_ x: String, to dtype: DType, in scope: String) -> String {
    add("Cast", [x], ["to": .integer(ONNXElementType.number(dtype))], in: scope)
  }

  /// Means, sums and lengths over one axis, which becomes 1. From opset 18 on axes are an input.
  func reduce(_ kind: String, _ x: String, axis: Int, in scope: String) -> String {
    let keeps = ["keepdims": ONNXAttribute.integer(1)]
    guard opset < 18 else { return add(kind, [x, integers([axis])], keeps, in: scope) }
    return add(kind, [x], keeps.merging(["axes": .integers([Int64(axis)])]) { $1 }, in: scope)
  }
}

/// ONNX's numbers for element types, which `Cast` names.
enum ONNXElementType {
  static func number(_ dtype: DType) -> Int64 {
    switch dtype {
    case .f16: 10
    case .f64: 11
    case .bf16: 16
    case .i32: 6
    case .i64: 7
    case .bool: 9
    default: 1
    }
  }
}
