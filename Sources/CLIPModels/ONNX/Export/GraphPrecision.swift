import Checkpoints

extension ONNXGraph {
  private static let layers: Set = [
    "Gemm", "MatMul", "Conv", "LayerNormalization", "BatchNormalization", "Attention", "FusedConv", "FusedMatMul",
    "SkipLayerNormalization",
  ]

  /// The floating-point types in which the layers of encoders take their weights. Where f16 is only how they are stored,
  /// a cast comes first.
  func layerTypes(of towers: TowerSelection) -> Set<DType> {
    let constants = Set(initializers.map(\.name))
    let values = inputs.reduce(into: Set<String>()) { values, input in
      let isKept = towers != .text && input.isPictures || towers != .image && input.isIDs
      if isKept, !constants.contains(input.name) { values.formUnion(self.values(from: input.name)) }
    }
    var types = Dictionary(
      initializers.lazy.filter { $0.tensor.dtype.isFloat }.map { ($0.name, $0.tensor.dtype) }
    ) { first, _ in first }
    var result: Set<DType> = []
    for node in nodes {
      if Self.layers.contains(node.kind), node.outputs.contains(where: values.contains) {
        result.formUnion(node.inputs.compactMap { types[$0] })
      }
      if let output = node.outputs.first, let type = Self.type(of: node, types) { types[output] = type }
    }
    return result
  }

  /// The type of what a node makes of constants alone, as far as weights are made so.
  private static func type(of node: ONNXNode, _ types: [String: DType]) -> DType? {
    let first = node.inputs.first.flatMap { types[$0] }
    switch node.kind {
    case "Constant":
      guard case .tensor(let tensor)? = node.attributes["value"], tensor.dtype.isFloat else { return nil }
      return tensor.dtype
    case "Cast":
      guard first != nil, case .integer(let number)? = node.attributes["to"] else { return nil }
      return [DType.f16, .f32, .bf16, .f64].first { ONNXElementType.number($0) == number }
    case "DequantizeLinear": return node.inputs.count > 1 ? types[node.inputs[1]] : nil
    case "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze": return first
    default: return nil
    }
  }
}
