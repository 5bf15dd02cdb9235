/// An ONNX model: a graph of operators, and what surrounds it. `formats/onnx.md` has the container.
package struct ONNXModel: Sendable {
  /// The version of the container; 8 with opset 17.
  package var irVersion: Int64 = 8
  /// The program that wrote it, and its version.
  package var producer = ""
  package var producerVersion = ""
  /// The versions of the operators by domain, in the file's order; the empty domain is ONNX's own.
  package var opsets: [(domain: String, version: Int64)] = []
  /// `metadata_props`, in the file's order.
  package var metadata: [(key: String, value: String)] = []
  package var graph = ONNXGraph()
  /// The files that hold data of its tensors, besides the model itself.
  package var dataFiles: [InputFile] = []
  /// What the reader noticed and a user should know.
  package var notes: [String] = []

  package init() {}

  /// The version of ONNX's own operators.
  package var opset: Int64 { opsets.first { $0.domain.isEmpty || $0.domain == "ai.onnx" }?.version ?? 1 }
}

/// Nodes in the order of their computation, and the constants that they take.
package struct ONNXGraph: Sendable {
  package var name = ""
  package var nodes: [ONNXNode] = []
  /// Constants by name, in the file's order.
  package var initializers: [(name: String, tensor: Tensor)] = []
  package var inputs: [ONNXValue] = []
  package var outputs: [ONNXValue] = []
  /// Initializers of a type that is not read, each as the error that using it gives.
  package var unreadable: [FileError] = []

  package init() {}
}

/// One operator's application.
package struct ONNXNode: Sendable {
  package var name: String
  /// The operator: `op_type`.
  package var kind: String
  package var domain: String
  /// The names of its inputs; an empty one is an input left out.
  package var inputs: [String]
  package var outputs: [String]
  package var attributes: [String: ONNXAttribute]
  /// `metadata_props`: torch's dynamo exporter keeps the scope of the module here.
  package var metadata: [(key: String, value: String)] = []

  package init(
    _ kind: String, name: String = "", domain: String = "", inputs: [String], outputs: [String],
    attributes: [String: ONNXAttribute] = [:]
  ) {
    (self.kind, self.name, self.domain) = (kind, name, domain)
    (self.inputs, self.outputs, self.attributes) = (inputs, outputs, attributes)
  }
}

/// A parameter of a node.
package indirect enum ONNXAttribute: Sendable {
  case float(Float)
  case integer(Int64)
  case string(String)
  case tensor(Tensor)
  case graph(ONNXGraph)
  case floats([Float])
  case integers([Int64])
  case strings([String])
  /// A value of a type that is not read, as the error that using it gives.
  case unreadable(FileError)
}

/// An input or output: its name, and what is promised of it.
package struct ONNXValue: Sendable, Equatable {
  /// A dimension: a number, a name that stands for one, or unknown.
  package enum Dimension: Sendable, Equatable {
    case size(Int64)
    case named(String)
    case unknown
  }

  package var name: String
  /// The element type; nil for what no tensor of ours has.
  package var dtype: DType?
  /// Nil where even the number of dimensions is open.
  package var shape: [Dimension]?

  package init(_ name: String, _ dtype: DType?, _ shape: [Dimension]?) {
    (self.name, self.dtype, self.shape) = (name, dtype, shape)
  }
}
