import Checkpoints

/// A text encoder: CLIP's, in which a token sees those before it and end-of-text stands for the text, and SigLIP's, in
/// which all tokens see each other and the last position stands for it.
package struct TextTransformer<O: Ops>: Sendable {
  private let tokens: O.Table
  private let positions: O.Vector
  private let transformer: Transformer<O>
  private let norm: LayerNorm<O>
  private let projection: Linear<O>?

  init(_ loader: WeightLoader<O>, _ config: ModelConfig) throws(FileError) {
    guard !loader.has("cls_emb") else {
      throw FileError(.unsupported, "a text encoder with a class token, as CoCa's, is not computed", tensor: "cls_emb")
    }
    // Without these no shape was checked: `CanonicalTensors`.
    for field in [ConfigField.textMLPWidth, .textVocabSize] { _ = try config.encoderInteger(field) }
    let shape = TransformerBlock<O>.Shape(
      width: try config.encoderInteger(.textWidth), heads: try config.encoderInteger(.textHeads),
      isCausal: config.hasCausalText, activation: try config.encoderChoice(.textActivation),
      epsilon: try config.encoderNumber(.textEpsilon))
    tokens = try loader.ops.table(loader.tensor("token_embedding.weight", dimensions: 2))
    positions = try loader.vector("positional_embedding")
    transformer = try Transformer(loader, "transformer", layers: try config.encoderInteger(.textLayers), shape)
    norm = try loader.layerNorm("ln_final", epsilon: shape.epsilon)
    projection = try loader.projection("text_projection")
    guard projection != nil || !config.hasVision else {
      // Without it the embedding would not be in the space of the images'.
      throw FileError(.mismatch, "not in the checkpoint", tensor: "text_projection")
    }
  }

  /// The embeddings, not normalised: a row for each text, whose last token is the one that stands for it.
  /// - Throws: when a token's row cannot be read.
  func forward(_ texts: O.Texts, pooling row: PooledRow, _ ops: O, observe: EncoderObserver<O>?) throws(FileError)
    -> O.Value
  {
    var x = ops.named(ops.addingPositions(positions, to: try ops.lookUp(texts, in: tokens)), .stem)
    observe?(.stem, x)
    let blocks = observe.map { observe in { (index: Int, value: O.Value) in observe(.block(index), value) } }
    x = transformer.forward(x, ops, only: row, observe: blocks)
    x = ops.named(ops.layerNorm(x, norm), .pooled)
    observe?(.pooled, x)
    return projection.map { ops.linear(x, $0) } ?? x
  }
}

extension ModelConfig {
  /// Whether a token of a text sees only those before it.
  var hasCausalText: Bool { family == .clip }
}

/// What an encoder shows of its inside.
package enum EncoderStage: Sendable {
  /// What goes into the first block.
  case stem
  /// What a block puts out.
  case block(Int)
  /// What goes into the projection.
  case pooled
}

/// Sees the outputs of an encoder's stages.
package typealias EncoderObserver<O: Ops> = (EncoderStage, O.Value) -> Void
