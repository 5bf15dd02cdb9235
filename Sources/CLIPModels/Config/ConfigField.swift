public import Checkpoints

/// One fact about a model. The raw value is its name in reports and, behind `clip.` or `clipkit.`, in metadata.
public enum ConfigField: String, Sendable, CaseIterable {
  /// Length of the embeddings.
  case embedDim = "embed_dim"
  /// Side of the square input, in pixels.
  case visionImageSize = "vision.image_size"
  /// Side of a patch, in pixels; a ResNet has none.
  case visionPatchSize = "vision.patch_size"
  /// Width of the tokens, or of a ResNet's first stage.
  case visionWidth = "vision.width"
  /// Number of blocks of a vision transformer.
  case visionLayers = "vision.layers"
  /// Bottlenecks in each stage of a ResNet.
  case visionStages = "vision.stages"
  /// Attention heads; in a ResNet those of the pooling.
  case visionHeads = "vision.heads"
  /// Width between the two linear layers of a block.
  case visionMLPWidth = "vision.mlp_width"
  /// `Activation`.
  case visionActivation = "vision.activation"
  /// ε of the layer norms.
  case visionEpsilon = "vision.layer_norm_eps"
  /// `VisionPooling`.
  case visionPooling = "vision.pooling"
  /// Number of positions.
  case textContextLength = "text.context_length"
  /// Number of tokens in the vocabulary.
  case textVocabSize = "text.vocab_size"
  /// Width of the tokens.
  case textWidth = "text.width"
  /// Number of blocks.
  case textLayers = "text.layers"
  /// Attention heads.
  case textHeads = "text.heads"
  /// Width between the two linear layers of a block.
  case textMLPWidth = "text.mlp_width"
  /// `Activation`.
  case textActivation = "text.activation"
  /// ε of the layer norms.
  case textEpsilon = "text.layer_norm_eps"
  /// `TextPooling`.
  case textPooling = "text.pooling"
  /// Id of the end-of-text token.
  case textEndID = "text.end_of_text_id"
  /// Id that fills the positions after the text.
  case textPaddingID = "text.padding_id"
  /// `TokenizerDialect`.
  case textTokenizer = "text.tokenizer"
  /// `TextCase`: what open_clip does with case and punctuation, where its config says so.
  case textCleaning = "text.cleaning"
  /// Subtracted from each channel after division by 255.
  case imageMean = "image.mean"
  /// Divides each channel.
  case imageStd = "image.std"
  /// `ResizeFilter`.
  case imageInterpolation = "image.interpolation"
  /// How the picture meets the square: shortest, longest or squash.
  case imageResizeMode = "image.resize_mode"
  /// The side that the resize makes before the crop; the square's own where nothing says so.
  case imageResizeSize = "image.resize_size"
  /// What fills a square that the picture does not, in every sample: 0 where nothing says so.
  case imageFillColor = "image.fill_color"
  /// `PreprocessingDialect`.
  case imagePreprocessing = "image.preprocessing"

  /// The largest whole number that a fact may be: sums and products of a few stay far from overflow.
  static let largest = 1 << 24

  var isAboutImages: Bool { rawValue.hasPrefix("vision.") || rawValue.hasPrefix("image.") }
  var isAboutText: Bool { rawValue.hasPrefix("text.") }

  /// Facts that no shape of a tensor tells.
  static let unknowable: [ConfigField] = [
    .visionHeads, .visionActivation, .visionEpsilon, .visionPooling, .textHeads, .textActivation, .textEpsilon,
    .textPooling,
    .textTokenizer, .imageMean, .imageStd, .imageInterpolation, .imageResizeMode,
  ]
}

/// The value of a fact.
public enum ConfigValue: Sendable, Hashable, CustomStringConvertible {
  case integer(Int)
  case integers([Int])
  case number(Double)
  case numbers([Double])
  case text(String)

  /// The value as it would be written.
  public var description: String {
    switch self {
    case .integer(let value): "\(value)"
    case .integers(let values): "\(values)"
    case .number(let value): "\(value)"
    case .numbers(let values): "\(values)"
    case .text(let value): value
    }
  }
}

extension ConfigValue {
  /// The value as JSON has it.
  public var json: JSONValue {
    switch self {
    case .integer(let value): JSONValue(value)
    case .integers(let values): JSONValue(values)
    case .number(let value): JSONValue(value)
    case .numbers(let values): .array(values.map { JSONValue($0) })
    case .text(let value): .string(value)
    }
  }
}

/// Where a fact comes from.
public enum ConfigOrigin: Sendable, Equatable, CustomStringConvertible {
  /// What the nodes of an ONNX graph compute.
  case graph
  /// Given on the command line.
  case option(String)
  /// Shapes and names of tensors.
  case shapes
  /// A config file, by its name.
  case file(String)
  /// Metadata inside the checkpoint.
  case metadata
  /// Published models that have these shapes all agree.
  case known(String)
  /// A convention, which may not hold.
  case assumed(String)

  /// The source, for people.
  public var description: String {
    switch self {
    case .option(let name): "option \(name)"
    case .shapes: "tensor shapes"
    case .graph: "the graph"
    case .file(let name): name
    case .metadata: "metadata in the file"
    case .known(let model): "known: \(model)"
    case .assumed(let why): "assumed: \(why)"
    }
  }
}

/// Facts from one source.
package typealias ConfigFacts = [ConfigField: ConfigValue]
