package import Checkpoints

/// A constant matrix [outputs, inputs], packed once for products with activations on the left: y = x · Wᵀ.
///
/// Stored in its own type if that is f32, f16 or bf16 (16-bit weights are widened on the way into a product, whose
/// result is that of the widened matrix), and as f32 otherwise.
package struct PackedMatrix: Sendable {
  package let outputs: Int
  package let inputs: Int
  /// The type of the stored weights.
  let dtype: DType
  /// Panels of `ProductKernels.panelWidth` outputs, in each all outputs of the first input, then of the second …
  let panels: PageMemory

  private static var width: Int { ProductKernels.panelWidth }

  private init(outputs: Int, inputs: Int, dtype: DType) throws(FileError) {
    let size = try Self.byteCount(outputs: outputs, inputs: inputs, dtype: dtype)
    self.outputs = outputs
    self.inputs = inputs
    self.dtype = dtype
    panels = PageMemory(count: size)
  }

  /// The memory of a packed matrix: whole panels.
  package static func byteCount(outputs: Int, inputs: Int, dtype: DType = .f32) throws(FileError) -> Int {
    let (padded, overflow) = outputs.addingReportingOverflow(Self.width - 1)
    let (count, tooMany) = (padded / Self.width * Self.width).multipliedReportingOverflow(by: inputs)
    let (size, tooLarge) = count.multipliedReportingOverflow(by: dtype.blockBytes)
    guard !overflow, !tooMany, !tooLarge else {
      throw FileError(.unsupported, "a matrix of \(outputs) × \(inputs) weights")
    }
    return size
  }

  /// Packs a tensor [outputs, inputs …], whose further dimensions count as one, or [inputs, outputs] if `transposed`.
  ///
  /// The tensor is read in order, in chunks of `panelWidth` rows, on this thread: to be called for many at once.
  package init(_ tensor: Tensor, transposed: Bool = false) throws(FileError) {
    guard let rows = tensor.shape.first, tensor.shape.count > 1, tensor.shape.count == 2 || !transposed else {
      throw FileError(.mismatch, "expected a matrix, found shape \(tensor.shape)")
    }
    let isStored = [.f32, .f16, .bf16].contains(tensor.dtype)
    let numbers = isStored ? tensor : try tensor.cast(to: .f32)
    let columns = tensor.shape.dropFirst().reduce(1, *)
    try self.init(
      outputs: transposed ? columns : rows, inputs: transposed ? rows : columns, dtype: numbers.dtype)
    if transposed {
      try packTransposed(numbers.bytes)
    } else {
      try pack(numbers.bytes)
    }
  }

  /// Packs f32 rows in memory, [outputs, inputs].
  package init(outputs: Int, inputs: Int, rows: UnsafePointer<Float>) throws(FileError) {
    try self.init(outputs: outputs, inputs: inputs, dtype: .f32)
    for output in stride(from: 0, to: outputs, by: Self.width) {
      pack(UnsafeRawPointer(rows + output * inputs), from: output)
    }
  }

  /// Packs f32 columns in memory, [inputs, outputs], whose rows begin `stride` numbers apart, into memory that is at
  /// least `byteCount` large and used for nothing else meanwhile.
  init(outputs: Int, inputs: Int, columns: UnsafePointer<Float>, stride: Int, into memory: PageMemory) {
    (self.outputs, self.inputs, dtype, panels) = (outputs, inputs, .f32, memory)
    let width = Self.width
    let target = panels.start.assumingMemoryBound(to: Float.self)
    for output in Swift.stride(from: 0, to: outputs, by: width) {
      let count = min(width, outputs - output)
      for input in 0..<inputs {
        (target + output * inputs + input * width).update(from: columns + input * stride + output, count: count)
      }
    }
  }

  private var size: Int { dtype.blockBytes }

  /// Packs the panel that begins with `output`.
  private func pack(_ rows: UnsafeRawPointer, from output: Int) {
    ProductKernels.pack(
      rows, outputs: min(Self.width, outputs - output), inputs: inputs, size: size,
      into: panels.start + output * inputs * size)
  }

  private func pack(_ bytes: Bytes) throws(FileError) {
    var output = 0
    guard bytes.count > 0 else { return }
    try bytes.forEachChunk(of: Self.width * inputs * size) { (chunk) throws(FileError) in
      guard let rows = chunk.baseAddress else { return }
      pack(rows, from: output)
      output += Self.width
    }
  }

  private func packTransposed(_ bytes: Bytes) throws(FileError) {
    var input = 0
    let row = outputs * size
    guard bytes.count > 0 else { return }
    try bytes.forEachChunk(of: max(1, (256 << 10) / row) * row) { (chunk) throws(FileError) in
      for start in stride(from: 0, to: chunk.count, by: row) {
        for output in stride(from: 0, to: outputs, by: Self.width) {
          let first = start + output * size
          let count = min(Self.width, outputs - output) * size
          let target = panels.start + (output * inputs + input * Self.width) * size
          UnsafeMutableRawBufferPointer(start: target, count: count)
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: chunk[first..<(first + count)]))
        }
        input += 1
      }
    }
  }
}
