import Checkpoints

/// Pictures and grids: convolutions, batch norms, mean pooling.
extension GraphRecorder {
  func patches(_ pictures: GraphPictures, size: Int) -> GraphValue {
    GraphValue(
      pictures.name, columns: 3 * size * size, .patches(size: size, side: pictures.side), rows: .fixed(0))
  }

  func pixels(_ pictures: GraphPictures) -> GraphValue {
    GraphValue(pictures.name, columns: 3, .grid(side: pictures.side), rows: .fixed(pictures.side * pictures.side))
  }

  func neighbourhoods(_ x: GraphValue, stride: Int) -> GraphValue {
    guard case .grid(let side) = x.form else { return x }
    return GraphValue(x.name, columns: x.columns, .neighbourhoods(stride: stride, side: side), rows: x.rows)
  }

  func averagePool(_ x: GraphValue, size: Int) -> GraphValue {
    guard case .grid(let side) = x.form else { return x }
    let sizes = ONNXAttribute.integers([Int64(size), Int64(size)])
    let name = builder.add("AveragePool", [x.name], ["kernel_shape": sizes, "strides": sizes], in: tower)
    return grid(name, columns: x.columns, side: side / size)
  }

  private func grid(_ name: String, columns: Int, side: Int) -> GraphValue {
    GraphValue(name, columns: columns, .grid(side: side), rows: .fixed(side * side))
  }

  func convolution(
    _ kernel: NamedTensor, norm: BatchNorm<NamedTensor>
  ) throws(FileError) -> (GraphMatrix, GraphVector) {
    var matrix = try self.matrix(kernel, transposed: false)
    if foldsNorms {
      let folded = try FoldedConvolution(kernel, norm: norm)
      let name = matrix.parts[0].name
      let biasName = "\(name.tensorModule).bias"
      try tensors.put(name, Tensor(folded.kernel, shape: folded.shape))
      var parts: [String] = []
      for tensor in [norm.weight, norm.bias, norm.mean, norm.variance] {
        parts += try tensors.parts(of: tensor.name, rows: nil).map(\.name)
      }
      try tensors.put(biasName, Tensor(folded.bias, shape: [folded.bias.count]), folding: parts)
      return (matrix, GraphVector(parts: [GraphVector.Part(name: biasName, rows: nil, count: folded.bias.count)]))
    }
    let bias = try vector(norm.bias)
    matrix.norm = BatchNorm(
      weight: try vector(norm.weight).parts[0].name, bias: bias.parts[0].name,
      mean: try vector(norm.mean).parts[0].name, variance: try vector(norm.variance).parts[0].name)
    return (matrix, bias)
  }

  /// A convolution, and the batch norm after it.
  func convolution(_ x: GraphValue, _ matrix: GraphMatrix, bias: GraphVector?) -> GraphValue {
    let part = matrix.parts[0]
    var (size, stride, pad, side) = (1, 1, 0, 0)
    switch x.form {
    case .patches(let patch, let pictures): (size, stride, side) = (patch, patch, pictures / patch)
    case .neighbourhoods(let step, let grid): (size, stride, pad, side) = (3, step, 1, (grid - 1) / step + 1)
    case .grid(let grid): side = grid
    case .tokens, .flat, .single: break
    }
    func both(_ value: Int) -> ONNXAttribute { .integers([Int64(value), Int64(value)]) }
    let attributes = [
      "kernel_shape": both(size), "strides": both(stride),
      "pads": ONNXAttribute.integers([Int64](repeating: Int64(pad), count: 4)),
    ]
    var inputs = [x.name, operand(part.name)]
    if matrix.norm == nil, let bias { inputs.append(operand(bias)) }
    var name = builder.add("Conv", inputs, attributes, in: part.name.tensorModule)
    if let norm = matrix.norm {
      let parts = [norm.weight, norm.bias, norm.mean, norm.variance].map { operand($0) }
      name = builder.add(
        "BatchNormalization", [name] + parts, ["epsilon": .float(Float(BatchNorm<Int>.epsilon))],
        in: norm.weight.tensorModule)
    }
    return grid(name, columns: part.outputs, side: side)
  }
}
