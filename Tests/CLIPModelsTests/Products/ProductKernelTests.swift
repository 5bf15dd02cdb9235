import CKernels
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Products, their bounds in f64, and that every level gives the bits of the scalar reference.
@Suite struct ProductKernelTests {
  private static let inputCounts = [0, 1, 2, 15, 16, 17, 31, 33, 64, 65, 127, 130, 255, 256, 257, 512, 600]

  @Test(arguments: ProductLevel.all) func sumsAreWithinTheirBound(_ level: ProductLevel) {
    for (rows, outputs, inputs) in [(7, 70, 600), (13, 65, 256), (1, 130, 257), (50, 16, 64), (3, 1, 3000)] {
      let product = TestProduct(rows: rows, outputs: outputs, inputs: inputs)
      let (sums, sizes) = product.exactSums()
      // One rounding an input of a block, and one a block.
      let roundings = Double(min(inputs, 256) + (inputs + 255) / 256)
      let isWithin = product.result(level).enumerated().allSatisfy { index, value in
        abs(Double(value) - sums[index]) <= roundings * 0x1p-24 * sizes[index]
      }
      #expect(isWithin, "\(rows) × \(outputs) × \(inputs)")
    }
  }

  @Test(arguments: ProductLevel.vector) func everyRemainderAgrees(_ level: ProductLevel) {
    for rows in 0...20 {
      for (index, inputs) in Self.inputCounts.enumerated() {
        let outputs = 1 + (rows * 37 + index * 11) % 130
        let product = TestProduct(rows: rows, outputs: outputs, inputs: inputs, seed: UInt64(rows))
        #expect(bits(product.result(level)) == bits(product.result(.scalar)), "\(rows) × \(outputs) × \(inputs)")
      }
    }
    for outputs in 0...130 {
      let product = TestProduct(rows: 3, outputs: outputs, inputs: 19)
      #expect(bits(product.result(level)) == bits(product.result(.scalar)), "\(outputs) outputs")
    }
    for rows in [95, 96, 97, 130, 191, 193, 300] {
      let product = TestProduct(rows: rows, outputs: 17, inputs: 20)
      #expect(bits(product.result(level)) == bits(product.result(.scalar)), "\(rows) rows")
    }
  }

  @Test(arguments: ProductLevel.vector) func operandsAgree(_ level: ProductLevel) {
    for activation in [CK_IDENTITY, CK_QUICK_GELU, CK_GELU, CK_GELU_TANH, CK_RELU] {
      for choice in 0..<8 {
        for (rows, outputs, inputs, padding) in [(7, 70, 300, 0), (13, 21, 7, 5), (2, 128, 16, 64)] {
          var product = TestProduct(rows: rows, outputs: outputs, inputs: inputs)
          product.addOperands()
          product.padding = padding
          product.activation = activation
          if choice & 1 == 0 { product.bias = nil }
          if choice & 2 == 0 { product.scale = nil }
          if choice & 4 == 0 { product.residual = nil }
          let expected = product.result(.scalar)
          #expect(bits(product.result(level)) == bits(expected), "\(activation) \(choice) \(rows)")
          guard product.residual != nil else { continue }
          #expect(bits(product.result(level, inPlace: true)) == bits(expected), "\(activation) \(choice) in place")
        }
      }
    }
  }

  /// Each operand against the definition, so that the reference is right too.
  @Test func referenceFollowsTheDefinition() {
    var product = TestProduct(rows: 5, outputs: 9, inputs: 3)
    product.addOperands()
    let sums = product.exactSums().sums
    for (activation, function) in [
      (CK_IDENTITY, { $0 }), (CK_QUICK_GELU, quickGELU), (CK_GELU, gelu), (CK_GELU_TANH, geluTanh),
    ] as [(ck_activation, (Double) -> Double)] {
      product.activation = activation
      for (index, value) in product.result(.scalar).enumerated() {
        let output = index % 9
        let y = function(sums[index] + Double(product.bias![output])) * Double(product.scale![output])
        #expect(abs(Double(value) - y - Double(product.residual![index])) < 1e-6)
      }
    }
    product.activation = CK_RELU
    let rectified = product.result(.scalar)
    product.activation = CK_IDENTITY
    #expect(rectified == product.result(.scalar).map { max(0, $0) } && rectified.contains(0))
  }

  /// A row's bits are the same alone and among others.
  @Test(arguments: ProductLevel.all) func rowsAreIndependent(_ level: ProductLevel) {
    var many = TestProduct(rows: 110, outputs: 70, inputs: 520)
    let all = many.result(level)
    let x = many.x
    for rows in [1, 2, 3, 4, 5, 6, 7, 11, 64, 100] {
      many.rows = rows
      many.x = Array(x.suffix(rows * 520))
      #expect(bits(many.result(level)) == bits(all.suffix(rows * 70)), "\(rows) rows")
    }
  }

  /// Infinities, NaN, huge and subnormal numbers give what the reference gives; all NaN are the same.
  @Test(arguments: ProductLevel.vector) func extremesAgree(_ level: ProductLevel) {
    let extremes: [Float] = [
      .infinity, -.infinity, .nan, 3e38, -3e38, .leastNonzeroMagnitude, -.leastNormalMagnitude / 4, 0, -0.0, 88.7, -104,
      1,
    ]
    for activation in [CK_IDENTITY, CK_QUICK_GELU, CK_GELU, CK_GELU_TANH, CK_RELU] {
      var product = TestProduct(rows: 12, outputs: 12, inputs: 1)
      (product.x, product.weights, product.activation) = (extremes, extremes, activation)
      let pairs = zip(product.result(level), product.result(.scalar))
      #expect(pairs.allSatisfy { ($0.isNaN && $1.isNaN) || $0.bitPattern == $1.bitPattern }, "\(activation)")
    }
  }

  // The activations in f64.
  private func quickGELU(_ y: Double) -> Double { y / (1 + exp(-1.702 * y)) }
  private func gelu(_ y: Double) -> Double { y * 0.5 * erfc(-y * 0.5.squareRoot()) }
  private func geluTanh(_ y: Double) -> Double {
    y / (1 + exp(-2 * (2 / Double.pi).squareRoot() * (y + 0.044715 * y * y * y)))
  }

  /// The functions from -12 to 12, and far out, within the bounds that the header states.
  @Test(arguments: ProductLevel.all) func activationsAreAccurate(_ level: ProductLevel) {
    var product = TestProduct(rows: 24_100, outputs: 1, inputs: 1)
    product.x = (0..<24_001).map { Float($0 - 12_000) / 1000 } + (0..<99).map { Float($0 - 49) * 7 }
    product.weights = [1]
    for (activation, function, bound) in [
      (CK_QUICK_GELU, quickGELU, { y, f in abs(f) * (6 + abs(1.702 * y)) * 0x1p-24 }),
      (CK_GELU, gelu, { y, f in y > -1 ? 3 * abs(f) * 0x1p-23 : 4e-8 }),
      (CK_GELU_TANH, geluTanh, { y, f in abs(f) * (8 + 6 * abs(y + 0.044715 * y * y * y)) * 0x1p-24 }),
    ] as [(ck_activation, (Double) -> Double, (Double, Double) -> Double)] {
      product.activation = activation
      let wrong = zip(product.x, product.result(level)).filter { x, value in
        let expected = function(Double(x))
        return abs(Double(value) - expected) > bound(Double(x), expected) + 1e-36
      }
      #expect(wrong.isEmpty, "\(activation): \(wrong.prefix(3)) of \(wrong.count)")
    }
  }
}
