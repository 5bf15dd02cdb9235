import CKernels
import TestSupport
import Testing

/// The product kernels of one instruction set of this machine.
struct ProductLevel: CustomTestStringConvertible {
  let index: Int32
  var table: ck_product_table { ck_product_kernels(index).pointee }
  var testDescription: String { String(cString: table.name) }

  static let scalar = ProductLevel(index: 0)
  static let all = (0..<ck_level_count()).map(ProductLevel.init)
  static let vector = all.dropFirst()
}

/// `count` numbers of [-1, 1].
func randomFloats(_ count: Int, seed: UInt64) -> [Float] {
  var random = SeededRandom(seed: seed)
  return (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
}

/// What tests compare when they ask for the same bits.
func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

/// A product with everything that it may have, and its result at one level or in f64.
struct TestProduct {
  var rows, outputs, inputs: Int
  var x: [Float]
  var weights: [Float]
  var bias: [Float]?
  var activation = CK_IDENTITY
  var scale: [Float]?
  var residual: [Float]?
  /// What rows are longer than they need to be.
  var padding = 0

  init(rows: Int, outputs: Int, inputs: Int, seed: UInt64 = 1) {
    (self.rows, self.outputs, self.inputs) = (rows, outputs, inputs)
    x = randomFloats(rows * inputs, seed: seed)
    weights = randomFloats(outputs * inputs, seed: seed + 1)
  }

  /// Adds bias, scale and residual.
  mutating func addOperands() {
    bias = randomFloats(outputs, seed: 77)
    scale = randomFloats(outputs, seed: 78)
    residual = randomFloats(rows * outputs, seed: 79)
  }

  private static func spread(_ values: [Float], columns: Int, padding: Int) -> [Float] {
    guard padding > 0, columns > 0 else { return values }
    return stride(from: 0, to: values.count, by: columns).flatMap {
      values[$0..<($0 + columns)] + [Float](repeating: .nan, count: padding)
    }
  }

  /// The result at a level; `inPlace` writes it over the residual.
  func result(_ level: ProductLevel, inPlace: Bool = false) -> [Float] {
    let width = level.table.panel_width
    let panels = (outputs + width - 1) / width
    var packed = [Float](repeating: .nan, count: panels * width * inputs)
    for panel in 0..<panels {
      let first = panel * width
      weights.withUnsafeBufferPointer { weights in
        packed.withUnsafeMutableBufferPointer { packed in
          guard let from = weights.baseAddress, let to = packed.baseAddress else { return }
          level.table.pack(from + first * inputs, inputs, min(width, outputs - first), inputs, 4, to + first * inputs)
        }
      }
    }
    let stride = outputs + padding
    var out = [Float](repeating: 7, count: rows * stride + 16)
    let residual = residual.map { Self.spread($0, columns: outputs, padding: padding) }
    if inPlace, let residual { out.replaceSubrange(..<residual.count, with: residual) }
    let before = out
    run(level, Self.spread(x, columns: inputs, padding: padding), packed, residual, inPlace, stride, &out)
    for index in out.indices where index >= rows * stride || index % stride >= outputs {
      #expect(out[index].bitPattern == before[index].bitPattern, "written beyond the output at \(index)")
    }
    return (0..<rows).flatMap { out[($0 * stride)..<($0 * stride + outputs)] }
  }

  private func run(
    _ level: ProductLevel, _ x: [Float], _ packed: [Float], _ residual: [Float]?, _ inPlace: Bool, _ stride: Int,
    _ out: inout [Float]
  ) {
    // One number more, so that there is an address even for nothing.
    let (x, packed) = (x + [0], packed + [0])
    x.withUnsafeBufferPointer { x in
      packed.withUnsafeBufferPointer { packed in
        withOptional(bias) { bias in
          withOptional(scale) { scale in
            withOptional(residual) { residual in
              out.withUnsafeMutableBufferPointer { out in
                var product = ck_product(
                  x: x.baseAddress!, rows: rows, x_stride: inputs + padding, inputs: inputs,
                  panels: packed.baseAddress!, storage: CK_F32, outputs: outputs, bias: bias, activation: activation,
                  scale: scale, residual: inPlace ? UnsafePointer(out.baseAddress!) : residual,
                  residual_stride: stride, out: out.baseAddress!, out_stride: stride)
                // From the last part to the first: the order must not matter.
                for part in (0..<ck_product_parts(&product, level.table.panel_width)).reversed() {
                  level.table.multiply(&product, part)
                }
              }
            }
          }
        }
      }
    }
  }

  /// The sums in f64, and those of the absolute products, which bound the error.
  func exactSums() -> (sums: [Double], sizes: [Double]) {
    var sums = [Double](repeating: 0, count: rows * outputs)
    var sizes = sums
    x.withUnsafeBufferPointer { x in
      weights.withUnsafeBufferPointer { weights in
        for row in 0..<rows {
          for output in 0..<outputs {
            var sum = 0.0
            var size = 0.0
            for input in 0..<inputs {
              let product = Double(x[row * inputs + input]) * Double(weights[output * inputs + input])
              sum += product
              size += abs(product)
            }
            sums[row * outputs + output] = sum
            sizes[row * outputs + output] = size
          }
        }
      }
    }
    return (sums, sizes)
  }
}

/// Calls `body` with the address of the numbers, or nil if there are none.
func withOptional<Result>(_ values: [Float]?, _ body: (UnsafePointer<Float>?) -> Result) -> Result {
  guard let values else { return body(nil) }
  return values.withUnsafeBufferPointer { body($0.baseAddress) }
}
