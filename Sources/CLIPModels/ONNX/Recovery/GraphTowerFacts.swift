import Checkpoints

/// What the nodes of one encoder in a graph tell of it.
struct GraphTowerFacts {
  /// What an attention tells of its heads: how many, or how wide one is.
  enum Heads {
    case count(Int)
    case width(Int)
  }

  private let constants: GraphConstants
  private let input: ONNXValue
  /// What depends on the input, and on no other encoder's.
  private let values: Set<String>
  private let nodes: [ONNXNode]

  init(_ constants: GraphConstants, input: ONNXValue, values: Set<String>) {
    (self.constants, self.input, self.values) = (constants, input, values)
    nodes = constants.graph.nodes.filter { node in node.outputs.contains(where: values.contains) }
  }

  private func producer(_ value: String) -> ONNXNode? {
    constants.producers[value].map { constants.graph.nodes[$0] }
  }

  // MARK: Numbers

  private func number(_ value: String) throws(FileError) -> Double? {
    if let node = producer(value), node.kind == "Constant", case .float(let number)? = node.attributes["value_float"] {
      return Double(number)
    }
    guard let tensor = try constants.constant(value)?.tensor, tensor.count == 1,
      tensor.dtype.isFloat, let value = try tensor.floats().first
    else { return nil }
    // 1e-5 is 9.99999974737875e-06 in single precision; the shortest text is what was meant.
    return try Self.shortest(value, tensor) ?? Double("\(value)")
  }

  /// The number of fewest digits that 16 bits hold as the tensor's; nil for other types, and without such a number.
  private static func shortest(_ value: Float, _ tensor: Tensor) throws(FileError) -> Double? {
    guard tensor.dtype == .f16 || tensor.dtype == .bf16, value > 0, value.isFinite else { return nil }
    let bytes = try tensor.bytes.load()
    // Between the least and the largest number of bf16.
    guard let exponent = (-41...39).first(where: { Double(value) < (Double("1e\($0)") ?? 0) }) else { return nil }
    for digits in 1...6 {
      guard let unit = Double("1e\(exponent - digits)"),
        let number = Double("\((Double(value) / unit).rounded())e\(exponent - digits)")
      else { continue }
      if try Tensor([Float(number)], shape: [1]).cast(to: tensor.dtype).bytes.load() == bytes { return number }
    }
    return nil
  }

  private func integers(_ value: String) throws(FileError) -> [Int]? {
    if let node = producer(value), node.kind == "Constant" {
      if case .integer(let number)? = node.attributes["value_int"] { return [Int(number)] }
      if case .integers(let numbers)? = node.attributes["value_ints"], numbers.count <= 8 {
        return numbers.map { Int($0) }
      }
    }
    guard let tensor = try constants.constant(value)?.tensor, tensor.count <= 8,
      tensor.dtype == .i64 || tensor.dtype == .i32
    else { return nil }
    let (bytes, size) = (try tensor.bytes.load(), tensor.dtype.blockBytes)
    return (0..<tensor.count).map { index in
      let bits = Self.integer(bytes[(index * size)..<((index + 1) * size)])
      return size == 8 ? Int(bits) : Int(Int32(truncatingIfNeeded: bits))
    }
  }

  private static func integer(_ bytes: ArraySlice<UInt8>) -> Int64 {
    bytes.reversed().reduce(0) { $0 << 8 | Int64($1) }
  }

  /// The only number among a node's two inputs.
  private func factor(_ node: ONNXNode) throws(FileError) -> Double? {
    guard node.inputs.count == 2 else { return nil }
    for input in node.inputs { if let number = try number(input) { return number } }
    return nil
  }

  // MARK: Blocks

  /// The activations between linear layers.
  func activations() throws(FileError) -> [GraphFacts.Told] {
    var result: [Activation] = []
    var others: [GraphFacts.Told] = []
    for node in nodes {
      switch node.kind {
      case "Erf", "BiasGelu": result.append(.gelu)
      case "FastGelu": result.append(.geluTanh)
      case "QuickGelu":
        if case .float(let alpha)? = node.attributes["alpha"], !(abs(alpha - 1.702) < 1.702 / 256) {
          others.append(.other("QuickGelu of alpha \(alpha)"))
        } else {
          result.append(.quickGELU)
        }
      case "Gelu":
        let isTanh = if case .string("tanh")? = node.attributes["approximate"] { true } else { false }
        result.append(isTanh ? .geluTanh : .gelu)
      case "Sigmoid" where try isScaled(node, by: 1.702): result.append(.quickGELU)
      case "Tanh" where try isScaled(node, by: 0.79788): result.append(.geluTanh)
      default: break
      }
    }
    return result.map { .value(.text($0.rawValue)) } + others
  }

  /// The node behind what only changes a value's type.
  private func unrounded(_ value: String) -> ONNXNode? {
    var node = producer(value)
    for _ in 0..<4 {
      guard let rounding = node, ["DequantizeLinear", "QuantizeLinear", "Cast"].contains(rounding.kind) else { break }
      node = producer(rounding.inputs.first ?? "")
    }
    return node
  }

  /// Whether a node takes something times a number, which 16 bits may have rounded.
  private func isScaled(_ node: ONNXNode, by number: Double) throws(FileError) -> Bool {
    guard let product = unrounded(node.inputs.first ?? ""), product.kind == "Mul", let factor = try factor(product)
    else { return false }
    return abs(factor - number) < number / 256
  }

  /// The ε of layer norms, as an operator or written out.
  func epsilons() throws(FileError) -> [GraphFacts.Told] {
    var result: [GraphFacts.Told] = []
    for node in nodes {
      if node.kind.hasSuffix("LayerNormalization") {
        let epsilon = Self.epsilon(node)
        let isOne = epsilon > 0 && epsilon.isFinite
        result.append(isOne ? .value(.number(Double("\(epsilon)") ?? Double(epsilon))) : .other("\(epsilon)"))
      } else if node.kind == "Sqrt", let sum = producer(node.inputs.first ?? ""), sum.kind == "Add",
        let number = try factor(sum), number > 0, number < 0.01,
        // What divides by a length has a sum there.
        sum.inputs.contains(where: { unrounded($0)?.kind == "ReduceMean" })
      {
        result.append(.value(.number(number)))
      }
    }
    return result
  }

  /// The ε of a norm's operator; ONNX Runtime's own, all but one, have another default.
  private static func epsilon(_ node: ONNXNode) -> Float {
    if case .float(let value)? = node.attributes["epsilon"] { return value }
    return ["LayerNormalization", "SimplifiedLayerNormalization"].contains(node.kind) ? 1e-5 : 1e-12
  }

  // MARK: Heads

  func heads() throws(FileError) -> [Heads] {
    var result: [Heads] = []
    for node in nodes {
      switch node.kind {
      case "MultiHeadAttention" where node.domain == "com.microsoft",
        "Attention" where node.domain == "com.microsoft":
        if case .integer(let count)? = node.attributes["num_heads"] { result.append(.count(Int(clamping: count))) }
      case "Attention":
        if case .integer(let count)? = node.attributes["q_num_heads"] {
          result.append(.count(Int(clamping: count)))
        } else if let query = node.inputs.first, let heads = try heads(ofQuery: query) {
          result.append(heads)
        }
      case "Softmax":
        guard let product = product(before: node.inputs.first ?? ""), let query = product.inputs.first,
          let heads = try heads(ofQuery: query)
        else { continue }
        result.append(heads)
      default: break
      }
    }
    return result.filter {
      switch $0 {
      case .count(let number), .width(let number): (1...ConfigField.largest).contains(number)
      }
    }
  }

  /// The product of queries and keys whose scores a softmax takes, behind scales and masks.
  private func product(before value: String) -> ONNXNode? {
    var open = [value]
    // Scores come before masks: the first input that leads to a product.
    for _ in 0..<32 {
      guard let next = open.popLast() else { return nil }
      guard let node = producer(next) else { continue }
      if node.kind == "MatMul" || node.kind == "FusedMatMul" { return node }
      if ["Add", "Sub", "Mul", "Div", "Where", "Cast", "Reshape", "Identity", "QuantizeLinear", "DequantizeLinear"]
        .contains(node.kind)
      {
        open += node.inputs.prefix(3).filter(values.contains).reversed()
      }
    }
    return nil
  }

  /// What the reshaping of queries into heads says: behind it only their order changes.
  private func heads(ofQuery value: String) throws(FileError) -> Heads? {
    var value = value
    for _ in 0..<16 {
      guard let node = producer(value) else { return nil }
      if node.kind == "Reshape", node.inputs.count > 1 { return try lastDimension(node.inputs[1]) }
      guard
        [
          "Mul", "Div", "Transpose", "Cast", "Squeeze", "Unsqueeze", "Split", "Slice", "Gather", "Identity",
          "QuantizeLinear", "DequantizeLinear",
        ].contains(node.kind), let next = node.inputs.prefix(3).first(where: { producer($0)?.kind != "Constant" })
      else { return nil }
      value = next
    }
    return nil
  }

  /// The last number of a shape: the width of a head, or the width of all divided by how many there are.
  private func lastDimension(_ shape: String) throws(FileError) -> Heads? {
    if let numbers = try integers(shape) { return numbers.last.map { .width($0) } }
    guard let list = producer(shape), list.kind == "Concat", var value = list.inputs.last else { return nil }
    for _ in 0..<8 {
      if let numbers = try integers(value) { return numbers.count == 1 ? .width(numbers[0]) : nil }
      guard let node = producer(value), let next = node.inputs.first else { return nil }
      if node.kind == "Div", node.inputs.count == 2 {
        return try integers(node.inputs[1]).flatMap { $0.count == 1 ? .count($0[0]) : nil }
      }
      guard ["Unsqueeze", "Squeeze", "Cast", "Identity", "Reshape", "Floor"].contains(node.kind) else { return nil }
      value = next
    }
    return nil
  }

  // MARK: Pooling

  /// Which token stands for a text, and the id of the one that ends it where that is what is looked for.
  func pooling() throws(FileError) -> (TextPooling, Int?)? {
    if let node = nodes.last(where: { $0.kind == "ArgMax" }) {
      let found = origin(node.inputs.first ?? "")
      if found == input.name { return (.argmax, nil) }
      guard let equal = producer(found), equal.kind == "Equal", equal.inputs.count == 2 else { return nil }
      for (ids, end) in [(equal.inputs[0], equal.inputs[1]), (equal.inputs[1], equal.inputs[0])]
      where origin(ids) == input.name {
        if let numbers = try integers(end), numbers.count == 1 { return (.endOfText, numbers[0]) }
      }
      return nil
    }
    for node in nodes.reversed() where node.kind == "Gather" && node.inputs.count == 2 {
      guard case .integer(1)? = node.attributes["axis"], values.contains(node.inputs[0]),
        let numbers = try integers(node.inputs[1]), numbers.count == 1
      else { continue }
      if numbers[0] == 0 { return (.first, nil) }
      let isLast = input.size(1).map { numbers[0] == $0 - 1 } ?? false
      return isLast || numbers[0] == -1 ? (.last, nil) : nil
    }
    return nil
  }

  /// What a value was before its type or shape changed.
  private func origin(_ value: String) -> String {
    var value = value
    for _ in 0..<8 {
      guard let node = producer(value), let next = node.inputs.first,
        ["Cast", "Reshape", "Identity", "Squeeze", "Unsqueeze"].contains(node.kind)
      else { break }
      value = next
    }
    return value
  }
}
