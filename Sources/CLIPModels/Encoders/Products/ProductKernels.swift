internal import CKernels
internal import Checkpoints

/// The C kernels for products of one instruction set, the fastest that this machine has.
enum ProductKernels {
  nonisolated(unsafe) fileprivate static let table = ck_product_kernels(ck_level_count() - 1).pointee

  /// Outputs in a panel of packed weights.
  static let panelWidth = table.panel_width

  /// Writes the panel of `outputs` rows, at most `panelWidth`, of `inputs` weights of `size` bytes.
  static func pack(
    _ rows: UnsafeRawPointer, outputs: Int, inputs: Int, size: Int, into panel: UnsafeMutableRawPointer
  ) {
    table.pack(rows, inputs, outputs, inputs, size, panel)
  }

  /// Layer norm of rows that lie one after the other, on the calling thread.
  static func layerNorm(
    _ x: UnsafePointer<Float>, rows: Int, columns: Int, weight: UnsafePointer<Float>?, bias: UnsafePointer<Float>?,
    epsilon: Double, into out: UnsafeMutablePointer<Float>
  ) {
    table.layer_norm(x, columns, rows, columns, weight, bias, epsilon, out, columns)
  }

  /// Tells the processor that this thread waits for another one.
  static func pause() { ck_pause() }
}

extension PackedMatrix {
  /// out[row, output] = activation(Σ x[row, input] · w[output, input] + bias[output]) · scale[output]
  /// + residual[row, output], and with `rectified` the larger of that and zero.
  ///
  /// Strides are the distances between rows, in numbers. `out` may be `residual` with its stride, and overlaps nothing
  /// else. An element's bits depend neither on the number of rows nor on that of threads.
  package func multiply(
    _ x: UnsafePointer<Float>, rows: Int, stride: Int? = nil, into out: UnsafeMutablePointer<Float>,
    outStride: Int? = nil, bias: UnsafePointer<Float>? = nil, activation: Activation? = nil,
    scale: UnsafePointer<Float>? = nil, residual: UnsafePointer<Float>? = nil, residualStride: Int? = nil,
    rectified: Bool = false, team: WorkTeam
  ) {
    let function: ck_activation =
      switch activation {
      case .quickGELU: CK_QUICK_GELU
      case .gelu: CK_GELU
      case .geluTanh: CK_GELU_TANH
      case nil: rectified ? CK_RELU : CK_IDENTITY
      }
    precondition(activation == nil || !rectified, "a product ends with one function")
    let storage: ck_storage =
      switch dtype {
      case .f16: CK_F16
      case .bf16: CK_BF16
      default: CK_F32
      }
    var product = ck_product(
      x: x, rows: rows, x_stride: stride ?? inputs, inputs: inputs, panels: panels.start, storage: storage,
      outputs: outputs, bias: bias, activation: function, scale: scale, residual: residual,
      residual_stride: residualStride ?? outputs, out: out, out_stride: outStride ?? outputs)
    let parts = ck_product_parts(&product, ProductKernels.panelWidth)
    withUnsafePointer(to: &product) { product in
      team.run(parts) { ProductKernels.table.multiply(product, $0) }
    }
  }
}

extension Attention {
  /// Numbers of workspace for one head of so many keys, a multiple of what a line of the cache holds.
  func workspace(keys: Int) -> Int {
    (ck_attention_workspace(keys, headWidth, ProductKernels.panelWidth) + 15) & ~15
  }

  /// One head of one sequence.
  func attend(
    _ operands: Operands, head: Int, of sequence: Sequence, workspace: UnsafeMutablePointer<Float>
  ) {
    let column = head * headWidth
    var attention = ck_attention(
      q: operands.q + sequence.queries.lowerBound * operands.qStride + column,
      k: operands.k + sequence.keys.lowerBound * operands.kStride + column,
      v: operands.v + sequence.keys.lowerBound * operands.vStride + column,
      out: operands.out + sequence.queries.lowerBound * operands.outStride + column,
      q_stride: operands.qStride, k_stride: operands.kStride, v_stride: operands.vStride,
      out_stride: operands.outStride, queries: sequence.queries.count, keys: sequence.keys.count, width: headWidth,
      scale: scale, first_visible: isCausal ? sequence.firstPosition + 1 : sequence.keys.count)
    ProductKernels.table.attend(&attention, workspace)
  }
}
