import Checkpoints

/// CLIP's ResNet: three convolutions before the first stage, mean pooling wherever it strides, attention at the end.
///
/// Sources: openai/CLIP `clip/model.py`, open_clip `modified_resnet.py`.
package struct ModifiedResNet<O: Ops>: Sendable {
  private let stem: [Linear<O>]
  private let blocks: [Bottleneck<O>]
  private let positions: O.Vector
  private let query: Linear<O>
  private let key: Linear<O>
  private let value: Linear<O>
  private let output: Linear<O>
  private let heads: Int

  init(_ loader: WeightLoader<O>, _ config: ModelConfig) throws(FileError) {
    // Without it no shape was checked: `CanonicalTensors`.
    _ = try config.encoderInteger(.embedDim)
    heads = try config.encoderInteger(.visionHeads)
    let width = try config.encoderInteger(.visionWidth)
    guard (width * 32) % heads == 0 else {
      throw FileError(.mismatch, "\(heads) heads do not divide a width of \(width * 32)")
    }
    var stem: [Linear<O>] = []
    for index in 1...3 { stem.append(try loader.convolution("visual.conv\(index)", norm: "visual.bn\(index)")) }
    self.stem = stem
    var blocks: [Bottleneck<O>] = []
    for (stage, count) in (config.integers(.visionStages) ?? []).enumerated() {
      for block in 0..<count {
        blocks.append(
          try Bottleneck(
            loader, "visual.layer\(stage + 1).\(block)", stride: stage > 0 && block == 0 ? 2 : 1))
      }
    }
    self.blocks = blocks
    positions = try loader.vector("visual.attnpool.positional_embedding")
    query = try loader.linear("visual.attnpool.q_proj")
    key = try loader.linear("visual.attnpool.k_proj")
    value = try loader.linear("visual.attnpool.v_proj")
    output = try loader.linear("visual.attnpool.c_proj")
  }

  /// The embeddings, not normalised: a row for each picture.
  func forward(_ pictures: O.Pictures, _ ops: O, observe: EncoderObserver<O>?) -> O.Value {
    var x = ops.pixels(pictures)
    for (index, layer) in stem.enumerated() {
      x = ops.linear(ops.neighbourhoods(x, stride: index == 0 ? 2 : 1), layer, activation: .relu)
    }
    x = ops.named(ops.averagePool(x, size: 2), .stem)
    observe?(.stem, x)
    for (index, block) in blocks.enumerated() {
      x = ops.named(block.forward(x, ops), .block(index))
      observe?(.block(index), x)
    }
    x = ops.addingPositions(positions, to: ops.prependingMean(to: x))
    x = ops.attention(
      queries: ops.linear(ops.row(.first, of: x), query), keys: ops.linear(x, key), values: ops.linear(x, value),
      heads: heads, causal: false)
    x = ops.named(x, .pooled)
    observe?(.pooled, x)
    return ops.linear(x, output)
  }
}

/// Three convolutions beside a shortcut.
package struct Bottleneck<O: Ops>: Sendable {
  private let stride: Int
  private let convolutions: [Linear<O>]
  private let shortcut: Linear<O>?

  init(_ loader: WeightLoader<O>, _ name: String, stride: Int) throws(FileError) {
    self.stride = stride
    var convolutions: [Linear<O>] = []
    for index in 1...3 {
      convolutions.append(try loader.convolution("\(name).conv\(index)", norm: "\(name).bn\(index)"))
    }
    self.convolutions = convolutions
    shortcut =
      loader.has("\(name).downsample.0.weight")
      ? try loader.convolution("\(name).downsample.0", norm: "\(name).downsample.1") : nil
  }

  func forward(_ x: O.Value, _ ops: O) -> O.Value {
    var y = ops.linear(x, convolutions[0], activation: .relu)
    y = ops.linear(ops.neighbourhoods(y, stride: 1), convolutions[1], activation: .relu)
    var beside = x
    if stride > 1 {
      y = ops.averagePool(y, size: stride)
      beside = ops.averagePool(x, size: stride)
    }
    if let shortcut { beside = ops.linear(beside, shortcut) }
    return ops.linear(y, convolutions[2], activation: .relu, residual: beside)
  }
}
