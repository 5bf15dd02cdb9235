import CKernels
import CLIPModels
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Attention against f64, against the scalar reference, and its independence of everything but its sequence.
@Suite struct AttentionTests {
  /// Fused rows of q, k and v, and what is asked of them.
  private struct Case {
    var queries: Range<Int>
    var keys: Int
    var heads = 1
    var headWidth: Int
    var isCausal = false
    var seed: UInt64 = 5

    var width: Int { heads * headWidth }
    var qkv: [Float] { randomFloats(keys * 3 * width, seed: seed).map { $0 * 3 } }
    var scale: Float { 1 / Float(headWidth).squareRoot() }

    /// One head in f64, [queries, headWidth].
    func exact(head: Int) -> [Double] {
      let qkv = qkv
      func at(_ part: Int, _ row: Int, _ column: Int) -> Double {
        Double(qkv[row * 3 * width + part * width + head * headWidth + column])
      }
      return queries.flatMap { query -> [Double] in
        let visible = isCausal ? query + 1 : keys
        let scores = (0..<visible).map { key in
          (0..<headWidth).reduce(0.0) { $0 + at(0, query, $1) * at(1, key, $1) } * Double(scale)
        }
        let highest = scores.max() ?? 0
        let powers = scores.map { exp($0 - highest) }
        let sum = powers.reduce(0, +)
        return (0..<headWidth).map { column in
          (0..<visible).reduce(0.0) { $0 + powers[$1] * at(2, $1, column) } / sum
        }
      }
    }

    /// One head at a level.
    func result(_ level: ProductLevel, head: Int = 0) -> [Float] {
      let room = ck_attention_workspace(keys, headWidth, level.table.panel_width)
      let workspace = UnsafeMutableRawBufferPointer.allocate(byteCount: room * 4, alignment: 64)
      defer { workspace.deallocate() }
      // What is left in the workspace must not matter.
      workspace.initializeMemory(as: UInt8.self, repeating: 0xFF)
      var out = [Float](repeating: 7, count: queries.count * headWidth + 16)
      qkv.withUnsafeBufferPointer { qkv in
        out.withUnsafeMutableBufferPointer { out in
          let start = qkv.baseAddress! + head * headWidth
          var attention = ck_attention(
            q: start + queries.lowerBound * 3 * width, k: start + width, v: start + 2 * width, out: out.baseAddress!,
            q_stride: 3 * width, k_stride: 3 * width, v_stride: 3 * width, out_stride: headWidth,
            queries: queries.count, keys: keys, width: headWidth, scale: scale,
            first_visible: isCausal ? queries.lowerBound + 1 : keys)
          level.table.attend(&attention, workspace.baseAddress!.assumingMemoryBound(to: Float.self))
        }
      }
      #expect(out.suffix(16).allSatisfy { $0 == 7 })
      return out.dropLast(16)
    }
  }

  private static let cases = [
    Case(queries: 0..<1, keys: 1, headWidth: 1), Case(queries: 0..<50, keys: 50, heads: 2, headWidth: 64),
    Case(queries: 0..<17, keys: 17, headWidth: 80), Case(queries: 0..<12, keys: 12, headWidth: 64, isCausal: true),
    Case(queries: 0..<77, keys: 77, headWidth: 64, isCausal: true), Case(queries: 0..<5, keys: 65, headWidth: 104),
    Case(queries: 100..<130, keys: 130, headWidth: 88, isCausal: true), Case(queries: 9..<10, keys: 300, headWidth: 7),
    Case(queries: 31..<33, keys: 40, headWidth: 300, isCausal: true),
    Case(queries: 150..<257, keys: 257, headWidth: 16),
  ]

  @Test(arguments: ProductLevel.all) func followsTheDefinition(_ level: ProductLevel) {
    for test in Self.cases {
      for head in 0..<test.heads {
        let pairs = zip(test.result(level, head: head), test.exact(head: head))
        let worst = pairs.map { abs(Double($0) - $1) }.max() ?? 0
        // Values reach 3, scores about 20: their rounding is that of the powers.
        #expect(worst < 1e-5, "\(test.queries) of \(test.keys), \(test.headWidth) wide")
      }
    }
  }

  @Test(arguments: ProductLevel.vector) func levelsAgree(_ level: ProductLevel) {
    for test in Self.cases {
      #expect(bits(test.result(level)) == bits(test.result(.scalar)), "\(test.queries) of \(test.keys)")
    }
    for keys in 1...70 {
      let test = Case(queries: 0..<keys, keys: keys, headWidth: 1 + keys % 20, isCausal: keys % 2 == 0)
      #expect(bits(test.result(level)) == bits(test.result(.scalar)), "\(keys) keys")
    }
  }

  /// A query's bits are the same alone, and where the past alone is seen, whatever follows.
  @Test(arguments: ProductLevel.all) func queriesAreIndependent(_ level: ProductLevel) {
    for isCausal in [false, true] {
      let all = Case(queries: 0..<120, keys: 120, headWidth: 64, isCausal: isCausal)
      var one = all
      for query in [0, 1, 63, 64, 100, 119] {
        one.queries = query..<(query + 1)
        #expect(bits(one.result(level)) == bits(Array(all.result(level)[(query * 64)..<(query * 64 + 64)])))
      }
    }
    let long = Case(queries: 0..<20, keys: 300, headWidth: 64, isCausal: true)
    var short = long
    short.keys = 20
    #expect(bits(short.result(level)) == bits(long.result(level)))
  }

  /// Ragged sequences of several heads, on any number of threads: each like the sequence alone.
  @Test func batchesAreTheirSequences() throws {
    let lengths = [5, 1, 77, 12, 64, 3]
    let (heads, headWidth) = (3, 40)
    let width = heads * headWidth
    let qkv = lengths.enumerated().flatMap { index, length in
      Case(queries: 0..<length, keys: length, heads: heads, headWidth: headWidth, seed: UInt64(index)).qkv
    }
    let attention = Attention(heads: heads, headWidth: headWidth, isCausal: true)
    var sequences: [Attention.Sequence] = []
    for length in lengths {
      let start = sequences.last?.keys.upperBound ?? 0
      sequences.append(Attention.Sequence(queries: start..<(start + length), keys: start..<(start + length)))
    }
    let rows = sequences.last?.keys.upperBound ?? 0
    for threads in [1, 2, 3, 8] {
      var out = [Float](repeating: .nan, count: rows * width)
      out.withUnsafeMutableBufferPointer { out in
        attention.apply(
          Attention.Operands(qkv: qkv, width: width, out: out.baseAddress!), to: sequences, workspaces: Workspaces(),
          team: WorkTeam(threads: threads))
      }
      for (index, sequence) in sequences.enumerated() {
        for head in 0..<heads {
          let alone = Case(
            queries: 0..<lengths[index], keys: lengths[index], heads: heads, headWidth: headWidth, isCausal: true,
            seed: UInt64(index))
          let found = sequence.queries.flatMap { row in
            out[(row * width + head * headWidth)..<(row * width + (head + 1) * headWidth)]
          }
          #expect(
            bits(found) == bits(alone.result(.scalar, head: head)), "\(threads) threads, \(lengths[index]) tokens")
        }
      }
    }
  }
}
