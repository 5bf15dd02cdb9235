import CKernels
import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// Packed matrices of every type and form, against products of their weights as f32.
@Suite struct PackedMatrixTests {
  private let teams = [1, 2, 3, 8].map(WorkTeam.init)

  private func tensor(_ values: [Float], _ shape: [Int]) throws -> Tensor {
    try Tensor(dtype: .f32, shape: shape, bytes: Bytes(values.withUnsafeBytes(Array.init)))
  }

  private func floats(_ tensor: Tensor) throws -> [Float] {
    try tensor.cast(to: .f32).bytes.load().withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  private func multiply(_ matrix: PackedMatrix, _ x: [Float], rows: Int, team: WorkTeam) -> [Float] {
    [Float](unsafeUninitializedCapacity: rows * matrix.outputs) { out, count in
      x.withUnsafeBufferPointer { x in
        if let x = x.baseAddress, let out = out.baseAddress { matrix.multiply(x, rows: rows, into: out, team: team) }
      }
      count = rows * matrix.outputs
    }
  }

  /// Every type against its own values as f32, and the f32 product against f64.
  @Test(arguments: [(1, 1), (64, 64), (65, 17), (130, 300), (7, 600), (200, 1)])
  func everyTypeIsItsValues(_ outputs: Int, _ inputs: Int) throws {
    let values = randomFloats(outputs * inputs, seed: 3)
    let x = randomFloats(13 * inputs, seed: 4)
    let original = try tensor(values, [outputs, inputs])
    for dtype in [DType.f32, .f16, .bf16, .f64] {
      let stored = try original.cast(to: dtype)
      var product = TestProduct(rows: 13, outputs: outputs, inputs: inputs)
      (product.x, product.weights) = (x, try floats(stored))
      let result = multiply(try PackedMatrix(stored), x, rows: 13, team: teams[0])
      #expect(bits(result) == bits(product.result(.scalar)), "\(dtype)")
    }
  }

  @Test func blocksAreWidened() throws {
    let stored = try tensor(randomFloats(70 * 96, seed: 5), [70, 96]).cast(to: .q8_0)
    var product = TestProduct(rows: 4, outputs: 70, inputs: 96)
    product.weights = try floats(stored)
    #expect(
      bits(multiply(try PackedMatrix(stored), product.x, rows: 4, team: teams[0])) == bits(product.result(.scalar)))
  }

  @Test(arguments: [DType.f32, .f16]) func transposedAndRowsInMemoryAreTheSame(_ dtype: DType) throws {
    let (outputs, inputs) = (77, 130)
    let stored = try tensor(randomFloats(outputs * inputs, seed: 6), [outputs, inputs]).cast(to: dtype)
    let values = try floats(stored)
    let turned = (0..<inputs).flatMap { input in (0..<outputs).map { values[$0 * inputs + input] } }
    let x = randomFloats(9 * inputs, seed: 7)
    let expected = bits(multiply(try PackedMatrix(stored), x, rows: 9, team: teams[0]))
    let transposed = try PackedMatrix(tensor(turned, [inputs, outputs]).cast(to: dtype), transposed: true)
    #expect(transposed.outputs == outputs && transposed.inputs == inputs)
    #expect(bits(multiply(transposed, x, rows: 9, team: teams[0])) == expected)
    let inMemory = try PackedMatrix(outputs: outputs, inputs: inputs, rows: values)
    #expect(bits(multiply(inMemory, x, rows: 9, team: teams[0])) == expected)
    let convolution = try PackedMatrix(stored.reshaped([outputs, 13, 2, 5]))
    #expect(bits(multiply(convolution, x, rows: 9, team: teams[0])) == expected)
  }

  @Test func threadsDoNotMatter() throws {
    for rows in [1, 12, 50, 201] {
      let matrix = try PackedMatrix(tensor(randomFloats(200 * 300, seed: 8), [200, 300]))
      let x = randomFloats(rows * 300, seed: 9)
      let results = teams.map { bits(multiply(matrix, x, rows: rows, team: $0)) }
      #expect(results.dropFirst().allSatisfy { $0 == results[0] }, "\(rows) rows")
    }
  }

  /// The transformer's pattern: the residual stream is the output.
  @Test func operandsReachTheKernel() throws {
    var product = TestProduct(rows: 50, outputs: 70, inputs: 30)
    product.addOperands()
    let matrix = try PackedMatrix(tensor(product.weights, [70, 30]))
    for (activation, function) in [
      (Activation.quickGELU, CK_QUICK_GELU), (.gelu, CK_GELU), (.geluTanh, CK_GELU_TANH),
    ] {
      product.activation = function
      var out = product.residual!
      out.withUnsafeMutableBufferPointer { out in
        let out = out.baseAddress!
        matrix.multiply(
          product.x, rows: 50, into: out, bias: product.bias!, activation: activation, scale: product.scale!,
          residual: UnsafePointer(out), team: teams[1])
      }
      #expect(bits(out) == bits(product.result(.scalar)))
    }
  }

  @Test func whatIsNoMatrixIsRefused() throws {
    let vector = try tensor(randomFloats(6, seed: 1), [6])
    #expect(throws: FileError.self) { try PackedMatrix(vector) }
    #expect(throws: FileError.self) { try PackedMatrix(vector.reshaped([1, 2, 3]), transposed: true) }
    let empty = try PackedMatrix(tensor([], [0, 5]))
    #expect(empty.outputs == 0 && multiply(empty, randomFloats(5, seed: 1), rows: 1, team: teams[0]).isEmpty)
  }
}
