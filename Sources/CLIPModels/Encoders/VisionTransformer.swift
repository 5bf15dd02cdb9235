import Checkpoints

/// An image encoder that is given its pictures in patches: CLIP's, with a class token, SigLIP's, whose pooling is a
/// learned query, and big_vision's that take the mean of all tokens.
package struct VisionTransformer<O: Ops>: Sendable {
  private let patchSize: Int
  private let patches: Linear<O>
  private let classToken: O.Vector?
  private let positions: O.Vector
  /// Whether the class token has no position of its own.
  private let addsPositionsFirst: Bool
  private let normBefore: LayerNorm<O>?
  private let transformer: Transformer<O>
  private let normAfter: LayerNorm<O>
  private let pooling: VisionPooling
  private let attentionPooling: AttentionPooling<O>?
  private let projection: Linear<O>?

  init(_ loader: WeightLoader<O>, _ config: ModelConfig) throws(FileError) {
    // Without it no shape was checked: `CanonicalTensors`.
    _ = try config.encoderInteger(.visionMLPWidth)
    let epsilon = try config.encoderNumber(.visionEpsilon)
    let shape = TransformerBlock<O>.Shape(
      width: try config.encoderInteger(.visionWidth), heads: try config.encoderInteger(.visionHeads), isCausal: false,
      activation: try config.encoderChoice(.visionActivation), epsilon: epsilon)
    patchSize = try config.encoderInteger(.visionPatchSize)
    let kernel = try loader.tensor("visual.conv1.weight", dimensions: 4)
    let matrix = try kernel.tensor.reshaped([kernel.tensor.shape[0], kernel.tensor.shape.dropFirst().reduce(1, *)])
    patches = Linear(
      matrix: try loader.ops.matrix(NamedTensor(name: kernel.name, tensor: matrix), transposed: false),
      bias: try loader.optionalVector("visual.conv1.bias"))
    classToken = try loader.optionalVector("visual.class_embedding")
    positions = try loader.vector("visual.positional_embedding")
    let side = try config.encoderInteger(.visionImageSize) / patchSize
    let count = try loader.tensor("visual.positional_embedding", dimensions: 2).tensor.shape[0]
    addsPositionsFirst = count == side * side
    guard addsPositionsFirst || (count == side * side + 1 && classToken != nil) else {
      throw FileError(
        .mismatch, "\(count) positions for \(side * side) patches", tensor: "visual.positional_embedding")
    }
    normBefore =
      loader.has("visual.ln_pre.weight") ? try loader.layerNorm("visual.ln_pre", epsilon: epsilon) : nil
    transformer = try Transformer(
      loader, "visual.transformer", layers: try config.encoderInteger(.visionLayers), shape)
    normAfter = try loader.layerNorm("visual.ln_post", epsilon: epsilon)
    pooling = try config.encoderChoice(.visionPooling)
    attentionPooling = pooling == .attention ? try AttentionPooling(loader, shape) : nil
    let isKnown = pooling == .attention || (pooling == .average) == (classToken == nil)
    guard isKnown, pooling != .attention2D else {
      let presence = classToken == nil ? "without" : "with"
      throw FileError(.unsupported, "vision.pooling \(pooling.rawValue) \(presence) a class token is not computed here")
    }
    projection = try loader.projection("visual.proj")
  }

  /// The embeddings, not normalised: a row for each picture.
  func forward(_ pictures: O.Pictures, _ ops: O, observe: EncoderObserver<O>?) -> O.Value {
    var x = ops.linear(ops.patches(pictures, size: patchSize), patches)
    if addsPositionsFirst { x = ops.addingPositions(positions, to: x) }
    if let classToken { x = ops.prepending(classToken, to: x) }
    if !addsPositionsFirst { x = ops.addingPositions(positions, to: x) }
    if let normBefore { x = ops.layerNorm(x, normBefore) }
    x = ops.named(x, .stem)
    observe?(.stem, x)
    let blocks = observe.map { observe in { (index: Int, value: O.Value) in observe(.block(index), value) } }
    x = transformer.forward(x, ops, only: pooling == .classToken ? .first : nil, observe: blocks)
    x = ops.layerNorm(x, normAfter)
    if let attentionPooling { x = attentionPooling.forward(x, ops) }
    if pooling == .average { x = ops.row(.first, of: ops.prependingMean(to: x)) }
    x = ops.named(x, .pooled)
    observe?(.pooled, x)
    return projection.map { ops.linear(x, $0) } ?? x
  }
}

/// SigLIP's pooling: a learned query attends to all tokens, then two linear layers.
package struct AttentionPooling<O: Ops>: Sendable {
  private let shape: TransformerBlock<O>.Shape
  private let probe: O.Vector
  private let query: Linear<O>
  private let keyValue: Linear<O>
  private let output: Linear<O>
  private let norm: LayerNorm<O>
  private let expand: Linear<O>
  private let contract: Linear<O>

  init(_ loader: WeightLoader<O>, _ shape: TransformerBlock<O>.Shape) throws(FileError) {
    self.shape = shape
    let (name, width) = ("visual.attn_pool", shape.width)
    probe = try loader.vector("\(name).probe")
    query = try loader.linear("\(name).attn.in_proj_", rows: 0..<width)
    keyValue = try loader.linear("\(name).attn.in_proj_", rows: width..<3 * width)
    output = try loader.linear("\(name).attn.out_proj")
    norm = try loader.layerNorm("\(name).ln", epsilon: shape.epsilon)
    expand = try loader.linear("\(name).mlp.c_fc")
    contract = try loader.linear("\(name).mlp.c_proj")
  }

  func forward(_ x: O.Value, _ ops: O) -> O.Value {
    let queries = ops.linear(ops.repeated(probe, items: ops.items(x)), query)
    let both = ops.linear(x, keyValue)
    let attended = ops.attention(
      queries: queries, keys: ops.columns(both, 0..<shape.width),
      values: ops.columns(both, shape.width..<2 * shape.width), heads: shape.heads, causal: false)
    let y = ops.linear(attended, output)
    let hidden = ops.linear(ops.layerNorm(y, norm), expand, activation: .model(shape.activation))
    return ops.linear(hidden, contract, residual: y)
  }
}

extension WeightLoader {
  /// The projection into the shared space: a matrix `[width, embedding]`, or a linear layer; nil where there is none.
  func projection(_ name: String) throws(FileError) -> Linear<O>? {
    if has(name) { return Linear(matrix: try matrix(name, transposed: true), bias: nil) }
    return has("\(name).weight") ? try linear(name) : nil
  }
}
