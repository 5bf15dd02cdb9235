public import Checkpoints

/// What an ONNX file's graph is, for people.
public struct GraphSummary: Sendable {
  /// An input or output.
  public struct Value: Sendable {
    /// The name in the graph.
    public var name: String
    /// The element type; nil for what no tensor of ours has.
    public var dtype: DType?
    /// The dimensions: numbers, names, or `?`.
    public var shape: [String]
  }

  /// The file's path.
  public let path: String
  /// The version of ONNX's own operators.
  public let opset: Int
  /// The program that wrote it, and its version.
  public let producer: String
  /// What it takes, without what an initializer stands for.
  public let inputs: [Value]
  /// What it gives.
  public let outputs: [Value]
  /// How often each operator is applied, by name, with its domain where that is not ONNX's own.
  public let operators: [(name: String, count: Int)]
  /// The operators that are not evaluated here.
  public let notEvaluated: [String]

  init(_ model: ONNXModel, path: String) {
    self.path = path
    opset = Int(model.opset)
    producer = [model.producer, model.producerVersion].filter { !$0.isEmpty }.joined(separator: " ")
    let constants = Set(model.graph.initializers.map(\.name))
    inputs = model.graph.inputs.filter { !constants.contains($0.name) }.map(Value.init)
    outputs = model.graph.outputs.map(Value.init)
    var counts: [String: Int] = [:]
    var unknown: Set<String> = []
    for node in model.graph.nodes {
      let name = node.domain.isEmpty ? node.kind : "\(node.domain).\(node.kind)"
      counts[name, default: 0] += 1
      if OperatorTable.body(domain: node.domain, kind: node.kind) == nil { unknown.insert(name) }
    }
    operators = counts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    notEvaluated = unknown.sorted()
  }

  /// The graphs of a checkpoint's files; none for other formats.
  static func summaries(of checkpoint: Checkpoint) throws(FileError) -> [GraphSummary] {
    try checkpoint.graphFiles().map { GraphSummary($0.model, path: $0.file.path) }
  }
}

extension GraphSummary.Value {
  init(_ value: ONNXValue) {
    let shape = (value.shape ?? []).map { (dimension: ONNXValue.Dimension) -> String in
      switch dimension {
      case .size(let size): "\(size)"
      case .named(let name): name
      case .unknown: "?"
      }
    }
    self.init(name: value.name, dtype: value.dtype, shape: shape)
  }
}
