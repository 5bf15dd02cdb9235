import Checkpoints

/// One block of a transformer, of vision and text alike: norm, attention, norm, two linear layers.
package struct TransformerBlock<O: Ops>: Sendable {
  /// Query, key and value in one product; in the last block the queries apart, since only one row's are needed.
  private enum Projections: Sendable {
    case fused(Linear<O>)
    case split(query: Linear<O>, keyValue: Linear<O>)
  }
  private let width: Int
  private let heads: Int
  private let isCausal: Bool
  private let activation: Activation
  private let norm1: LayerNorm<O>
  private let projections: Projections
  private let output: Linear<O>
  private let scale1: O.Vector?
  private let norm2: LayerNorm<O>
  private let expand: Linear<O>
  private let contract: Linear<O>
  private let scale2: O.Vector?

  /// What the blocks of one encoder have in common.
  struct Shape: Sendable {
    var width: Int
    var heads: Int
    var isCausal: Bool
    var activation: Activation
    var epsilon: Float
  }

  init(_ loader: WeightLoader<O>, _ name: String, _ shape: Shape, isLast: Bool) throws(FileError) {
    (width, heads, isCausal, activation) = (shape.width, shape.heads, shape.isCausal, shape.activation)
    norm1 = try loader.layerNorm("\(name).ln_1", epsilon: shape.epsilon)
    let fused = "\(name).attn.in_proj_"
    projections =
      isLast
      ? .split(
        query: try loader.linear(fused, rows: 0..<width), keyValue: try loader.linear(fused, rows: width..<3 * width))
      : .fused(try loader.linear(fused, rows: 0..<3 * width))
    output = try loader.linear("\(name).attn.out_proj")
    scale1 = try loader.optionalVector("\(name).ls_1.gamma")
    norm2 = try loader.layerNorm("\(name).ln_2", epsilon: shape.epsilon)
    expand = try loader.linear("\(name).mlp.c_fc")
    contract = try loader.linear("\(name).mlp.c_proj")
    scale2 = try loader.optionalVector("\(name).ls_2.gamma")
  }

  /// The block's output: of every row, or of one row of each item when that is all that will be read.
  func forward(_ x: O.Value, _ ops: O, only row: PooledRow? = nil) -> O.Value {
    let normed = ops.layerNorm(x, norm1)
    let attended: O.Value
    switch projections {
    case .fused(let layer):
      let all = ops.linear(normed, layer)
      attended = ops.attention(
        queries: ops.columns(all, 0..<width), keys: ops.columns(all, width..<2 * width),
        values: ops.columns(all, 2 * width..<3 * width), heads: heads, causal: isCausal)
    case .split(let query, let keyValue):
      let queries = ops.linear(row.map { ops.row($0, of: normed) } ?? normed, query)
      let both = ops.linear(normed, keyValue)
      attended = ops.attention(
        queries: queries, keys: ops.columns(both, 0..<width), values: ops.columns(both, width..<2 * width),
        heads: heads, causal: isCausal)
    }
    let residual = row.map { ops.row($0, of: x) } ?? x
    let y = ops.linear(attended, output, scale: scale1, residual: residual)
    let hidden = ops.linear(ops.layerNorm(y, norm2), expand, activation: .model(activation))
    return ops.linear(hidden, contract, scale: scale2, residual: y)
  }
}

/// The blocks of an encoder, one after the other.
package struct Transformer<O: Ops>: Sendable {
  private let blocks: [TransformerBlock<O>]

  init(
    _ loader: WeightLoader<O>, _ name: String, layers: Int, _ shape: TransformerBlock<O>.Shape
  ) throws(FileError) {
    guard shape.width % shape.heads == 0 else {
      throw FileError(.mismatch, "\(shape.heads) heads do not divide a width of \(shape.width)")
    }
    // As many as are checked: `CanonicalTensors`.
    guard layers <= 10_000 else { throw FileError(.unsupported, "\(layers) blocks, allowed 10000") }
    var blocks: [TransformerBlock<O>] = []
    for index in 0..<layers {
      blocks.append(try TransformerBlock(loader, "\(name).resblocks.\(index)", shape, isLast: index == layers - 1))
    }
    self.blocks = blocks
  }

  /// The output of the last block: of all rows when `row` is nil, else of that row of each item.
  ///
  /// - Parameter observe: sees every block's output; then all rows are computed to the end.
  func forward(
    _ x: O.Value, _ ops: O, only row: PooledRow?, observe: ((Int, O.Value) -> Void)?
  ) -> O.Value {
    var x = x
    for (index, block) in blocks.enumerated() {
      let isPooled = index == blocks.count - 1 && observe == nil
      x = block.forward(x, ops, only: isPooled ? row : nil)
      // One row of each item is not what the block puts out.
      if !isPooled || row == nil { x = ops.named(x, .block(index)) }
      observe?(index, x)
    }
    if let row, observe != nil || blocks.isEmpty { return ops.row(row, of: x) }
    return x
  }
}
