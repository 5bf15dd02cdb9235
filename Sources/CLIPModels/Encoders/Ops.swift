package import Checkpoints

/// The operations that the encoders are made of.
///
/// The forward pass is written once, against this protocol: `CPUOps` computes it, `GraphRecorder` writes it down.
/// Activations are rows of columns, the tokens of several items (pictures or texts) one after the other. Constants are
/// made once, when a model is loaded.
package protocol Ops {
  /// The constant matrix of a linear layer.
  associatedtype Matrix: Sendable
  /// A constant row: a bias, a norm's weight, or rows of positions.
  associatedtype Vector: Sendable
  /// A constant table that rows are looked up in.
  associatedtype Table: Sendable
  /// Activations.
  associatedtype Value
  /// A batch of pictures.
  associatedtype Pictures
  /// A batch of texts.
  associatedtype Texts

  /// From a tensor `[outputs, inputs]`, or `[inputs, outputs]` when `transposed`.
  func matrix(_ tensor: NamedTensor, transposed: Bool) throws(FileError) -> Matrix
  /// The kernel of a convolution `[outputs, inputs, k, k]` and the batch norm after it, as one matrix and one bias.
  func convolution(_ kernel: NamedTensor, norm: BatchNorm<NamedTensor>) throws(FileError) -> (Matrix, Vector)
  /// All numbers of a tensor.
  func vector(_ tensor: NamedTensor) throws(FileError) -> Vector
  /// From a tensor `[rows, columns]`.
  func table(_ tensor: NamedTensor) throws(FileError) -> Table

  /// Pictures as patches: a row of 3·size·size columns (channel, y, x) for each patch, row by row.
  func patches(_ pictures: Pictures, size: Int) -> Value
  /// Pictures as pixels: a row of 3 columns for each pixel, row by row.
  func pixels(_ pictures: Pictures) -> Value
  /// The row of each token of each text.
  func lookUp(_ texts: Texts, in table: Table) throws(FileError) -> Value

  /// `x · matrixᵀ + bias`, then the activation, then times `scale`, then `+ residual`; but `relu` comes last.
  func linear(
    _ x: Value, _ matrix: Matrix, bias: Vector?, activation: LinearActivation, scale: Vector?, residual: Value?
  ) -> Value
  /// Each row less its mean, over its standard deviation, times `weight`, plus `bias`.
  func layerNorm(_ x: Value, weight: Vector, bias: Vector, epsilon: Float) -> Value
  /// Multi-head attention of each item's rows of `queries` over its rows of `keys` and `values`, all of one width.
  ///
  /// - Parameter causal: whether a query sees no key after it; the last query sees all.
  func attention(queries: Value, keys: Value, values: Value, heads: Int, causal: Bool) -> Value
  /// Some columns of every row.
  func columns(_ x: Value, _ range: Range<Int>) -> Value
  /// One row of each item.
  func row(_ row: PooledRow, of x: Value) -> Value
  /// The same row for each of `items` items.
  func repeated(_ row: Vector, items: Int) -> Value
  /// `row` before the rows of each item.
  func prepending(_ row: Vector, to x: Value) -> Value
  /// The mean of each item's rows before them.
  func prependingMean(to x: Value) -> Value
  /// Row i of `positions` added to row i of each item.
  func addingPositions(_ positions: Vector, to x: Value) -> Value
  /// Neighbourhoods of 3 × 3 of each item's grid, with zeros around it: 9·columns columns (y, x, channel).
  func neighbourhoods(_ x: Value, stride: Int) -> Value
  /// The mean of each square of `size` × `size` of each item's grid; what does not fill a square is left out.
  func averagePool(_ x: Value, size: Int) -> Value
  /// How many items there are.
  func items(_ x: Value) -> Int
  /// `x`, known as the output of a stage where values have names.
  func named(_ x: Value, _ stage: EncoderStage) -> Value
}

/// What follows a linear layer.
package enum LinearActivation: Sendable, Equatable {
  case none
  case relu
  case model(Activation)
}

/// Which row of an item stands for it.
package enum PooledRow: Sendable {
  case first
  case last
}

/// A tensor and its canonical name.
package struct NamedTensor: Sendable {
  package let name: String
  package let tensor: Tensor
  /// Which rows of the tensor of that name these are; nil: all.
  package var rows: Range<Int>?
}

/// The four rows of a batch norm.
package struct BatchNorm<Part> {
  package var weight: Part
  package var bias: Part
  package var mean: Part
  package var variance: Part

  /// What PyTorch's batch norm adds to the variance.
  package static var epsilon: Double { 1e-5 }
}

extension BatchNorm: Sendable where Part: Sendable {}

extension Ops {
  package func named(_ x: Value, _ stage: EncoderStage) -> Value { x }

  func linear(
    _ x: Value, _ layer: Linear<Self>, activation: LinearActivation = .none, scale: Vector? = nil,
    residual: Value? = nil
  ) -> Value {
    linear(x, layer.matrix, bias: layer.bias, activation: activation, scale: scale, residual: residual)
  }

  func layerNorm(_ x: Value, _ norm: LayerNorm<Self>) -> Value {
    layerNorm(x, weight: norm.weight, bias: norm.bias, epsilon: norm.epsilon)
  }
}

/// A linear layer's constants.
package struct Linear<O: Ops>: Sendable {
  let matrix: O.Matrix
  let bias: O.Vector?
}

/// A layer norm's constants.
package struct LayerNorm<O: Ops>: Sendable {
  let weight: O.Vector
  let bias: O.Vector
  let epsilon: Float
}
