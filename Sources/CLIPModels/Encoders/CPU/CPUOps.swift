import Checkpoints

/// Computes the encoders' operations on the processor, in f32.
///
/// Every number is the same bits whatever the number of threads and whatever else is in the batch.
struct CPUOps: Ops {
  let team: WorkTeam
  let pool = BufferPool()
  private let workspaces = Workspaces()

  init(threads: Int) { team = WorkTeam(threads: threads) }

  func matrix(_ tensor: NamedTensor, transposed: Bool) throws(FileError) -> PackedMatrix {
    try PackedMatrix(tensor.tensor, transposed: transposed)
  }

  func vector(_ tensor: NamedTensor) throws(FileError) -> [Float] { try tensor.tensor.floats() }

  func table(_ tensor: NamedTensor) throws(FileError) -> TokenEmbeddings { try TokenEmbeddings(tensor) }

  /// Folds the norm into the kernel, and orders the kernel's columns as `neighbourhoods` does.
  func convolution(
    _ kernel: NamedTensor, norm: BatchNorm<NamedTensor>
  ) throws(FileError) -> (PackedMatrix, [Float]) {
    let folded = try FoldedConvolution(kernel, norm: norm)
    let (outputs, inputs, area) = (folded.shape[0], folded.shape[1], folded.shape[2] * folded.shape[3])
    var rows = [Float](repeating: 0, count: folded.kernel.count)
    for output in 0..<outputs {
      for input in 0..<inputs {
        for place in 0..<area {
          rows[(output * area + place) * inputs + input] = folded.kernel[(output * inputs + input) * area + place]
        }
      }
    }
    return (try PackedMatrix(outputs: outputs, inputs: inputs * area, rows: rows), folded.bias)
  }

  func linear(
    _ x: Activations, _ matrix: PackedMatrix, bias: [Float]?, activation: LinearActivation, scale: [Float]?,
    residual: Activations?
  ) -> Activations {
    let result = make(columns: matrix.outputs, starts: x.starts, grid: x.grid)
    var function: Activation?
    if case .model(let activation) = activation { function = activation }
    matrix.multiply(
      x.start, rows: x.rows, stride: x.stride, into: result.start, outStride: result.stride, bias: bias,
      activation: function, scale: scale, residual: residual.map { UnsafePointer($0.start) },
      residualStride: residual?.stride, rectified: activation == .relu, team: team)
    return result
  }

  func layerNorm(_ x: Activations, weight: [Float], bias: [Float], epsilon: Float) -> Activations {
    precondition(x.stride == x.columns, "layer norm of a part of wider rows")
    let result = make(columns: x.columns, starts: x.starts, grid: x.grid)
    CLIPModels.layerNorm(
      x.start, rows: x.rows, columns: x.columns, weight: weight, bias: bias, epsilon: Double(epsilon),
      into: result.start, team: team)
    return result
  }

  func attention(
    queries: Activations, keys: Activations, values: Activations, heads: Int, causal: Bool
  ) -> Activations {
    let result = make(columns: queries.columns, starts: queries.starts)
    let sequences = (0..<keys.items).map { item in
      let own = queries.starts[item]..<queries.starts[item + 1]
      let all = keys.starts[item]..<keys.starts[item + 1]
      // Where only some rows ask, they are the last.
      return Attention.Sequence(queries: own, keys: all, firstPosition: all.count - own.count)
    }
    Attention(heads: heads, headWidth: queries.columns / heads, isCausal: causal).apply(
      Attention.Operands(
        q: queries.start, qStride: queries.stride, k: keys.start, kStride: keys.stride, v: values.start,
        vStride: values.stride, out: result.start, outStride: result.stride),
      to: sequences, workspaces: workspaces, team: team)
    return result
  }

  func items(_ x: Activations) -> Int { x.items }

  func columns(_ x: Activations, _ range: Range<Int>) -> Activations {
    Activations(
      buffer: x.buffer, offset: x.offset + range.lowerBound, columns: range.count, stride: x.stride, starts: x.starts,
      grid: x.grid)
  }

  /// New activations, their numbers not yet set.
  func make(columns: Int, starts: [Int], grid: Activations.Grid? = nil) -> Activations {
    let buffer = pool.buffer(columns * (starts.last ?? 0))
    return Activations(buffer: buffer, offset: 0, columns: columns, stride: columns, starts: starts, grid: grid)
  }
}
