internal import Synchronization

/// Attention of several heads: softmax(q · kᵀ · scale) · v in each head of each sequence.
package struct Attention: Sendable {
  package let heads: Int
  package let headWidth: Int
  /// What scores are multiplied with, mostly 1/√headWidth.
  package let scale: Float
  /// Whether a token sees itself and those before it only.
  package let isCausal: Bool

  package init(heads: Int, headWidth: Int, scale: Float? = nil, isCausal: Bool = false) {
    self.heads = heads
    self.headWidth = headWidth
    self.scale = scale ?? 1 / Float(headWidth).squareRoot()
    self.isCausal = isCausal
  }

  /// One sequence of a batch: which rows of q and of the output, and which of k and v, are its own.
  package struct Sequence: Sendable {
    package let queries: Range<Int>
    package let keys: Range<Int>
    /// The position among the keys that the first query has; further queries follow.
    package let firstPosition: Int

    package init(queries: Range<Int>, keys: Range<Int>, firstPosition: Int = 0) {
      self.queries = queries
      self.keys = keys
      self.firstPosition = firstPosition
    }
  }

  /// Rows of `heads × headWidth` numbers, in which one head follows the other, and the distances between rows.
  package struct Operands {
    package let q, k, v: UnsafePointer<Float>
    package let qStride, kStride, vStride: Int
    package let out: UnsafeMutablePointer<Float>
    package let outStride: Int

    package init(
      q: UnsafePointer<Float>, qStride: Int, k: UnsafePointer<Float>, kStride: Int, v: UnsafePointer<Float>,
      vStride: Int, out: UnsafeMutablePointer<Float>, outStride: Int
    ) {
      (self.q, self.k, self.v, self.out) = (q, k, v, out)
      (self.qStride, self.kStride, self.vStride, self.outStride) = (qStride, kStride, vStride, outStride)
    }

    /// Rows that hold q, k and v beside each other, each `width` numbers.
    package init(qkv: UnsafePointer<Float>, width: Int, out: UnsafeMutablePointer<Float>) {
      self.init(
        q: qkv, qStride: 3 * width, k: qkv + width, kStride: 3 * width, v: qkv + 2 * width, vStride: 3 * width,
        out: out, outStride: width)
    }
  }

  /// Computes all heads of all sequences. `out` overlaps nothing else; an output's bits depend on its sequence alone.
  package func apply(
    _ operands: Operands, to sequences: [Sequence], workspaces: Workspaces, team: WorkTeam
  ) {
    let tasks = sequences.count * heads
    let workers = min(team.threads, tasks)
    let room = workspace(keys: sequences.map(\.keys.count).max() ?? 0)
    let next = Atomic(0)
    workspaces.withFloats(room * workers) { memory in
      team.run(workers) { worker in
        while true {
          let task = next.wrappingAdd(1, ordering: .relaxed).oldValue
          guard task < tasks else { return }
          attend(
            operands, head: task % heads, of: sequences[task / heads], workspace: memory + worker * room)
        }
      }
    }
  }
}
