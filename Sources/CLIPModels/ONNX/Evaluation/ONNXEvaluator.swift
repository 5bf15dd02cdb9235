package import Checkpoints
import Synchronization

/// An ONNX graph that is ready to be evaluated: constants loaded, what depends on them alone computed, weights packed.
///
/// The same inputs give the same bits, whatever the number of threads.
package final class ONNXEvaluator: Sendable {
  package let graph: ONNXGraph
  private let steps: [Step]
  private let constants: [String: DenseTensor]
  private let opsets: [String: Int]
  private let shop: Workshop
  /// Elementary operations of one evaluation.
  private let work: Int
  /// The team works on one evaluation at a time.
  private let turn = Mutex(())

  /// A node, and what is done after it.
  struct Step: Sendable {
    let node: ONNXNode
    let body: OperatorTable.Body
    let packed: PackedOperand?
    /// The values that nobody takes any more.
    var released: [String] = []
  }

  /// Checks that every node can be computed and that each takes what was made before it, and prepares the constants.
  ///
  /// - Throws: `unsupported` for operators that are not evaluated, `malformed` for a graph that is none.
  package init(_ model: ONNXModel, threads: Int = processorCount) throws(FileError) {
    graph = model.graph
    opsets = try Self.opsets(model)
    let bytes = graph.initializers.reduce(0) { $0 &+ $1.tensor.bytes.count }
    let memory = EvaluationMemory(limit: Self.memoryBase + Self.memoryRatio * max(0, min(bytes, 1 << 40)))
    work = Self.workBase + Self.workRatio * max(0, min(bytes, 1 << 40))
    shop = Workshop(threads: threads, memory: memory)
    memory.allow(work: work)
    (steps, constants) = try GraphPreparation(graph, opsets, shop).result()
  }

  /// Weights are held once as they are and once packed, in f32 where the file has 8 bits.
  private static let memoryBase = 2 << 30
  private static let memoryRatio = 12
  /// A weight takes part in one multiplication for each token, or pixel, of the batch.
  private static let workBase = 1 << 35
  private static let workRatio = 1 << 16

  private static func opsets(_ model: ONNXModel) throws(FileError) -> [String: Int] {
    var result: [String: Int] = [:]
    for (domain, version) in model.opsets {
      let isOwn = domain.isEmpty || domain == "ai.onnx"
      guard !isOwn || OperatorTable.opsets.contains(Int(version)) else {
        let known = OperatorTable.opsets
        throw FileError(
          .unsupported, "operators of version \(version), known are \(known.lowerBound) to \(known.upperBound)")
      }
      result[isOwn ? "" : domain] = Int(version)
    }
    return result
  }

  /// The outputs of the graph, in order.
  ///
  /// - Parameters:
  ///   - inputs: A tensor for each of the graph's inputs that no initializer stands for.
  ///   - observer: Sees what every node puts out.
  /// - Throws: `mismatch` for inputs that are not those of the graph, what a node's computation throws, and
  ///   `unsupported` when the graph would take more memory or time than a model of its size.
  package func evaluate(
    _ inputs: [String: Tensor], observer: ((ONNXNode, [DenseTensor]) -> Void)? = nil
  ) throws(FileError) -> [DenseTensor] {
    try turn.withLock { (_) throws(FileError) in
      shop.memory.allow(work: work)
      var values = Values(constants: constants)
      for input in graph.inputs where constants[input.name] == nil {
        guard let tensor = inputs[input.name] else {
          throw FileError(.mismatch, "nothing is given for input '\(escaped(input.name))'")
        }
        if let dtype = input.dtype, dtype != tensor.dtype {
          throw FileError(.mismatch, "\(tensor.dtype) for input '\(escaped(input.name))', which takes \(dtype)")
        }
        values[input.name] = try shop.load(tensor)
      }
      return try run(steps, outputs: graph.outputs.map(\.name), &values, observer)
    }
  }

  /// The numbers of a tensor in f32.
  func floats(_ tensor: DenseTensor) throws(FileError) -> [Float] {
    try convert(tensor, to: .f32, shop).array(Float.self)
  }

  private func run(
    _ steps: [Step], outputs: [String], _ values: inout Values, _ observer: ((ONNXNode, [DenseTensor]) -> Void)?
  ) throws(FileError) -> [DenseTensor] {
    for step in steps {
      let results = try Self.compute(step.node, step.body, packed: step.packed, values, opsets, shop)
      observer?(step.node, results)
      for (name, result) in zip(step.node.outputs, results) where !name.isEmpty { values[name] = result }
      for name in step.released { values[name] = nil }
    }
    return try outputs.map { (name) throws(FileError) in
      guard let value = values[name] else { throw FileError(.malformed, "no node makes the output '\(escaped(name))'") }
      return value
    }
  }

  /// Values by name: those of the evaluation, then those of constants.
  struct Values {
    let constants: [String: DenseTensor]
    private var own: [String: DenseTensor] = [:]

    init(constants: [String: DenseTensor]) { self.constants = constants }

    subscript(name: String) -> DenseTensor? {
      get { own[name] ?? constants[name] }
      set { own[name] = newValue }
    }
  }

  /// Computes one node; errors say which.
  static func compute(
    _ node: ONNXNode, _ body: OperatorTable.Body, packed: PackedOperand?, _ values: Values, _ opsets: [String: Int],
    _ shop: Workshop, depth: Int = 0
  ) throws(FileError) -> [DenseTensor] {
    do throws(FileError) {
      var inputs: [DenseTensor?] = []
      for (index, name) in node.inputs.enumerated() {
        let value = name.isEmpty ? nil : values[name]
        guard value != nil || name.isEmpty || (packed != nil && index == 1) else {
          throw FileError(.malformed, "nothing makes its input '\(escaped(name))'")
        }
        try shop.memory.charge(value?.count ?? 0)
        inputs.append(value)
      }
      let opset = opsets[node.domain == "ai.onnx" ? "" : node.domain] ?? 1
      return try body.apply(
        NodeCall(node: node, opset: opset, inputs: inputs, packed: packed, shop: shop) { (graph) throws(FileError) in
          try Self.subgraph(graph, values, opsets, shop, depth: depth + 1)
        })
    } catch {
      throw error.at(node)
    }
  }

  /// Evaluates a graph inside a node, node after node.
  private static func subgraph(
    _ graph: ONNXGraph, _ outer: Values, _ opsets: [String: Int], _ shop: Workshop, depth: Int
  ) throws(FileError) -> [DenseTensor] {
    guard depth <= deepest else { throw FileError(.unsupported, "graphs nested more than \(deepest) deep") }
    var values = outer
    for (name, tensor) in graph.initializers { values[name] = try shop.load(tensor) }
    for node in graph.nodes {
      let results = try compute(node, body(node), packed: nil, values, opsets, shop, depth: depth)
      for (name, result) in zip(node.outputs, results) where !name.isEmpty { values[name] = result }
    }
    return try graph.outputs.map { (output) throws(FileError) in
      guard let value = values[output.name] else {
        throw FileError(.malformed, "no node makes the output '\(escaped(output.name))'")
      }
      return value
    }
  }

  static let deepest = 8

  static func body(_ node: ONNXNode) throws(FileError) -> OperatorTable.Body {
    guard let body = OperatorTable.body(domain: node.domain, kind: node.kind) else {
      let domain = node.domain.isEmpty ? "" : "\(escaped(node.domain))."
      throw FileError(.unsupported, "operator \(domain)\(escaped(node.kind)) is not evaluated")
    }
    return body
  }
}

extension FileError {
  /// The same error, saying in which node it is.
  func at(_ node: ONNXNode) -> FileError {
    var copy = self
    let name = node.name.isEmpty ? node.outputs.first ?? "" : node.name
    copy.message = "node '\(escaped(name))' (\(escaped(node.kind))): \(message)"
    return copy
  }
}
