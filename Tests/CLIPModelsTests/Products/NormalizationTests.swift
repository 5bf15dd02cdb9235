import CKernels
import CLIPModels
import Testing

/// Layer norms and unit rows against f64, at every level and number of threads.
@Suite struct NormalizationTests {
  private func exact(_ row: [Float], _ weight: [Float]?, _ bias: [Float]?, epsilon: Double) -> [Double] {
    let mean = row.reduce(0) { $0 + Double($1) } / Double(row.count)
    let variance = row.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(row.count)
    return row.indices.map { index in
      let y = (Double(row[index]) - mean) / (variance + epsilon).squareRoot()
      return y * Double(weight?[index] ?? 1) + Double(bias?[index] ?? 0)
    }
  }

  private func result(
    _ level: ProductLevel, _ x: [Float], rows: Int, columns: Int, weight: [Float]?, bias: [Float]?, epsilon: Double
  ) -> [Float] {
    var out = x + [7]
    out.withUnsafeMutableBufferPointer { out in
      withOptional(weight) { weight in
        withOptional(bias) { bias in
          let out = out.baseAddress!
          level.table.layer_norm(UnsafePointer(out), columns, rows, columns, weight, bias, epsilon, out, columns)
        }
      }
    }
    #expect(out.last == 7)
    return out.dropLast()
  }

  @Test(arguments: ProductLevel.all) func layerNormFollowsTheDefinition(_ level: ProductLevel) {
    for columns in Array(1...130) + [512, 768, 1000] {
      let (weight, bias) = (randomFloats(columns, seed: 1), randomFloats(columns, seed: 2))
      // A mean far from zero, as large activations have it.
      let x = randomFloats(2 * columns, seed: 3).map { $0 + 50 }
      for (weight, bias) in [(weight, bias), (weight, nil), (nil, nil)] as [([Float]?, [Float]?)] {
        let found = result(level, x, rows: 2, columns: columns, weight: weight, bias: bias, epsilon: 1e-5)
        let expected = [Array(x.prefix(columns)), Array(x.suffix(columns))].flatMap {
          exact($0, weight, bias, epsilon: 1e-5)
        }
        let worst = zip(found, expected).map { abs(Double($0) - $1) / max(1, abs($1)) }.max() ?? 0
        #expect(worst <= 4 * 0x1p-24, "\(columns) columns")
        let reference = result(.scalar, x, rows: 2, columns: columns, weight: weight, bias: bias, epsilon: 1e-5)
        #expect(bits(found) == bits(reference), "\(columns) columns")
      }
    }
  }

  @Test(arguments: ProductLevel.all) func extremesOfLayerNorm(_ level: ProductLevel) {
    let constant = [Float](repeating: 3e30, count: 100)
    #expect(
      result(level, constant, rows: 1, columns: 100, weight: nil, bias: nil, epsilon: 1e-6).allSatisfy { $0 == 0 })
    let huge = (0..<100).map { Float($0 % 2 == 0 ? 1e37 : -1e37) }
    let norms = result(level, huge, rows: 1, columns: 100, weight: nil, bias: nil, epsilon: 0)
    #expect(norms.enumerated().allSatisfy { abs($1 - ($0 % 2 == 0 ? 1 : -1)) < 1e-6 })
    let nan = result(level, [.nan] + constant, rows: 1, columns: 101, weight: nil, bias: nil, epsilon: 1e-6)
    #expect(nan.allSatisfy { $0.isNaN })
  }

  @Test func threadsDoNotMatter() {
    let x = randomFloats(90 * 768, seed: 4)
    let results = [1, 2, 3, 8].map { threads in
      [Float](unsafeUninitializedCapacity: x.count) { out, count in
        layerNorm(x, rows: 90, columns: 768, epsilon: 1e-5, into: out.baseAddress!, team: WorkTeam(threads: threads))
        count = x.count
      }
    }
    #expect(results.allSatisfy { bits($0) == bits(results[0]) })
    let scalar = result(.scalar, x, rows: 90, columns: 768, weight: nil, bias: nil, epsilon: 1e-5)
    #expect(bits(results[0]) == bits(scalar))
  }

  @Test func rowsGetUnitLength() {
    var rows =
      randomFloats(3 * 100, seed: 5) + [Float](repeating: 0, count: 100) + [Float](repeating: 1e-30, count: 100)
    rows.replaceSubrange(0..<100, with: rows[0..<100].map { $0 * 1e30 })
    let before = rows
    rows.withUnsafeMutableBufferPointer { normalizeRows($0.baseAddress!, rows: 5, columns: 100) }
    for row in 0..<5 {
      let range = (row * 100)..<(row * 100 + 100)
      let length = before[range].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      for index in range {
        #expect(abs(Double(rows[index]) - Double(before[index]) / max(length, 1e-12)) <= 0x1p-23)
      }
    }
  }
}
