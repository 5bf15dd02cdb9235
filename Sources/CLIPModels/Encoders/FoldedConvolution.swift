import Checkpoints

/// A convolution with the batch norm after it computed in, in f64.
struct FoldedConvolution {
  /// `[outputs, inputs, k, k]`.
  let shape: [Int]
  /// The kernel, as a file has it.
  let kernel: [Float]
  let bias: [Float]

  init(_ source: NamedTensor, norm: BatchNorm<NamedTensor>) throws(FileError) {
    shape = source.tensor.shape
    let outputs = shape[0]
    let (weight, shift) = (try norm.weight.tensor.floats(), try norm.bias.tensor.floats())
    let (mean, variance) = (try norm.mean.tensor.floats(), try norm.variance.tensor.floats())
    guard [weight, shift, mean, variance].allSatisfy({ $0.count == outputs }) else {
      throw FileError(.mismatch, "a batch norm that is not \(outputs) wide", tensor: norm.weight.name)
    }
    var kernel = try source.tensor.floats()
    var bias = [Float](repeating: 0, count: outputs)
    let size = kernel.count / max(1, outputs)
    for output in 0..<outputs {
      let factor = Double(weight[output]) / (Double(variance[output]) + BatchNorm<Int>.epsilon).squareRoot()
      bias[output] = Float(Double(shift[output]) - Double(mean[output]) * factor)
      for index in output * size..<(output + 1) * size { kernel[index] = Float(Double(kernel[index]) * factor) }
    }
    (self.kernel, self.bias) = (kernel, bias)
  }
}
