package import Checkpoints

/// Counts what the encoders' operations cost, from shapes alone: nothing of a tensor is read.
///
/// An operation of floating point is one multiplication or one addition of a matrix product; what is not a product is
/// small beside them and not counted.
package struct CostOps: Ops {
  private let counter = Counter()

  /// What was counted so far.
  var operations: Int? { Int(exactly: counter.operations) }

  private final class Counter {
    /// Shapes of sparse files multiply to more than an integer holds.
    var operations = 0.0
  }

  /// A matrix's outputs and inputs.
  package struct Shape: Sendable {
    var outputs: Int
    var inputs: Int
  }

  /// The rows and columns of one item.
  package struct Extent: Sendable {
    var rows: Int
    var columns: Int
    var side = 0
  }

  package func matrix(_ tensor: NamedTensor, transposed: Bool) -> Shape {
    let (rows, columns) = (tensor.tensor.shape[0], tensor.tensor.shape[1])
    return transposed ? Shape(outputs: columns, inputs: rows) : Shape(outputs: rows, inputs: columns)
  }

  package func convolution(_ kernel: NamedTensor, norm: BatchNorm<NamedTensor>) -> (Shape, Int) {
    let shape = kernel.tensor.shape
    return (Shape(outputs: shape[0], inputs: shape[1] * shape[2] * shape[3]), shape[0])
  }

  package func vector(_ tensor: NamedTensor) -> Int { tensor.tensor.count }
  package func table(_ tensor: NamedTensor) -> Int { tensor.tensor.shape.last ?? 0 }

  package func patches(_ side: Int, size: Int) -> Extent {
    Extent(rows: (side / size) * (side / size), columns: 3 * size * size)
  }
  package func pixels(_ side: Int) -> Extent { Extent(rows: side * side, columns: 3, side: side) }
  package func lookUp(_ tokens: Int, in columns: Int) -> Extent { Extent(rows: tokens, columns: columns) }

  package func linear(
    _ x: Extent, _ matrix: Shape, bias: Int?, activation: LinearActivation, scale: Int?, residual: Extent?
  ) -> Extent {
    counter.operations += 2 * Double(x.rows) * Double(matrix.outputs) * Double(matrix.inputs)
    return Extent(rows: x.rows, columns: matrix.outputs, side: x.side)
  }

  package func layerNorm(_ x: Extent, weight: Int, bias: Int, epsilon: Float) -> Extent { x }

  package func attention(queries: Extent, keys: Extent, values: Extent, heads: Int, causal: Bool) -> Extent {
    counter.operations += 2 * Double(queries.rows) * Double(keys.rows) * Double(queries.columns + values.columns)
    return Extent(rows: queries.rows, columns: values.columns)
  }

  package func columns(_ x: Extent, _ range: Range<Int>) -> Extent {
    Extent(rows: x.rows, columns: range.count, side: x.side)
  }
  package func row(_ row: PooledRow, of x: Extent) -> Extent { Extent(rows: 1, columns: x.columns) }
  package func repeated(_ row: Int, items: Int) -> Extent { Extent(rows: 1, columns: row) }
  package func prepending(_ row: Int, to x: Extent) -> Extent { Extent(rows: x.rows + 1, columns: x.columns) }
  package func prependingMean(to x: Extent) -> Extent { Extent(rows: x.rows + 1, columns: x.columns) }
  package func addingPositions(_ positions: Int, to x: Extent) -> Extent { x }

  package func neighbourhoods(_ x: Extent, stride: Int) -> Extent {
    let side = (x.side - 1) / stride + 1
    return Extent(rows: side * side, columns: 9 * x.columns, side: side)
  }

  package func averagePool(_ x: Extent, size: Int) -> Extent {
    Extent(rows: (x.side / size) * (x.side / size), columns: x.columns, side: x.side / size)
  }

  package func items(_ x: Extent) -> Int { 1 }
}

/// What encoding costs, in operations of floating point.
public struct EncodingCost: Sendable, Equatable {
  /// For one picture; nil without an image encoder, or when the config leaves open how to compute.
  public let image: Int?
  /// For one text of the whole context length; shorter texts cost less. Nil as for `image`.
  public let text: Int?

  init(_ model: CLIPModel) {
    image = try? Self.image(model)
    text = try? Self.text(model)
  }

  /// - Parameter pooledOnly: Whether the last block computes what is read of it, as encoding does, or all tokens.
  package static func image(_ model: CLIPModel, pooledOnly: Bool = true) throws(FileError) -> Int? {
    try count(model) { (ops) throws(FileError) in
      let side = try model.config.encoderInteger(.visionImageSize)
      let encoder = try ImageEncoder(WeightLoader(tensors: model.tensors, ops: ops), model.config)
      _ = encoder.forward(side, ops, observe: pooledOnly ? nil : { _, _ in })
    }
  }

  /// - Parameter pooledOnly: As for `image`.
  package static func text(_ model: CLIPModel, pooledOnly: Bool = true) throws(FileError) -> Int? {
    try count(model) { (ops) throws(FileError) in
      let pooling = try TextPooledPosition(model.config)
      let tokens = try model.config.encoderInteger(.textContextLength)
      let encoder = try TextTransformer(WeightLoader(tensors: model.tensors, ops: ops), model.config)
      _ = try encoder.forward(tokens, pooling: pooling.row, ops, observe: pooledOnly ? nil : { _, _ in })
    }
  }

  /// Numbers of a broken model's shapes may not fit each other: only those of a whole one are counted.
  private static func count(
    _ model: CLIPModel, _ forward: (CostOps) throws(FileError) -> Void
  ) throws(FileError) -> Int? {
    if let problem = model.problems.first { throw problem }
    let ops = CostOps()
    try forward(ops)
    return ops.operations
  }
}
