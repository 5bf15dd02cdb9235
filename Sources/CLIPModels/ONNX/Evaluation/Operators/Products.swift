import Checkpoints

/// Matrix products.
enum Products {
  /// What a product of two stacks of matrices is made of.
  struct Operands {
    /// Matrices [rows, inputs] and [inputs, columns], and the stack that the result is.
    let rows, inputs, columns: Int
    let batch: [Int]
    /// The result's shape, in which operands of one dimension leave none.
    let shape: [Int]
    private let aBatch, bBatch: [Int]

    init(_ a: [Int], _ b: [Int]) throws(FileError) {
      guard let aLast = a.last, let bFirst = b.count > 1 ? b[b.count - 2] : b.first, aLast == bFirst else {
        throw FileError(.mismatch, "a product of shapes \(a) and \(b)")
      }
      rows = a.count > 1 ? a[a.count - 2] : 1
      inputs = aLast
      columns = b.count > 1 ? b[b.count - 1] : 1
      (aBatch, bBatch) = (Array(a.dropLast(2)), Array(b.dropLast(2)))
      batch = try broadcastShape([aBatch, bBatch])
      shape = batch + (a.count > 1 ? [rows] : []) + (b.count > 1 ? [columns] : [])
    }

    /// Whether one matrix is multiplied with all of the first operand.
    var isSingle: Bool { bBatch.allSatisfy { $0 == 1 } }

    /// For each matrix of the result, which of each operand's it is made of.
    func pairs() -> [(a: Int, b: Int)] {
      let loop = StridedLoop(
        shape: batch, strides: [broadcastStrides(aBatch, to: batch), broadcastStrides(bBatch, to: batch)])
      var result: [(a: Int, b: Int)] = []
      loop.forEachRow(0..<loop.rows) { _, offsets in
        for index in 0..<loop.row {
          result.append((offsets.first + index * loop.step(0), offsets.second + index * loop.step(1)))
        }
      }
      return result
    }

    func charge(_ shop: Workshop) throws(FileError) {
      var work = 1
      for factor in batch + [rows, inputs, columns] {
        let (product, overflow) = work.multipliedReportingOverflow(by: factor)
        work = overflow ? .max : product
      }
      try shop.memory.charge(work)
    }
  }

  static func matMul(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    if call.packed == nil, try ![.f32, .f16, .bf16].contains(call.input(0).dtype) {
      return [try general(call.input(0), call.input(1), call.shop)]
    }
    let a = try call.floats(0)
    if case .matrix(let matrix) = call.packed {
      let operands = try Operands(a.shape, [matrix.inputs, matrix.outputs])
      return [try call.narrowed(single(a, matrix, operands, call.shop))]
    }
    return [try call.narrowed(matMul(a, call.floats(1), call.shop))]
  }

  /// A product of f32.
  static func matMul(_ a: DenseTensor, _ b: DenseTensor, _ shop: Workshop) throws(FileError) -> DenseTensor {
    let operands = try Operands(a.shape, b.shape)
    if operands.isSingle, operands.columns >= SmallProduct.columns, b.count > 0, a.count > 0 {
      let columns = b.reshaped([operands.inputs, operands.columns])
      return try single(a, PackedOperand.packed(columns: columns, shop), operands, shop)
    }
    try operands.charge(shop)
    return try stacked(a, b, operands, shop)
  }

  private static func single(
    _ a: DenseTensor, _ matrix: PackedMatrix, _ operands: Operands, _ shop: Workshop, bias: DenseTensor? = nil
  ) throws(FileError) -> DenseTensor {
    try operands.charge(shop)
    return try shop.make(.f32, operands.shape, as: Float.self) { target in
      a.read(Float.self) { source in
        guard source.count > 0, let from = source.baseAddress, let out = target.baseAddress else { return }
        let rows = source.count / operands.inputs
        guard let bias else {
          return matrix.multiply(from, rows: rows, into: out, team: shop.team)
        }
        bias.read(Float.self) { matrix.multiply(from, rows: rows, into: out, bias: $0.baseAddress, team: shop.team) }
      }
    }
  }

  /// Products of pairs of matrices, each on one thread.
  private static func stacked(
    _ a: DenseTensor, _ b: DenseTensor, _ operands: Operands, _ shop: Workshop
  ) throws(FileError) -> DenseTensor {
    let (rows, inputs, columns) = (operands.rows, operands.inputs, operands.columns)
    let pairs = operands.pairs()
    let isSmall = columns < SmallProduct.columns
    let workers = min(shop.team.threads, max(1, pairs.count))
    let size = isSmall ? 0 : try PackedMatrix.byteCount(outputs: columns, inputs: inputs)
    try shop.memory.admit(size.multipliedReportingOverflow(by: workers).overflow ? .max : size * workers)
    return try shop.make(.f32, operands.shape, as: Float.self) { target in
      guard let out = target.baseAddress, target.count > 0 else { return }
      guard inputs > 0 else { return target.update(repeating: 0) }
      a.read(Float.self) { a in
        b.read(Float.self) { b in
          guard let a = a.baseAddress, let b = b.baseAddress else { return }
          shop.team.run(workers) { worker in
            let memory = PageMemory(count: size)
            for index in stride(from: worker, to: pairs.count, by: workers) {
              let (left, right) = (a + pairs[index].a * rows * inputs, b + pairs[index].b * inputs * columns)
              let out = out + index * rows * columns
              if isSmall {
                SmallProduct.multiply(left, rows: rows, inputs: inputs, right, columns: columns, into: out)
              } else {
                PackedMatrix(outputs: columns, inputs: inputs, columns: right, stride: columns, into: memory)
                  .multiply(left, rows: rows, into: out, team: shop.team)
              }
            }
          }
        }
      }
    }
  }

  // MARK: Other numbers

  /// A product of f64 or of whole numbers.
  static func general(_ a: DenseTensor, _ b: DenseTensor, _ shop: Workshop) throws(FileError) -> DenseTensor {
    guard a.dtype == b.dtype else { throw FileError(.mismatch, "types \(a.dtype) and \(b.dtype)") }
    let operands = try Operands(a.shape, b.shape)
    try operands.charge(shop)
    return try dispatch(a.dtype, General(a: a, b: b, operands: operands, shop: shop))
  }

  private struct General: TypedBody {
    let a, b: DenseTensor
    let operands: Operands
    let shop: Workshop
    func compute<T: Element>(_ type: T.Type) throws(FileError) -> DenseTensor {
      let (rows, inputs, columns) = (operands.rows, operands.inputs, operands.columns)
      return try shop.make(a.dtype, operands.shape, as: T.self) { target in
        target.update(repeating: T(integer: 0))
        guard inputs > 0, target.count > 0 else { return }
        a.read(T.self) { a in
          b.read(T.self) { b in
            for (index, pair) in operands.pairs().enumerated() {
              for row in 0..<rows {
                for input in 0..<inputs {
                  let factor = a[(pair.a * rows + row) * inputs + input]
                  for column in 0..<columns {
                    let place = (index * rows + row) * columns + column
                    target[place] = T.sum(
                      target[place], T.product(factor, b[(pair.b * inputs + input) * columns + column]))
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  /// `Gemm`: alpha·A·B + beta·C, with A and B transposed where asked.
  static func gemm(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    let first = try call.input(0)
    let (alpha, beta) = (try call.float("alpha", default: 1), try call.float("beta", default: 1))
    let isTransposed = try call.flag("transB")
    guard first.shape.count == 2 else { throw FileError(.mismatch, "shape \(first.shape) is no matrix") }
    guard [.f32, .f16, .bf16].contains(first.dtype) else { return [try generalGemm(call, alpha, beta)] }
    var a = try call.floats(0)
    if try call.flag("transA") { a = try Movement.transposed(a, [1, 0], call.shop) }
    var bias = try call.optionalFloats(2)
    var result: DenseTensor
    var matrix: PackedMatrix?
    if case .matrix(let packed) = call.packed { matrix = packed }
    if matrix == nil {
      let b = try call.floats(1)
      guard b.shape.count == 2 else { throw FileError(.mismatch, "shape \(b.shape) is no matrix") }
      let outputs = b.shape[isTransposed ? 0 : 1]
      if isTransposed, outputs >= SmallProduct.columns, b.count > 0, a.count > 0 {
        matrix = try PackedOperand.packed(rows: b, outputs: outputs, call.shop)
      }
    }
    if let matrix {
      let operands = try Operands(a.shape, [matrix.inputs, matrix.outputs])
      let isRow = bias?.shape == [matrix.outputs] || bias?.shape == [1, matrix.outputs]
      let isFused = alpha == 1 && beta == 1 && isRow && matrix.inputs > 0
      result = try single(a, matrix, operands, call.shop, bias: isFused ? bias : nil)
      if isFused { bias = nil }
    } else {
      let b = try call.floats(1)
      result = try matMul(a, isTransposed ? Movement.transposed(b, [1, 0], call.shop) : b, call.shop)
    }
    if alpha != 1 { result = try scaled(result, alpha, call.shop) }
    if let bias { result = try added(result, beta == 1 ? bias : scaled(bias, beta, call.shop), call.shop) }
    return [try call.narrowed(result)]
  }

  private static func generalGemm(_ call: NodeCall, _ alpha: Float, _ beta: Float) throws(FileError) -> DenseTensor {
    var (a, b) = (try call.input(0), try call.input(1))
    guard b.shape.count == 2 else { throw FileError(.mismatch, "shape \(b.shape) is no matrix") }
    if try call.flag("transA") { a = try Movement.transposed(a, [1, 0], call.shop) }
    if try call.flag("transB") { b = try Movement.transposed(b, [1, 0], call.shop) }
    func scaled(_ tensor: DenseTensor, _ factor: Float) throws(FileError) -> DenseTensor {
      guard factor != 1 else { return tensor }
      let number = try convert(call.shop.make(.f32, [], [factor]), to: tensor.dtype, call.shop)
      return try Arithmetic.multiply.combine(tensor, number, call.shop)
    }
    let product = try scaled(general(a, b, call.shop), alpha)
    guard let c = call.optional(2) else { return product }
    return try added(product, scaled(c, beta), call.shop)
  }

  private static func scaled(_ tensor: DenseTensor, _ factor: Float, _ shop: Workshop) throws(FileError) -> DenseTensor
  {
    try shop.map(tensor, as: Float.self, into: .f32, as: Float.self) { $0 * factor }
  }

  /// The sum, which has the shape of the product.
  private static func added(_ product: DenseTensor, _ other: DenseTensor, _ shop: Workshop) throws(FileError)
    -> DenseTensor
  {
    guard try broadcastShape([product.shape, other.shape]) == product.shape else {
      throw FileError(.mismatch, "shape \(other.shape) beside a product of \(product.shape)")
    }
    return try Arithmetic.add.combine(product, other, shop)
  }

  // MARK: Whole numbers of 8 bits

  /// `MatMulInteger`: a product of u8 or i8 less their zero points, as i32.
  static func matMulInteger(_ call: NodeCall) throws(FileError) -> [DenseTensor] {
    [try integerProduct(call, a: 0, aZero: 2, b: 1, bZero: 3)]
  }

  static func integerProduct(
    _ call: NodeCall, a: Int, aZero: Int, b: Int, bZero: Int
  ) throws(FileError) -> DenseTensor {
    let left = try call.input(a)
    var zero = call.optional(aZero)
    // A zero point for each row.
    if let rows = zero, rows.count > 1 { zero = rows.shape.count == 1 ? rows.reshaped([rows.count, 1]) : rows }
    let x = try WholeMatrix.centred(left, zero, call.shop)
    if case .whole(let matrices) = call.packed {
      let operands = try Operands(x.shape, [matrices[0].inputs, matrices[0].outputs])
      return try integerProduct(x, matrices, operands, [Int](repeating: 0, count: 1), call.shop)
    }
    let right = try call.input(b)
    let operands = try Operands(x.shape, right.shape)
    var bZeros = call.optional(bZero)
    if let zeros = bZeros, zeros.count == 1 { bZeros = zeros.reshaped([1]) }
    let inputs = operands.inputs, columns = operands.columns
    guard right.count > 0, left.count > 0 else {
      return try call.shop.make(.i32, operands.shape, as: Int32.self) { $0.update(repeating: 0) }
    }
    let stack = right.reshaped([right.count / (inputs * columns), inputs, columns])
    var matrices: [WholeMatrix] = []
    for index in 0..<stack.shape[0] {
      let matrix = try call.shop.gathered(
        stack, shape: [inputs, columns], offset: index * inputs * columns, strides: [columns, 1])
      // Zero points of a stack are a stack of rows.
      var zero = bZeros
      if let zeros = zero, zeros.shape.count > 2 {
        guard zeros.count == stack.shape[0] * columns else { throw FileError(.mismatch, "zero points \(zeros.shape)") }
        zero = try call.shop.gathered(zeros, shape: [columns], offset: index * columns, strides: [1])
      }
      matrices.append(try WholeMatrix(columns: matrix, zero: zero, call.shop))
    }
    return try integerProduct(x, matrices, operands, operands.pairs().map(\.b), call.shop)
  }

  private static func integerProduct(
    _ x: DenseTensor, _ matrices: [WholeMatrix], _ operands: Operands, _ choice: [Int], _ shop: Workshop
  ) throws(FileError) -> DenseTensor {
    try operands.charge(shop)
    let (inputs, columns) = (operands.inputs, operands.columns)
    // One matrix takes all rows at once.
    let isSingle = matrices.count == 1 && operands.shape.reduce(1, *) == x.count / max(1, inputs) * columns
    let rows = isSingle ? x.count / inputs : operands.rows
    let pairs = isSingle ? [(a: 0, b: 0)] : operands.pairs()
    let partial = try shop.memory.storage(rows * columns * 4)
    defer { withExtendedLifetime(partial) {} }
    return try shop.make(.i32, operands.shape, as: Int32.self) { target in
      x.read(Float.self) { source in
        guard let from = source.baseAddress, let out = target.baseAddress, target.count > 0 else { return }
        for (index, pair) in pairs.enumerated() {
          matrices[isSingle ? 0 : choice[index]].multiply(
            from + pair.a * rows * inputs, rows: rows, stride: inputs, into: out + index * rows * columns,
            partial: partial.start.assumingMemoryBound(to: Float.self), team: shop.team)
        }
      }
    }
  }
}
