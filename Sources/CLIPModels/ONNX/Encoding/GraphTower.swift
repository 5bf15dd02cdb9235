import Checkpoints

/// One encoder in an ONNX graph: the part of the graph that makes embeddings of one input.
struct GraphTower: Sendable {
  private let evaluator: ONNXEvaluator
  private let input: ONNXValue
  /// The input that says which tokens count, where the graph has one.
  private let mask: ONNXValue?
  /// The items that it takes at a time; nil for any number.
  let batch: Int?
  /// The length of a text; nil for any, and for pictures.
  let length: Int?
  /// The values that stages have, by stage.
  private let stages: [String: String]

  /// The image or text encoder in a graph; nil when there is none.
  ///
  /// - Throws: `malformed` and `unsupported` for what the graph's inputs and outputs are, and what preparing it throws.
  init?(_ model: ONNXModel, tower: String, threads: Int) throws(FileError) {
    let graph = model.graph
    let constants = Set(graph.initializers.map(\.name))
    let inputs = graph.inputs.filter { !constants.contains($0.name) }
    let isImage = tower == "image"
    guard let own = inputs.first(where: { isImage ? $0.isPictures : $0.isIDs }) else { return nil }
    let other = inputs.first { isImage ? $0.isIDs : $0.isPictures }
    let seen = graph.values(from: own.name)
    let foreign = other.map { graph.values(from: $0.name) } ?? []
    let outputs = graph.outputs.filter { seen.contains($0.name) && !foreign.contains($0.name) }
    guard let output = outputs.best(Self.names(of: tower)) else { return nil }
    var pruned = model
    pruned.graph = graph.pruned(to: output)
    input = own
    mask = pruned.graph.inputs.first { $0.name.contains("attention_mask") && $0.isWhole }
    let known = [own.name, mask?.name]
    if let stranger = pruned.graph.inputs.first(where: { !known.contains($0.name) && !constants.contains($0.name) }) {
      throw FileError(.unsupported, "input '\(escaped(stranger.name))' of the graph is neither pictures nor texts")
    }
    // One scale for a whole batch: what an item becomes would depend on the others.
    let isShared = pruned.graph.nodes.contains {
      ["DynamicQuantizeLinear", "DynamicQuantizeMatMul"].contains($0.kind)
    }
    batch = isShared ? 1 : own.size(0)
    length = isImage ? nil : own.size(1)
    stages = GraphStages(pruned.graph, tower: tower).values
    evaluator = try ONNXEvaluator(pruned, threads: threads)
  }

  /// What exporters call embeddings, the best first.
  private static func names(of tower: String) -> [String] {
    [
      "\(tower)_embeds", "\(tower)_embeddings", "\(tower)_features", "embedding", "embeddings", "sentence_embedding",
      "pooler_output", "output",
    ]
  }

  /// Whether what is inside is known by name.
  var hasStages: Bool { !stages.isEmpty }

  /// The embeddings of items, row after row, whatever they are called.
  ///
  /// - Parameter observe: Sees the stages of the only item.
  func embed(
    pictures: Tensor, observe: ((GraphStage) -> Void)? = nil
  ) throws(FileError) -> [Float] {
    try run([input.name: input.dtype == .f32 ? pictures : pictures.cast(to: input.dtype ?? .f32)], observe)
  }

  /// The same for texts of ids, all of one length.
  func embed(texts: [[Int32]], observe: ((GraphStage) -> Void)? = nil) throws(FileError) -> [Float] {
    let shape = [texts.count, texts.first?.count ?? 0]
    let values = texts.flatMap { $0 }
    var inputs = [input.name: try Self.tensor(values, shape, input.dtype ?? .i64)]
    if let mask { inputs[mask.name] = try Self.tensor(values.map { _ in 1 }, shape, mask.dtype ?? .i64) }
    return try run(inputs, observe)
  }

  private func run(_ inputs: [String: Tensor], _ observe: ((GraphStage) -> Void)?) throws(FileError) -> [Float] {
    let names = Dictionary(stages.map { ($0.value, $0.key) }) { first, _ in first }
    var failure: FileError?
    let outputs = try evaluator.evaluate(inputs) { node, results in
      guard let observe else { return }
      for (name, result) in zip(node.outputs, results) {
        guard let stage = names[name] else { continue }
        do throws(FileError) {
          observe(GraphStage(stage: stage, shape: result.shape, values: try evaluator.floats(result)))
        } catch { failure = error }
      }
    }
    if let failure { throw failure }
    return try evaluator.floats(outputs[0])
  }

  private static func tensor(_ values: [Int32], _ shape: [Int], _ dtype: DType) throws(FileError) -> Tensor {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(values.count * dtype.blockBytes)
    for value in values {
      withUnsafeBytes(of: Int64(value).littleEndian) { bytes.append(contentsOf: $0.prefix(dtype.blockBytes)) }
    }
    return try Tensor(dtype: dtype, shape: shape, bytes: Bytes(bytes))
  }
}

/// What a stage inside a graph puts out for one item.
struct GraphStage {
  let stage: String
  let shape: [Int]
  let values: [Float]

  /// The rows of tokens: of grids, which are channels of planes, those of their places.
  var rows: (count: Int, columns: Int, values: [Float]) {
    guard shape.count == 4 else {
      let columns = shape.last ?? 1
      return (values.count / max(1, columns), columns, values)
    }
    let (channels, places) = (shape[1], shape[2] * shape[3])
    var rows = values
    for channel in 0..<channels {
      for place in 0..<places { rows[place * channels + channel] = values[channel * places + place] }
    }
    return (places, channels, rows)
  }
}

extension ONNXValue {
  fileprivate var isWhole: Bool { dtype == .i64 || dtype == .i32 }

  /// Pictures: floats of four dimensions.
  var isPictures: Bool {
    [.f32, .f16, .bf16].contains(dtype) && (shape.map { $0.count == 4 } ?? true)
  }

  /// Ids of tokens: whole numbers of two dimensions.
  var isIDs: Bool {
    isWhole && (shape.map { $0.count == 2 } ?? true) && !name.contains("mask") && !name.contains("position")
  }

  /// A dimension, where it is a number.
  func size(_ axis: Int) -> Int? {
    guard let shape, shape.indices.contains(axis), case .size(let size) = shape[axis], size > 0 else { return nil }
    return Int(size)
  }
}

extension [ONNXValue] {
  /// The output that is called one of `names`, the first of them; else the first that may be rows.
  fileprivate func best(_ names: [String]) -> ONNXValue? {
    for name in names { if let found = first(where: { $0.name == name }) { return found } }
    return first { $0.shape.map { $0.count == 2 } ?? true }
  }
}

extension ONNXGraph {
  /// The values that depend on an input, itself among them.
  func values(from input: String) -> Set<String> {
    // Nodes may be written in any order.
    var takers: [String: [Int]] = [:]
    for (index, node) in nodes.enumerated() { for name in node.inputs { takers[name, default: []].append(index) } }
    var result: Set<String> = [input]
    var open = [input]
    var isDone = [Bool](repeating: false, count: nodes.count)
    while let name = open.popLast() {
      for index in takers[name] ?? [] where !isDone[index] {
        isDone[index] = true
        for output in nodes[index].outputs where !output.isEmpty && result.insert(output).inserted {
          open.append(output)
        }
      }
    }
    return result
  }

  /// What an output needs: its nodes and their inputs. Graphs inside nodes keep everything.
  fileprivate func pruned(to output: ONNXValue) -> ONNXGraph {
    var maker: [String: Int] = [:]
    for (index, node) in nodes.enumerated() { for name in node.outputs where !name.isEmpty { maker[name] = index } }
    let hasInner = nodes.contains { node in
      node.attributes.values.contains { if case .graph = $0 { true } else { false } }
    }
    var result = self
    result.outputs = [output]
    guard !hasInner else { return result }
    var needed: Set<Int> = []
    var names: Set<String> = [output.name]
    var open = [output.name]
    while let name = open.popLast() {
      guard let index = maker[name], needed.insert(index).inserted else { continue }
      for input in nodes[index].inputs where names.insert(input).inserted { open.append(input) }
    }
    result.nodes = nodes.indices.filter(needed.contains).map { nodes[$0] }
    result.inputs = inputs.filter { names.contains($0.name) }
    result.initializers = initializers.filter { names.contains($0.name) }
    return result
  }
}
