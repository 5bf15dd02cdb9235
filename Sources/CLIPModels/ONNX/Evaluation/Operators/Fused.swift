import Checkpoints

/// Operators of domain `com.microsoft`: what ONNX Runtime's optimisers and quantiser make of several of ONNX's own.
enum Fused {
  /// The same operator's function, given other inputs.
  private static func call(
    _ call: NodeCall, as kind: String, _ inputs: [DenseTensor?], _ attributes: [String: ONNXAttribute]? = nil
  ) -> NodeCall {
    var node = ONNXNode(kind, name: call.node.name, inputs: call.node.inputs, outputs: [call.node.outputs.first ?? ""])
    node.attributes = attributes ?? call.node.attributes
    return NodeCall(node: node, opset: 17, inputs: inputs, packed: nil, shop: call.shop, subgraph: call.subgraph)
  }

  // MARK: Activations

  /// `QuickGelu`: x · sigmoid(alpha · x).
  static func quickGelu(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let alpha = try call.float("alpha", default: 1.702)
    return [
      try call.narrowed(
        call.shop.map(call.floats(0), as: Float.self, into: .f32, as: Float.self, cost: 8) {
          $0 * Function.logistic(alpha * $0)
        })
    ]
  }

  /// `Gelu`, `BiasGelu` and `FastGelu`, the last by tanh: of a sum, where there is a bias.
  static func gelu(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    var x = try call.floats(0)
    if let bias = try call.optionalFloats(1) { x = try Arithmetic.add.combine(x, bias, call.shop) }
    return [try call.narrowed(Elementwise.gelu(x, byTanh: call.node.kind == "FastGelu", call.shop))]
  }

  // MARK: Products

  /// `FusedMatMul`: alpha · A · B, each with its last two dimensions exchanged where asked, and before that with its first
  /// one moved behind the batch's.
  static func matMul(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    func operand(_ index: Int, _ name: String) throws(FileError) -> DenseTensor {
      let tensor = try call.floats(index)
      let rank = tensor.shape.count
      var order = Array(0..<rank)
      if try call.flag("transBatch\(name)"), rank > 2 { order = Array(1..<(rank - 1)) + [0, rank - 1] }
      if try call.flag("trans\(name)"), rank > 1 { order.swapAt(rank - 1, rank - 2) }
      return try Movement.transposed(tensor, order, call.shop)
    }
    let product = try Products.matMul(operand(0, "A"), operand(1, "B"), call.shop)
    let alpha = try call.float("alpha", default: 1)
    return [try call.narrowed(call.shop.map(product, as: Float.self, into: .f32, as: Float.self) { $0 * alpha })]
  }

  /// `MatMulIntegerToFloat`: a product of u8 or i8, then the scales, and a bias.
  static func integerProduct(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let product = try convert(Products.integerProduct(call, a: 0, aZero: 4, b: 1, bZero: 5), to: .f32, call.shop)
    let scales = try Arithmetic.multiply.combine(call.floats(2), call.floats(3), call.shop)
    var result = try Arithmetic.multiply.combine(product, scales, call.shop)
    if let bias = try call.optionalFloats(6) { result = try Arithmetic.add.combine(result, bias, call.shop) }
    guard result.shape == product.shape else {
      throw FileError(.mismatch, "scales of shape \(scales.shape) for \(product.shape)")
    }
    return [result]
  }

  /// `DynamicQuantizeMatMul`: the same of floats that one scale makes u8.
  static func dynamicProduct(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let quantized = try Quantization.dynamic(Self.call(call, as: "DynamicQuantizeLinear", [call.input(0)]))
    let inputs = try [
      quantized[0], call.input(1), quantized[1], call.input(2), quantized[2], call.optional(3), call.optional(4),
    ]
    return try integerProduct(Self.call(call, as: "MatMulIntegerToFloat", inputs))
  }

  /// `FusedConv`: a convolution, plus a tensor of its shape, then ReLU.
  static func convolution(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let activation = try call.string("activation") ?? ""
    guard ["", "Relu"].contains(activation) else {
      throw FileError(.unsupported, "activation '\(escaped(activation))', known is Relu")
    }
    var result = try Convolutions.convolution(Self.call(call, as: "Conv", Array(call.inputs.prefix(3))))[0]
    if let other = call.optional(3) { result = try Arithmetic.add.combine(result, other, call.shop) }
    return activation.isEmpty ? [result] : try Function.rectifier.apply(Self.call(call, as: "Relu", [result]))
  }

  // MARK: Blocks

  /// `SkipLayerNormalization` of a sum of two or three; the sum is the fourth output.
  static func layerNorm(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    var sum = try Arithmetic.add.combine(call.floats(0), call.floats(1), call.shop)
    if let bias = try call.optionalFloats(4) { sum = try Arithmetic.add.combine(sum, bias, call.shop) }
    guard try sum.shape == call.input(0).shape else {
      throw FileError(.mismatch, "shape \(sum.shape) of a sum with \(try call.input(0).shape)")
    }
    let epsilon = ONNXAttribute.float(try call.float("epsilon", default: 1e-12))
    let inputs = try [sum, call.floats(2), call.optionalFloats(3)]
    let normed = try Norms.layer(Self.call(call, as: "LayerNormalization", inputs, ["epsilon": epsilon]))
    guard call.node.outputs.dropFirst().dropLast(call.node.outputs.count > 3 ? 1 : 0).allSatisfy(\.isEmpty) else {
      throw FileError(.unsupported, "means and deviations as outputs")
    }
    let result = try call.narrowed(normed[0])
    return call.node.outputs.count > 3 ? [result, result, result, try call.narrowed(sum)] : [result]
  }

  /// `Attention`: projections to queries, keys and values in one matrix, and what each head makes of them.
  static func attention(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    for (index, name) in [(3, "mask_index"), (4, "past")] where call.optional(index) != nil {
      throw FileError(.unsupported, "attention with \(name)")
    }
    guard try call.integers("qkv_hidden_sizes") == nil, call.node.outputs.count == 1 else {
      throw FileError(.unsupported, "attention with qkv_hidden_sizes, or its keys and values as outputs")
    }
    guard try !call.flag("do_rotary") else {
      throw FileError(.unsupported, "attention with do_rotary")
    }
    let (x, shop) = (try call.floats(0), call.shop)
    var projected = try Products.matMul(x, call.floats(1), shop)
    if let bias = try call.optionalFloats(2) { projected = try Arithmetic.add.combine(projected, bias, shop) }
    let heads = try call.integer("num_heads", default: 0)
    guard x.shape.count == 3, projected.shape.count == 3, projected.shape.prefix(2) == x.shape.prefix(2),
      projected.count > 0, (1...projected.shape[2]).contains(heads), projected.shape[2] % 3 == 0,
      projected.shape[2] / 3 % heads == 0
    else { throw FileError(.mismatch, "\(heads) heads of shape \(projected.shape)") }
    let (items, rows, width) = (x.shape[0], x.shape[1], projected.shape[2] / 3)
    // [3, items, heads, rows, numbers]
    let split = try Movement.transposed(
      projected.reshaped([items, rows, 3, heads, width / heads]), [2, 0, 3, 1, 4], shop)
    let shape = [items, heads, rows, width / heads]
    let parts = try (0..<3).map { (index) throws(FileError) in
      try shop.gathered(
        split, shape: shape, offset: index * items * rows * width, strides: rowMajorStrides(shape))
    }
    var scale = try call.float("scale", default: 0)
    if scale == 0 { scale = 1 / Float(width / heads).squareRoot() }
    let factor = scale
    var scores = try Products.matMul(parts[0], Movement.transposed(parts[1], [0, 1, 3, 2], shop), shop)
    scores = try shop.map(scores, as: Float.self, into: .f32, as: Float.self) { $0 * factor }
    if let bias = try call.optionalFloats(5) { scores = try Arithmetic.add.combine(scores, bias, shop) }
    guard scores.shape == [items, heads, rows, rows] else {
      throw FileError(.mismatch, "a bias of attention makes shape \(scores.shape)")
    }
    if try call.flag("unidirectional") { scores = try Arithmetic.add.combine(scores, backwards(rows, shop), shop) }
    let weights = try AxisRows.map(scores, axis: 3, shop) { AxisRows.softmax($0, $1) }
    let values = try Movement.transposed(Products.matMul(weights, parts[2], shop), [0, 2, 1, 3], shop)
    return [try call.narrowed(values.reshaped([items, rows, width]))]
  }

  /// Zeros where a row may look, and minus infinity after it.
  private static func backwards(_ rows: Int, _ shop: Workshop) throws(FileError) -> DenseTensor {
    try shop.make(.f32, [rows, rows], as: Float.self) { target in
      for index in target.indices { target[index] = index % rows > index / rows ? -.infinity : 0 }
    }
  }
}
