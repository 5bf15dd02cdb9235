package import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Gives the constants of an exported graph the names and layouts that they had as a model's tensors.
///
/// Exporters keep the names of what they do not touch. A linear layer's matrix is stored with rows and columns
/// exchanged under a made-up name, but the bias behind it, or the module that its node belongs to, still say whose it is.
package struct ONNXRecovery {
  /// How a tensor's name was found.
  package enum Rule: String, CaseIterable {
    case name = "by the initializer's name"
    case bias = "by the bias that is added to the product"
    case scope = "by the module of the node"
    case place = "by the place in the graph"
    case foldedNorm = "of a convolution that a norm was computed into"
    case zero = "zero, and left out by the exporter"
  }

  /// A tensor with a name.
  package struct Found {
    package var name: String
    package var tensor: Tensor
    package var rule: Rule
  }

  let constants: GraphConstants
  let naming: TensorNaming
  package private(set) var found: [Found] = []
  private var names: Set<String> = []
  /// The values whose constants have a name.
  private var resolved: Set<String> = []

  package init(_ model: ONNXModel) throws(FileError) {
    constants = try GraphConstants(model.graph)
    let named = constants.constants.values.map(\.name).filter(TensorNaming.isName)
    naming = TensorNaming(named.sorted())
    try takeNamed()
    for node in constants.graph.nodes { try take(node) }
  }

  /// Constants of floats that got no name, in the graph's order: masks, scales, what was computed from several tensors.
  var unresolved: [(name: String, tensor: Tensor)] {
    let all =
      constants.graph.initializers.map(\.name)
      + constants.graph.nodes.flatMap { $0.kind == "Constant" ? $0.outputs : [] }
    return all.compactMap { value in
      guard let constant = constants.constants[value], !resolved.contains(value), !resolved.contains(constant.name),
        constant.tensor.dtype.isFloat,
        constant.tensor.count > 1, !value.hasSuffix("_scale")
      else { return nil }
      return (value, constant.tensor)
    }
  }

  private mutating func add(_ name: String, _ tensor: Tensor, _ rule: Rule, of value: String) {
    resolved.insert(value)
    guard names.insert(name).inserted else { return }
    found.append(Found(name: name, tensor: tensor, rule: rule))
  }

  private mutating func takeNamed() throws(FileError) {
    let values =
      constants.graph.initializers.map(\.name)
      + constants.graph.nodes.flatMap { ["Constant", "Identity"].contains($0.kind) ? $0.outputs : [] }
    for value in values {
      guard let constant = try constants.constant(value), TensorNaming.isName(constant.name) else { continue }
      let tensor = constant.isTransposed ? try constant.tensor.transposed() : constant.tensor
      add(constant.name, tensor, .name, of: value)
    }
  }

  private mutating func take(_ node: ONNXNode) throws(FileError) {
    switch node.kind {
    case "MatMul", "MatMulInteger": try takeProduct(node, isTransposed: false)
    case "Gemm":
      if case .integer(1)? = node.attributes["transB"] {
        try takeProduct(node, isTransposed: true)
      } else {
        try takeProduct(node, isTransposed: false)
      }
      try takeZeroBias(node)
    case "Conv", "ConvInteger": try takeConvolution(node)
    case "LayerNormalization": try takeNorm(node)
    case "Concat": try takeClassToken(node)
    case "Expand", "Tile", "Transpose": try takeProbe(node)
    case "Add":
      try takePositions(node)
      try takeLogitNumber(node, "logit_bias")
    case "Exp": try takeLogitNumber(node, "logit_scale")
    case "Mul": try takeLogitScale(node)
    default: break
    }
  }

  /// Whether an input is a constant without a name of its own.
  private func anonymous(_ node: ONNXNode, _ input: Int) throws(FileError) -> GraphConstants.Constant? {
    guard node.inputs.count > input, let constant = try constants.constant(node.inputs[input]),
      constant.tensor.dtype.isFloat, !TensorNaming.isName(constant.name)
    else { return nil }
    return constant
  }

  /// A linear layer: `[in, out]` as it is multiplied, `[out, in]` as a module has it.
  private mutating func takeProduct(_ node: ONNXNode, isTransposed: Bool) throws(FileError) {
    guard let constant = try anonymous(node, 1), constant.tensor.shape.count == 2 else { return }
    let weight = isTransposed ? constant.tensor : try constant.tensor.transposed()
    if let bias = try bias(behind: node) {
      add(String(bias.dropLast(4)) + "weight", weight, .bias, of: constant.name)
    } else if let module = node.module {
      if let name = naming.name(of: ["weight"], in: module) {
        add(name, weight, .scope, of: constant.name)
      } else {
        try takeAttentionPooling(node, weight, constant.name, in: module)
      }
    }
  }

  /// The bias of a block's layer that an optimizer took away, because it was zero: in blocks every layer has one.
  private mutating func takeZeroBias(_ node: ONNXNode) throws(FileError) {
    guard node.inputs.count == 2, let weight = try constants.constant(node.inputs[1]),
      weight.name.hasSuffix(".weight"), TensorNaming.isName(weight.name), weight.tensor.shape.count == 2,
      try addend(behind: node) == nil, weight.name.split(separator: ".").contains(where: { Int($0) != nil }),
      let name = naming.name(of: ["bias"], in: String(weight.name.dropLast(".weight".count)))
    else { return }
    let isAsStored = if case .integer(1)? = node.attributes["transB"] { true } else { false }
    let outputs = weight.tensor.shape[isAsStored ? 0 : 1]
    let zeros = try Tensor([Float](repeating: 0, count: outputs), shape: [outputs])
    add(name, try zeros.cast(to: weight.tensor.dtype), .zero, of: name)
  }

  /// The name of the bias of a product.
  private func bias(behind node: ONNXNode) throws(FileError) -> String? {
    let isFused = node.kind == "Gemm" && node.inputs.count > 2
    let bias = try isFused ? constants.constant(node.inputs[2]) : addend(behind: node)
    guard let bias, bias.name.hasSuffix("bias"), TensorNaming.isName(bias.name), !bias.isPart else { return nil }
    return bias.name
  }

  /// The constant that is added to what a node computes, right away or after the scale of a quantized product.
  private func addend(behind node: ONNXNode) throws(FileError) -> GraphConstants.Constant? {
    var output = node.outputs.first ?? ""
    for _ in 0..<4 {
      guard let consumers = constants.consumers[output], consumers.count == 1 else { return nil }
      let next = constants.graph.nodes[consumers[0]]
      switch next.kind {
      case "Add":
        for input in next.inputs where input != output {
          if let constant = try constants.constant(input) { return constant }
          // A bias of channels is given the dimensions of a picture first.
          if let index = constants.producers[input], constants.graph.nodes[index].kind == "Reshape",
            let reshaped = constants.graph.nodes[index].inputs.first
          {
            return try constants.constant(reshaped)
          }
        }
        return nil
      case "Cast", "Mul", "QuantizeLinear", "DequantizeLinear": output = next.outputs.first ?? ""
      default: return nil
      }
    }
    return nil
  }

  /// A ModifiedResNet's pooling multiplies with q, k and v in this order, without the names of their modules.
  private mutating func takeAttentionPooling(_ node: ONNXNode, _ weight: Tensor, _ value: String, in module: String)
    throws(FileError)
  {
    guard naming.name(of: ["q_proj.weight"], in: module) != nil else { return }
    for part in ["q_proj", "k_proj", "v_proj"] {
      guard let name = naming.name(of: ["\(part).weight"], in: module), !names.contains(name) else { continue }
      add(name, weight, .place, of: value)
      if let bias = try addend(behind: node), bias.tensor.shape.count == 1,
        let name = naming.name(of: ["\(part).bias"], in: module)
      {
        add(name, bias.tensor, .place, of: bias.name)
      }
      return
    }
  }

  /// A convolution without its name, or with a bias named after it, has a norm computed into it.
  private mutating func takeConvolution(_ node: ONNXNode) throws(FileError) {
    guard node.inputs.count > 1, let weight = try constants.constant(node.inputs[1]) else { return }
    let isNamed = TensorNaming.isName(weight.name) && weight.name.hasSuffix(".weight")
    guard let module = isNamed ? String(weight.name.dropLast(".weight".count)) : node.module,
      let name = naming.name(of: ["weight"], in: module)
    else { return }
    var bias = try node.kind == "ConvInteger" ? addend(behind: node) : anonymous(node, 2)
    if let name = bias?.name, TensorNaming.isName(name) { bias = nil }
    guard let bias, let norm = FoldedNorms.norm(behind: module), naming.name(of: ["running_var"], in: norm) != nil,
      !isNamed || bias.name == "\(weight.name)_bias"
    else {
      if !isNamed, weight.tensor.dtype.isFloat { add(name, weight.tensor, .scope, of: weight.name) }
      if let bias, let name = naming.name(of: ["bias"], in: module) { add(name, bias.tensor, .scope, of: bias.name) }
      return
    }
    add(name, weight.tensor, .foldedNorm, of: weight.name)
    if let index = found.firstIndex(where: { $0.name == name }) { found[index].rule = .foldedNorm }
    for part in try FoldedNorms.unit(bias: bias.tensor) {
      if let name = naming.name(of: [part.ending], in: norm) { add(name, part.tensor, .foldedNorm, of: bias.name) }
    }
  }

  /// Where equal tensors were stored once, a norm says by its module what else they are.
  private mutating func takeNorm(_ node: ONNXNode) throws(FileError) {
    guard let module = node.module else { return }
    for (input, ending) in [(1, "weight"), (2, "bias")] where node.inputs.count > input {
      guard let constant = try constants.constant(node.inputs[input]), let name = naming.name(of: [ending], in: module)
      else { continue }
      add(name, constant.tensor, .scope, of: constant.name)
    }
  }

  private mutating func takeClassToken(_ node: ONNXNode) throws(FileError) {
    guard let module = node.module,
      let name = naming.name(of: ["class_embedding", "cls_token"], in: module)
    else { return }
    for input in node.inputs {
      guard let constant = try token(input), let width = constant.tensor.shape.last,
        constant.tensor.shape.count >= 2, constant.tensor.shape[constant.tensor.shape.count - 2] == 1
      else { continue }
      // One row; a graph of a fixed batch repeats it.
      let row = try constant.tensor.reshaped([constant.tensor.count / max(1, width), width]).rows(0..<1)
      add(name, try row.reshaped(name.hasSuffix("cls_token") ? [1, 1, width] : [width]), .place, of: constant.name)
    }
  }

  /// What pools by attention asks with a constant of its own, once for each item; its attention is a module inside.
  private mutating func takeProbe(_ node: ONNXNode) throws(FileError) {
    guard let module = node.module, let constant = try token(node.inputs.first ?? ""),
      constant.tensor.shape.count == 3, constant.tensor.shape[1] == 1, constant.tensor.shape[0] > 0
    else { return }
    for module in [module, module.split(separator: ".").dropLast().joined(separator: ".")] {
      guard let name = naming.name(of: ["probe", "latent"], in: module) else { continue }
      return add(name, try constant.tensor.rows(0..<1), .place, of: constant.name)
    }
  }

  /// The constant behind a value that was repeated for each item of a batch.
  private func token(_ value: String) throws(FileError) -> GraphConstants.Constant? {
    var value = value
    for _ in 0..<6 {
      if let constant = try constants.constant(value) {
        return TensorNaming.isName(constant.name) || !constant.tensor.dtype.isFloat ? nil : constant
      }
      guard let index = constants.producers[value],
        ["Cast", "Expand", "Tile", "Identity", "Unsqueeze", "Reshape", "QuantizeLinear", "DequantizeLinear"].contains(
          constants.graph.nodes[index].kind),
        let input = constants.graph.nodes[index].inputs.first
      else { return nil }
      value = input
    }
    return nil
  }

  private mutating func takePositions(_ node: ONNXNode) throws(FileError) {
    for input in 0..<2 {
      guard let constant = try anonymous(node, input), let module = node.module else { continue }
      let shape = constant.tensor.shape.filter { $0 != 1 }
      guard shape.count == 2, constant.tensor.shape.last == shape[1],
        let name = naming.name(
          of: ["positional_embedding", "position_embedding.weight", "pos_embed"], in: module)
      else { continue }
      let positions = try constant.tensor.reshaped(name.hasSuffix("pos_embed") ? [1] + shape : shape)
      add(name, positions, .place, of: constant.name)
    }
  }

  /// Outside of all modules, one number is added to the logits, and e to the power of one is what they are multiplied
  /// with.
  private mutating func takeLogitNumber(_ node: ONNXNode, _ name: String) throws(FileError) {
    guard node.module == "", !names.contains(naming.prefix + name) else { return }
    for input in node.inputs.indices {
      guard let constant = try anonymous(node, input), constant.tensor.count == 1 else { continue }
      add(naming.prefix + name, constant.tensor, .place, of: constant.name)
    }
  }

  /// An exporter may have computed the power.
  private mutating func takeLogitScale(_ node: ONNXNode) throws(FileError) {
    guard node.inputs.count == 2, node.module == "", !names.contains(naming.prefix + "logit_scale")
    else { return }
    for input in 0..<2 {
      guard let constant = try anonymous(node, input), constant.tensor.dtype == .f32, constant.tensor.count == 1
      else { continue }
      guard let value = try constant.tensor.floats().first, value > 1, value.isFinite else { continue }
      let tensor = try Tensor([Float(log(Double(value)))], shape: constant.tensor.shape)
      add(naming.prefix + "logit_scale", tensor, .place, of: constant.name)
    }
  }
}
