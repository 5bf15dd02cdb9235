import Checkpoints

/// The image encoder of a model, of either kind.
package enum ImageEncoder<O: Ops>: Sendable {
  case transformer(VisionTransformer<O>)
  case resNet(ModifiedResNet<O>)

  init(_ loader: WeightLoader<O>, _ config: ModelConfig) throws(FileError) {
    self =
      config.isResNet
      ? .resNet(try ModifiedResNet(loader, config)) : .transformer(try VisionTransformer(loader, config))
  }

  /// The embeddings, not normalised: a row for each picture.
  func forward(_ pictures: O.Pictures, _ ops: O, observe: EncoderObserver<O>?) -> O.Value {
    switch self {
    case .transformer(let encoder): encoder.forward(pictures, ops, observe: observe)
    case .resNet(let encoder): encoder.forward(pictures, ops, observe: observe)
    }
  }
}
