import Checkpoints

/// Writes the encoders' operations down as nodes of an ONNX graph.
///
/// Constants are the checkpoint's own tensors, under their names and as they lie in a file; what a runtime wants
/// otherwise (a part of fused projections, another type) is a node on them, which runtimes fold when they load. Between
/// layers activations are flat, so that a linear layer is one `Gemm` that takes its matrix as it is.
struct GraphRecorder: Ops {
  let builder: GraphBuilder
  let tensors: GraphTensors
  /// What the stages' names begin with: `image` or `text`.
  let tower: String
  /// The texts, where the row that stands for one depends on its ids.
  var texts: GraphTexts?
  /// Whether batch norms are computed into the convolutions before them.
  var foldsNorms = false

  /// A tensor of the checkpoint, in the type that is computed in.
  func operand(_ name: String) -> String {
    // Whether it is there was seen when the constant was made.
    guard let tensor = try? tensors.take(name) else { return name }
    builder.initializer(name, tensor)
    guard tensor.dtype != builder.dtype else { return name }
    return builder.once("cast \(name)") { builder.cast(name, to: builder.dtype, in: name) }
  }

  /// Some rows of a tensor, the only output of their own node.
  func operand(_ name: String, rows: Range<Int>?) -> String {
    let whole = operand(name)
    guard let rows else { return whole }
    return builder.once("rows \(rows) \(name)") {
      let (start, end) = (builder.integers([rows.lowerBound]), builder.integers([rows.upperBound]))
      return builder.add("Slice", [whole, start, end, builder.integers([0])], in: name)
    }
  }

  /// The vector's tensor, where it is one.
  func operand(_ vector: GraphVector) -> String { operand(vector.parts[0].name, rows: vector.parts[0].rows) }
}

// MARK: Constants

extension GraphRecorder {
  func matrix(_ tensor: NamedTensor, transposed: Bool) throws(FileError) -> GraphMatrix {
    GraphMatrix(
      parts: try parts(of: tensor).map { part, rows, shape in
        let isOutputsFirst = transposed == (part.form == .transposed)
        let outputs = isOutputsFirst ? shape.first : shape.last
        return GraphMatrix.Part(
          name: part.name, rows: rows, outputs: rows?.count ?? outputs ?? 0, isOutputsFirst: isOutputsFirst)
      })
  }

  func vector(_ tensor: NamedTensor) throws(FileError) -> GraphVector {
    GraphVector(
      parts: try parts(of: tensor).map { part, rows, shape in
        GraphVector.Part(name: part.name, rows: rows, count: rows?.count ?? shape.first ?? 1)
      })
  }

  func table(_ tensor: NamedTensor) throws(FileError) -> GraphTable {
    let part = try parts(of: tensor)[0]
    return GraphTable(name: part.0.name, columns: part.2.last ?? 0)
  }

  /// The tensors of the output that hold a tensor's rows, and which of their own rows those are.
  private func parts(
    of tensor: NamedTensor
  ) throws(FileError) -> [(GraphTensors.Part, rows: Range<Int>?, shape: [Int])] {
    var result: [(GraphTensors.Part, rows: Range<Int>?, shape: [Int])] = []
    for part in try tensors.parts(of: tensor.name, rows: tensor.rows) {
      let shape = try tensors.take(part.name).shape
      var rows = tensor.rows
      if let wanted = rows, let own = part.rows {
        let common = wanted.clamped(to: own)
        rows = common.lowerBound - own.lowerBound..<common.upperBound - own.lowerBound
      }
      if rows == 0..<(shape.first ?? 0) { rows = nil }
      result.append((part, rows, shape))
    }
    return result
  }
}

// MARK: Rows

extension GraphRecorder {
  func lookUp(_ texts: GraphTexts, in table: GraphTable) throws(FileError) -> GraphValue {
    // Rows are cast, not the vocabulary.
    let tensor = try tensors.take(table.name)
    builder.initializer(table.name, tensor)
    var rows = builder.add("Gather", [table.name, texts.ids], in: table.name.tensorModule)
    if tensor.dtype != builder.dtype { rows = builder.cast(rows, to: builder.dtype, in: table.name.tensorModule) }
    return GraphValue(rows, columns: table.columns, .tokens, rows: texts.rows)
  }

  func layerNorm(_ x: GraphValue, weight: GraphVector, bias: GraphVector, epsilon: Float) -> GraphValue {
    let x = x.form == .tokens ? flat(x) : x
    let name = builder.add(
      "LayerNormalization", [x.name, operand(weight), operand(bias)],
      ["axis": .integer(-1), "epsilon": .float(epsilon)], in: weight.parts[0].name.tensorModule)
    return GraphValue(name, columns: x.columns, x.form, rows: x.rows)
  }

  func columns(_ x: GraphValue, _ range: Range<Int>) -> GraphValue {
    var result = x
    result.parts = []
    var start = 0
    for part in x.parts {
      let common = range.clamped(to: start..<start + part.columns)
      if common.count == part.columns {
        result.parts.append(part)
      } else if !common.isEmpty {
        let ends = common.lowerBound - start..<common.upperBound - start
        result.parts.append(GraphValue.Part(name: columns(of: part, ends), columns: common.count))
      }
      start += part.columns
    }
    return result
  }

  /// Some of a tensor's columns: one of the equal parts that it splits into.
  private func columns(of part: GraphValue.Part, _ range: Range<Int>) -> String {
    let count = part.columns / max(1, range.count)
    let outputs = (0..<count).map { "\(part.name) of \(range.count) at \($0 * range.count)" }
    if range.lowerBound % range.count == 0, count * range.count == part.columns {
      return builder.once(outputs[range.lowerBound / range.count]) {
        let sizes = builder.integers([Int](repeating: range.count, count: count))
        let names = builder.add("Split", [part.name, sizes], ["axis": .integer(-1)], in: tower, outputs: count)
        for (key, name) in zip(outputs, names) { _ = builder.once(key) { name } }
        return names[range.lowerBound / range.count]
      }
    }
    let (start, end) = (builder.integers([range.lowerBound]), builder.integers([range.upperBound]))
    return builder.add("Slice", [part.name, start, end, builder.integers([-1])], in: tower)
  }

  func row(_ row: PooledRow, of x: GraphValue) -> GraphValue {
    if x.form == .single { return x }
    let name: String
    if row == .last, x.rows == .ids, let position = texts?.flatPosition {
      name = builder.add("Gather", [flat(x).name, position], ["axis": .integer(0)], in: tower)
    } else {
      var index = 0
      if row == .last, case .fixed(let count) = x.rows { index = count - 1 }
      name = builder.add("Gather", [tokens(x).name, builder.integer(index)], ["axis": .integer(1)], in: tower)
    }
    return GraphValue(name, columns: x.columns, .single, rows: .fixed(1))
  }

  /// One row that goes with every item: attention's keys multiply it.
  func repeated(_ row: GraphVector, items: Int) -> GraphValue {
    let name = row.parts[0].name
    let columns = (try? tensors.take(name))?.count ?? 0
    let single = builder.add("Reshape", [operand(row), builder.integers([1, columns])], in: name)
    return GraphValue(single, columns: columns, .single, rows: .fixed(1))
  }

  func prepending(_ row: GraphVector, to x: GraphValue) -> GraphValue {
    let (x, name) = (tokens(x), row.parts[0].name)
    let items = builder.add("Shape", [x.name], ["start": .integer(0), "end": .integer(1)], in: name)
    let shape = builder.add(
      "Concat", [items, builder.integers([1, x.columns])], ["axis": .integer(0)], in: name)
    return concatenated(builder.add("Expand", [operand(row), shape], in: name), x)
  }

  func prependingMean(to x: GraphValue) -> GraphValue {
    let x = tokens(x)
    return concatenated(builder.reduce("ReduceMean", x.name, axis: 1, in: tower), x)
  }

  private func concatenated(_ first: String, _ x: GraphValue) -> GraphValue {
    var result = x
    result.parts[0].name = builder.add("Concat", [first, x.name], ["axis": .integer(1)], in: tower)
    if case .fixed(let count) = x.rows { result.rows = .fixed(count + 1) }
    return result
  }

  func addingPositions(_ positions: GraphVector, to x: GraphValue) -> GraphValue {
    var (x, name) = (tokens(x), positions.parts[0].name)
    var operand = operand(positions)
    if x.rows == .ids {
      let (start, axes) = (builder.integers([0]), builder.integers([0]))
      operand = builder.add("Slice", [operand, start, length(start: 1, end: 2), axes], in: name.tensorModule)
    }
    name = builder.add("Add", [x.name, operand], in: name.tensorModule)
    x.parts[0].name = name
    return x
  }

  /// A part of the shape of the ids: items, rows.
  func length(start: Int64, end: Int64) -> String {
    builder.once("ids' shape \(start) \(end)") {
      builder.add("Shape", [texts?.ids ?? ""], ["start": .integer(start), "end": .integer(end)], in: tower)
    }
  }

  func items(_ x: GraphValue) -> Int { 1 }

  func named(_ x: GraphValue, _ stage: EncoderStage) -> GraphValue {
    var x = x
    let name =
      switch stage {
      case .stem: "\(tower).stem"
      case .block(let index): "\(tower).blocks.\(index)"
      case .pooled: "\(tower).pooled"
      }
    builder.rename(x.name, to: name)
    x.parts[0].name = name
    return x
  }

  /// `[items · rows, columns]`.
  func flat(_ x: GraphValue) -> GraphValue {
    guard x.form != .flat, x.form != .single else { return x }
    let x = tokens(x)
    let name = builder.once("flat \(x.name)") {
      builder.add("Reshape", [x.name, builder.integers([-1, x.columns])], in: tower)
    }
    return GraphValue(name, columns: x.columns, .flat, rows: x.rows)
  }

  /// `[items, rows, columns]`.
  func tokens(_ x: GraphValue) -> GraphValue {
    var name = x.name
    switch (x.form, x.rows) {
    case (.grid, _):
      name = builder.add("Reshape", [x.name, builder.integers([0, x.columns, -1])], in: tower)
      name = builder.add("Transpose", [name], ["perm": .integers([0, 2, 1])], in: tower)
    case (.flat, .fixed(let count)):
      name = builder.once("tokens \(x.name)") {
        builder.add("Reshape", [x.name, builder.integers([-1, count, x.columns])], in: tower)
      }
    case (.flat, .ids):
      let shape = builder.add(
        "Concat", [length(start: 0, end: 2), builder.integers([x.columns])], ["axis": .integer(0)], in: tower)
      name = builder.add("Reshape", [x.name, shape], in: tower)
    default: return x
    }
    return GraphValue(name, columns: x.columns, .tokens, rows: x.rows)
  }
}
