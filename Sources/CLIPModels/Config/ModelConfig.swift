/// Which kind of two-tower model it is.
public enum ModelFamily: String, Sendable, CaseIterable {
  /// Softmax over cosines; class token and causal text, or a ModifiedResNet with attention pooling.
  case clip
  /// Sigmoid loss: attention pooling, text that sees itself whole, logit bias. SigLIP and SigLIP 2.
  case siglip

  /// The name for people.
  public var title: String { self == .clip ? "CLIP" : "SigLIP" }
}

/// The activation between the two linear layers of a block. Weights do not tell it.
public enum Activation: String, Sendable, CaseIterable {
  /// x · sigmoid(1.702 x): OpenAI's.
  case quickGELU = "quick_gelu"
  /// x · Φ(x), exact.
  case gelu
  /// The tanh approximation of `gelu`.
  case geluTanh = "gelu_tanh"
}

/// What a model is, in numbers; it mirrors open_clip's JSON. A value that nothing states is nil, never a default.
public struct ModelConfig: Sendable, Equatable {
  /// The kind of model.
  public var family: ModelFamily
  /// The length of the embeddings.
  public var embedDim: Int?
  /// The activation of both towers.
  public var activation: Activation?
  /// The image encoder, when there is one.
  public var vision: VisionConfig?
  /// The text encoder, when there is one.
  public var text: TextConfig?
  /// How a picture becomes the image encoder's input.
  public var preprocessing: Preprocessing?

  /// A config of which nothing but the family is known.
  public init(family: ModelFamily) { self.family = family }
}

/// The image encoder.
public struct VisionConfig: Sendable, Equatable {
  /// Side of the square input, in pixels.
  public var imageSize: Int?
  /// Side of a patch, in pixels; nil for a ResNet.
  public var patchSize: Int?
  /// Width of the tokens, or of a ResNet's first stage.
  public var width: Int
  /// Number of blocks; 0 for a ResNet.
  public var layers: Int
  /// Bottlenecks of each stage; empty for a vision transformer.
  public var stages: [Int] = []
  /// Attention heads; in a ResNet those of the pooling.
  public var heads: Int?
  /// Width between the two linear layers of a block; nil for a ResNet.
  public var mlpWidth: Int?
  /// The ε of layer norms.
  public var layerNormEpsilon: Double?
  /// How tokens become one vector.
  public var pooling: Pooling

  /// How the image encoder's tokens become one vector.
  public enum Pooling: String, Sendable {
    /// The class token's output.
    case classToken = "class_token"
    /// A learned query attends to all tokens.
    case attention
    /// A ResNet's attention pooling, the mean as query.
    case attentionPool2d = "attention_pool_2d"
  }

  /// Whether it is a ModifiedResNet.
  public var isResNet: Bool { !stages.isEmpty }
}

/// The text encoder and what makes its input.
public struct TextConfig: Sendable, Equatable {
  /// Number of positions.
  public var contextLength: Int
  /// Number of tokens in the vocabulary.
  public var vocabSize: Int
  /// Width of the tokens.
  public var width: Int
  /// Number of blocks.
  public var layers: Int
  /// Attention heads.
  public var heads: Int?
  /// Width between the two linear layers of a block.
  public var mlpWidth: Int
  /// The ε of layer norms.
  public var layerNormEpsilon: Double?
  /// Which token stands for the text.
  public var pooling: Pooling?
  /// Id of the end-of-text token, where `pooling` or padding needs it.
  public var endOfTextID: Int?
  /// Id that fills the positions after the text.
  public var paddingID: Int?
  /// Which library's cleaning and padding the model was trained with.
  public var tokenizer: TokenizerDialect?

  /// Which token stands for the text.
  public enum Pooling: String, Sendable {
    /// The largest id, which is end-of-text in CLIP's vocabulary.
    case argmax
    /// The first that is end-of-text.
    case endOfText = "eos"
    /// The last position.
    case last
    /// The first position.
    case first
  }

  /// Which library's cleaning and padding of text.
  public enum TokenizerDialect: String, Sendable {
    /// OpenAI: ftfy, html unescape, lower case; zero padding.
    case openAI = "openai"
    /// open_clip: the same, truncating.
    case openCLIP = "open_clip"
    /// Hugging Face: NFC, lower case; padding with end-of-text.
    case huggingFace = "hf"
    /// A SentencePiece model.
    case sentencePiece = "sentencepiece"
  }
}

/// How a picture becomes the image encoder's input.
public struct Preprocessing: Sendable, Equatable {
  /// Subtracted from each channel, after division by 255.
  public var mean: [Double]
  /// Each channel is divided by it.
  public var std: [Double]
  /// The resize filter.
  public var interpolation: Interpolation
  /// How the picture meets the square.
  public var resizeMode: ResizeMode

  /// The resize filter.
  public enum Interpolation: String, Sendable { case bicubic, bilinear, nearest }

  /// How the picture meets the square.
  public enum ResizeMode: String, Sendable {
    /// The shorter side becomes the input's, then the centre is cropped.
    case shortest
    /// The longer side becomes the input's, the rest is filled.
    case longest
    /// Both sides become the input's.
    case squash
  }

  /// All four values.
  public init(mean: [Double], std: [Double], interpolation: Interpolation, resizeMode: ResizeMode) {
    self.mean = mean
    self.std = std
    self.interpolation = interpolation
    self.resizeMode = resizeMode
  }
}

/// Where a value of the config comes from; the strongest first.
public enum ConfigOrigin: Sendable, Equatable, CustomStringConvertible {
  /// Given on the command line.
  case option(String)
  /// A shape of a tensor.
  case shapes
  /// A config file, by its name.
  case file(String)
  /// Metadata inside the checkpoint.
  case metadata
  /// A published model that has these shapes and this form, by its name.
  case known(String)
  /// A convention, which may not hold.
  case assumed(String)

  public var description: String {
    switch self {
    case .option(let name): "option \(name)"
    case .shapes: "tensor shapes"
    case .file(let name): name
    case .metadata: "metadata in the file"
    case .known(let model): "known model \(model)"
    case .assumed(let why): "assumed: \(why)"
    }
  }
}
