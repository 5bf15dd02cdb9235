import Checkpoints

/// Goes through the graph once: what depends on constants alone is computed, weights are packed, the rest is planned.
struct GraphPreparation {
  private let graph: ONNXGraph
  private let opsets: [String: Int]
  private let shop: Workshop
  /// How many nodes and outputs still take a value.
  private var uses: [String: Int] = [:]
  private var sources: [String: Tensor] = [:]
  private var constants: [String: DenseTensor] = [:]
  private var steps: [ONNXEvaluator.Step] = []

  init(_ graph: ONNXGraph, _ opsets: [String: Int], _ shop: Workshop) {
    (self.graph, self.opsets, self.shop) = (graph, opsets, shop)
  }

  func result() throws(FileError) -> ([ONNXEvaluator.Step], [String: DenseTensor]) {
    var copy = self
    try copy.prepare()
    return (copy.steps, copy.constants)
  }

  private mutating func prepare() throws(FileError) {
    for (name, tensor) in graph.initializers { sources[name] = tensor }
    for node in graph.nodes { for name in Self.taken(by: node) { uses[name, default: 0] += 1 } }
    for output in graph.outputs { uses[output.name, default: 0] += 1 }
    var made = Set(graph.inputs.map(\.name)).union(sources.keys)
    for node in try ordered() {
      let body = try locating(node) { () throws(FileError) in try ONNXEvaluator.body(node) }
      for name in node.inputs where !name.isEmpty && !made.contains(name) {
        throw FileError(.malformed, "nothing before it makes its input '\(escaped(name))'").at(node)
      }
      for name in node.outputs where !name.isEmpty && !made.insert(name).inserted {
        throw FileError(.malformed, "its output '\(escaped(name))' is made twice").at(node)
      }
      try add(node, body)
    }
    for output in graph.outputs where sources[output.name] != nil { _ = try constant(output.name) }
    release()
  }

  /// The nodes, each behind those that make what it takes: some writers add theirs at the end.
  private func ordered() throws(FileError) -> [ONNXNode] {
    var maker: [String: Int] = [:]
    for (index, node) in graph.nodes.enumerated() {
      for name in node.outputs where !name.isEmpty { maker[name] = index }
    }
    var takers = [[Int]](repeating: [], count: graph.nodes.count)
    var missing = [Int](repeating: 0, count: graph.nodes.count)
    var isOrdered = true
    for (index, node) in graph.nodes.enumerated() {
      for name in Self.taken(by: node) {
        guard let source = maker[name] else { continue }
        takers[source].append(index)
        missing[index] += 1
        if source >= index { isOrdered = false }
      }
    }
    guard !isOrdered else { return graph.nodes }
    var order = graph.nodes.indices.filter { missing[$0] == 0 }
    var next = 0
    while next < order.count {
      for taker in takers[order[next]] {
        missing[taker] -= 1
        if missing[taker] == 0 { order.append(taker) }
      }
      next += 1
    }
    guard order.count == graph.nodes.count else {
      let node = missing.firstIndex { $0 > 0 }.map { graph.nodes[$0] }
      let error = FileError(.malformed, "it takes what is made of its own output")
      throw node.map { error.at($0) } ?? error
    }
    return order.map { graph.nodes[$0] }
  }

  private mutating func add(_ node: ONNXNode, _ body: OperatorTable.Body) throws(FileError) {
    var inputs: [DenseTensor?] = []
    for name in node.inputs {
      inputs.append(try locating(node) { () throws(FileError) in try name.isEmpty ? nil : constant(name) })
    }
    let isConstant = zip(node.inputs, inputs).allSatisfy { $0.isEmpty || $1 != nil } && node.graphs.isEmpty
    if isConstant {
      var values = ONNXEvaluator.Values(constants: [:])
      for (name, input) in zip(node.inputs, inputs) { values[name] = input }
      let results = try ONNXEvaluator.compute(node, body, packed: nil, values, opsets, shop)
      for (name, result) in zip(node.outputs, results) where uses[name] != nil { constants[name] = result }
      for name in node.inputs { drop(name) }
    } else {
      let packed = try locating(node) { () throws(FileError) in try PackedOperand(node, inputs: inputs, shop) }
      if packed != nil, !node.keepsWeight { drop(node.inputs[1]) }
      // Graphs inside see constants by their names.
      for name in Self.taken(by: node).dropFirst(node.inputs.count) { _ = try constant(name) }
      steps.append(ONNXEvaluator.Step(node: node, body: body, packed: packed))
    }
  }

  /// The names that a node takes, with those that graphs inside it take.
  private static func taken(by node: ONNXNode, depth: Int = 0) -> [String] {
    node.inputs
      + (depth > ONNXEvaluator.deepest
        ? []
        : node.graphs.flatMap { graph in
          graph.nodes.flatMap { taken(by: $0, depth: depth + 1) } + graph.outputs.map(\.name)
        })
  }

  private func locating<Result>(
    _ node: ONNXNode, _ body: () throws(FileError) -> Result
  ) throws(FileError) -> Result {
    do throws(FileError) { return try body() } catch { throw error.at(node) }
  }

  /// The constant of that name, loaded; nil for what is computed.
  private mutating func constant(_ name: String) throws(FileError) -> DenseTensor? {
    if let known = constants[name] { return known }
    guard let source = sources[name] else { return nil }
    let tensor: DenseTensor
    do throws(FileError) { tensor = try shop.load(source) } catch { throw error.located(tensor: name) }
    constants[name] = tensor
    return tensor
  }

  /// One use less of a constant, which goes when it was the last.
  private mutating func drop(_ name: String) {
    guard let left = uses[name] else { return }
    uses[name] = left - 1
    if left == 1 { constants[name] = nil }
  }

  /// Plans after which step each value is taken for the last time.
  private mutating func release() {
    var kept = Set(graph.outputs.map(\.name))
    for index in steps.indices.reversed() {
      for name in Self.taken(by: steps[index].node) + steps[index].node.outputs
      where !name.isEmpty && kept.insert(name).inserted {
        steps[index].released.append(name)
      }
    }
  }
}

extension ONNXNode {
  /// The graphs among the attributes.
  fileprivate var graphs: [ONNXGraph] {
    attributes.values.compactMap { if case .graph(let graph) = $0 { graph } else { nil } }
  }

  /// Whether the operator looks at its weight even when it is packed.
  fileprivate var keepsWeight: Bool { kind == "Conv" }
}
