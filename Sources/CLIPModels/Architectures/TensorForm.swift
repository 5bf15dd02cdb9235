import Checkpoints

/// How a tensor of a file relates to the canonical tensor.
package enum TensorForm: Sendable, Equatable {
  /// The same.
  case same
  /// The matrix with rows and columns exchanged.
  case transposed
  /// The same with this many leading dimensions of size 1 in the file.
  case leadingOnes(Int)
  /// One of several row parts; `of` lists the parts' relative sizes.
  case rows(part: Int, of: [Int])
  /// Flax: a kernel of any rank whose last `outputs` dimensions are outputs, as a matrix `[out, in]`.
  case flaxKernel(outputs: Int)
  /// Flax: one of several kernels `[in, heads, width]`, as rows of a fused matrix.
  case flaxKernelRows(part: Int, of: [Int])
  /// Flax: one of several biases `[heads, width]`, as rows of a fused bias.
  case flaxBiasRows(part: Int, of: [Int])
  /// Flax: a convolution `[height, width, in, out]` as `[out, in, height, width]`.
  case flaxConvolution

  /// Which part of how many this is; nil when the file's tensor is the whole.
  package var part: (index: Int, sizes: [Int])? {
    switch self {
    case .rows(let part, let sizes), .flaxKernelRows(let part, let sizes), .flaxBiasRows(let part, let sizes):
      (part, sizes)
    default: nil
    }
  }

  /// The canonical tensor, or the part of it that the file's tensor is.
  func canonical(_ tensor: Tensor) throws(FileError) -> Tensor {
    switch self {
    case .same: return tensor
    case .rows: return tensor
    case .transposed: return try plain(tensor).transposed()
    case .leadingOnes(let count):
      // Libraries differ in whether a scalar is [] or [1]; either is read.
      let ones = tensor.shape.prefix(count).prefix { $0 == 1 }.count
      return try tensor.reshaped(Array(tensor.shape.dropFirst(ones)))
    case .flaxKernel(let outputs): return try matrix(tensor, outputs: outputs)
    case .flaxKernelRows: return try matrix(tensor, outputs: max(1, tensor.shape.count - 1))
    case .flaxBiasRows: return try tensor.reshaped([tensor.count])
    case .flaxConvolution:
      guard tensor.shape.count == 4 else { throw FileError(.mismatch, "shape \(tensor.shape), expected 4 dimensions") }
      let (height, width, input, output) = (tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3])
      return try strided(
        tensor, shape: [output, input, height, width], strides: [1, output, width * input * output, input * output])
    }
  }

  /// The file's tensor from the canonical one, or from the part of it that belongs to this form.
  func file(_ tensor: Tensor) throws(FileError) -> Tensor {
    switch self {
    case .same: return tensor
    case .transposed: return try plain(tensor).transposed()
    case .leadingOnes(let count): return try tensor.reshaped([Int](repeating: 1, count: count) + tensor.shape)
    case .rows(let part, let sizes):
      let total = sizes.reduce(0, +)
      guard let rows = tensor.shape.first, rows % total == 0 else {
        throw FileError(.mismatch, "\(tensor.shape.first ?? 0) rows do not divide into \(total)")
      }
      let start = rows / total * sizes.prefix(part).reduce(0, +)
      return try tensor.rows(start..<(start + rows / total * sizes[part]))
    case .flaxKernel, .flaxKernelRows, .flaxBiasRows, .flaxConvolution:
      throw FileError(.unsupported, "this dialect is not written")
    }
  }

  /// Blocks run along rows; a matrix stored in them is unpacked before its rows become columns.
  private func plain(_ tensor: Tensor) throws(FileError) -> Tensor {
    tensor.dtype.isBlock ? try tensor.cast(to: .f32) : tensor
  }

  private func matrix(_ tensor: Tensor, outputs: Int) throws(FileError) -> Tensor {
    guard tensor.shape.count > outputs else {
      throw FileError(.mismatch, "shape \(tensor.shape), expected more than \(outputs) dimensions")
    }
    let columns = tensor.shape.suffix(outputs).reduce(1, *)
    let rows = tensor.shape.dropLast(outputs).reduce(1, *)
    return try tensor.reshaped([rows, columns]).transposed()
  }

  private func strided(_ tensor: Tensor, shape: [Int], strides: [Int]) throws(FileError) -> Tensor {
    let view = try StridedBytes(
      tensor.bytes, elementSize: tensor.dtype.blockBytes, shape: shape, strides: strides)
    return try Tensor(dtype: tensor.dtype, shape: shape, bytes: Bytes(view))
  }
}
