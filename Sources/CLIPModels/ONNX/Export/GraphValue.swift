/// A value of a graph while it is recorded: the names of nodes' outputs, and how activations lie in them.
struct GraphValue {
  /// How rows and columns lie in a tensor.
  enum Form: Equatable {
    /// Pictures of which patches are wanted: what follows is a convolution.
    case patches(size: Int, side: Int)
    /// A grid of which neighbourhoods of 3 × 3 are wanted: what follows is a convolution.
    case neighbourhoods(stride: Int, side: Int)
    /// `[items, columns, side, side]`.
    case grid(side: Int)
    /// `[items, rows, columns]`.
    case tokens
    /// `[items · rows, columns]`: what `Gemm` takes.
    case flat
    /// One row of each item: `[items, columns]`.
    case single
  }

  /// How many rows an item has.
  enum Rows: Equatable {
    case fixed(Int)
    /// As many as the graph's input of ids.
    case ids
  }

  /// One tensor with some of the columns.
  struct Part {
    var name: String
    var columns: Int
  }

  var form: Form
  var rows: Rows
  /// Columns side by side: of more than one tensor where projections are apart.
  var parts: [Part]

  init(_ name: String, columns: Int, _ form: Form, rows: Rows) {
    (self.form, self.rows) = (form, rows)
    parts = [Part(name: name, columns: columns)]
  }

  var name: String { parts[0].name }
  var columns: Int { parts.reduce(0) { $0 + $1.columns } }
}

/// The constant matrix of a layer.
struct GraphMatrix: Sendable {
  /// A tensor of the output, and the rows of it that are outputs of the layer; nil: all.
  struct Part: Sendable {
    var name: String
    var rows: Range<Int>?
    var outputs: Int
    /// Whether the tensor lies `[outputs, inputs]`.
    var isOutputsFirst: Bool
  }

  var parts: [Part]
  /// The batch norm after a convolution.
  var norm: BatchNorm<String>?
}

/// A constant row, or rows of positions.
struct GraphVector: Sendable {
  struct Part: Sendable {
    var name: String
    var rows: Range<Int>?
    var count: Int
  }

  var parts: [Part]
}

/// A constant table that rows are looked up in.
struct GraphTable: Sendable {
  var name: String
  var columns: Int
}

/// A graph's input of pictures: `[items, 3, side, side]`.
struct GraphPictures {
  var name: String
  var side: Int
}

/// A graph's input of texts.
struct GraphTexts {
  /// The ids, i32: `[items, rows]`.
  var ids: String
  var rows: GraphValue.Rows
  /// Of each item the row that stands for it, and that row's place in a flat value; nil where it is the same for all.
  var position: String?
  var flatPosition: String?
}
