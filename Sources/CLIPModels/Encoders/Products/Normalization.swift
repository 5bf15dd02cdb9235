/// Layer norm of `rows` rows of `columns` numbers: (x - mean)/√(variance + epsilon) · weight + bias.
///
/// `out` may be `x`. The bits do not depend on the number of threads.
package func layerNorm(
  _ x: UnsafePointer<Float>, rows: Int, columns: Int, weight: UnsafePointer<Float>? = nil,
  bias: UnsafePointer<Float>? = nil, epsilon: Double, into out: UnsafeMutablePointer<Float>, team: WorkTeam
) {
  // Parts that are worth a thread: some microseconds.
  let rowsPerPart = max(1, (8 << 10) / max(1, columns))
  team.run((rows + rowsPerPart - 1) / rowsPerPart) { part in
    let first = part * rowsPerPart
    ProductKernels.layerNorm(
      x + first * columns, rows: min(rowsPerPart, rows - first), columns: columns, weight: weight, bias: bias,
      epsilon: epsilon, into: out + first * columns)
  }
}

/// Divides each row by its Euclidean length, or by 1e-12 if that is larger, as PyTorch's `normalize` does.
package func normalizeRows(_ x: UnsafeMutablePointer<Float>, rows: Int, columns: Int) {
  for row in 0..<rows {
    let values = UnsafeMutableBufferPointer(start: x + row * columns, count: columns)
    let length = Float(values.reduce(into: 0.0) { $0 += Double($1) * Double($1) }.squareRoot())
    for index in values.indices { values[index] /= max(length, 1e-12) }
  }
}
