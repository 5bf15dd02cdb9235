import Checkpoints

/// Linear layers, what follows them, and attention.
extension GraphRecorder {
  func linear(
    _ x: GraphValue, _ matrix: GraphMatrix, bias: GraphVector?, activation: LinearActivation, scale: GraphVector?,
    residual: GraphValue?
  ) -> GraphValue {
    let scope = matrix.parts[0].name.tensorModule
    var result = isGrid(x) ? convolution(x, matrix, bias: bias) : products(flat(x), matrix, bias: bias)
    if case .model(let function) = activation { result.parts[0].name = activated(result.name, function, in: scope) }
    if let scale { result.parts[0].name = builder.add("Mul", [result.name, operand(scale)], in: scope) }
    if let residual {
      let other = result.form == .flat ? flat(residual) : residual
      result.parts[0].name = builder.add("Add", [result.name, other.name], in: scope)
    }
    if activation == .relu { result.parts[0].name = builder.add("Relu", [result.name], in: scope) }
    return result
  }

  private func isGrid(_ x: GraphValue) -> Bool {
    switch x.form {
    case .patches, .neighbourhoods, .grid: true
    case .tokens, .flat, .single: false
    }
  }

  /// A product with each tensor that the matrix is in.
  private func products(_ x: GraphValue, _ matrix: GraphMatrix, bias: GraphVector?) -> GraphValue {
    var result = x
    result.parts = matrix.parts.enumerated().map { index, part in
      let scope = part.name.tensorModule
      builder.lastModule = scope
      var inputs = [x.name, operand(part.name, rows: part.rows)]
      if let bias {
        let own = bias.parts[min(index, bias.parts.count - 1)]
        inputs.append(operand(own.name, rows: own.rows))
      }
      let name = builder.add("Gemm", inputs, part.isOutputsFirst ? ["transB": .integer(1)] : [:], in: scope)
      return GraphValue.Part(name: name, columns: part.outputs)
    }
    return result
  }

  /// Below opset 20 there is no `Gelu`; the nodes are then those that runtimes fuse.
  private func activated(_ x: String, _ activation: Activation, in scope: String) -> String {
    func node(_ kind: String, _ inputs: String...) -> String { builder.add(kind, inputs, in: scope) }
    if activation == .quickGELU {
      return node("Mul", x, node("Sigmoid", node("Mul", x, builder.number(1.702))))
    }
    if builder.opset >= 20 {
      let kind = activation == .geluTanh ? "tanh" : "none"
      return builder.add("Gelu", [x], ["approximate": .string(kind)], in: scope)
    }
    let (half, one) = (builder.number(0.5), builder.number(1))
    if activation == .gelu {
      let error = node("Erf", node("Div", x, builder.number(Float(2).squareRoot())))
      return node("Mul", node("Mul", x, node("Add", error, one)), half)
    }
    let cube = node("Mul", builder.number(0.044715), node("Pow", x, builder.number(3)))
    let factor = builder.number(Float((2 / Double.pi).squareRoot()))
    let bend = node("Tanh", node("Mul", factor, node("Add", x, cube)))
    return node("Mul", node("Mul", half, x), node("Add", bend, one))
  }

  // MARK: Attention

  func attention(
    queries: GraphValue, keys: GraphValue, values: GraphValue, heads: Int, causal: Bool
  ) -> GraphValue {
    let width = queries.columns / heads
    let scope = builder.lastModule.attentionModule
    func apart(_ x: GraphValue, _ order: [Int64]) -> String {
      let name = builder.add("Reshape", [x.name, shape(of: x, heads, width)], in: scope)
      return builder.add("Transpose", [name], ["perm": .integers(order)], in: scope)
    }
    let scale = builder.number(1 / Float(width).squareRoot())
    var scaled = queries
    scaled.parts[0].name = builder.add("Mul", [queries.name, scale], in: scope)
    let (q, k, v) = (apart(scaled, [0, 2, 1, 3]), apart(flat(keys), [0, 2, 3, 1]), apart(flat(values), [0, 2, 1, 3]))
    var scores = builder.add("MatMul", [q, k], in: scope)
    if causal, let mask = mask(queries) { scores = builder.add("Add", [scores, mask], in: scope) }
    let weights = builder.add("Softmax", [scores], ["axis": .integer(-1)], in: scope)
    let mixed = builder.add("MatMul", [weights, v], in: scope)
    let rows = builder.add("Transpose", [mixed], ["perm": .integers([0, 2, 1, 3])], in: scope)
    let name = builder.add("Reshape", [rows, builder.integers([-1, queries.columns])], in: scope)
    return GraphValue(name, columns: queries.columns, queries.form, rows: queries.rows)
  }

  /// `[items, rows, heads, width]`.
  private func shape(of x: GraphValue, _ heads: Int, _ width: Int) -> String {
    if x.form == .single { return builder.integers([-1, 1, heads, width]) }
    if case .fixed(let rows) = x.rows { return builder.integers([-1, rows, heads, width]) }
    return builder.once("\(tower) heads \(heads) \(width)") {
      builder.add(
        "Concat", [length(start: 0, end: 2), builder.integers([heads, width])], ["axis": .integer(0)], in: tower)
    }
  }

  /// What is added to the scores, so that a query sees no key after it; nil where it sees all.
  private func mask(_ queries: GraphValue) -> String? {
    if queries.form == .single, texts?.position == nil { return nil }
    return builder.once("\(tower) mask \(queries.form)") {
      func node(_ kind: String, _ inputs: String...) -> String { builder.add(kind, inputs, in: "\(tower)/mask") }
      var count = node("Squeeze", length(start: 1, end: 2), builder.integers([0]))
      if case .fixed(let rows) = texts?.rows { count = builder.integer(rows) }
      let keys = builder.once("\(tower) keys") { node("Range", builder.integer(0), count, builder.integer(1)) }
      let own =
        queries.form == .single
        ? node("Unsqueeze", texts?.position ?? "", builder.integers([1, 2, 3]))
        : node("Unsqueeze", keys, builder.integers([1]))
      return node("Where", node("LessOrEqual", keys, own), builder.number(0), builder.number(-.infinity))
    }
  }
}
