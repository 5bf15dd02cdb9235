public import Checkpoints

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

/// How the image encoder's tokens become one vector.
public enum VisionPooling: String, Sendable, CaseIterable {
  /// The class token's output.
  case classToken = "class_token"
  /// A learned query attends to all tokens.
  case attention
  /// The mean of all tokens.
  case average
  /// A ResNet's attention pooling, the mean as query.
  case attention2D = "attention_2d"
}

/// Which token stands for the text.
public enum TextPooling: String, Sendable, CaseIterable {
  /// The largest id, which is end-of-text in CLIP's vocabulary.
  case argmax
  /// The first that is end-of-text.
  case endOfText = "eos"
  /// The last position.
  case last
  /// The first position.
  case first
}

/// Which library's cleaning and padding of text a model expects.
public enum TokenizerDialect: String, Sendable, CaseIterable {
  /// OpenAI: ftfy, html unescape, lower case; zero padding.
  case openAI = "openai"
  /// open_clip: the same, truncating.
  case openCLIP = "open_clip"
  /// Hugging Face: NFC, lower case; padding with end-of-text.
  case huggingFace = "hf"
  /// A SentencePiece model.
  case sentencePiece = "sentencepiece"
}

/// What a model is: facts, each with where it comes from. A fact that nothing states is absent, never a default.
public struct ModelConfig: Sendable, Equatable {
  /// The kind of model.
  public let family: ModelFamily
  /// The facts that are known.
  public private(set) var facts: [ConfigField: ConfigValue] = [:]
  /// Where each fact comes from.
  public private(set) var origins: [ConfigField: ConfigOrigin] = [:]

  /// A config of which nothing but the family is known.
  public init(family: ModelFamily) { self.family = family }

  /// The value of a fact, or nil.
  public subscript(field: ConfigField) -> ConfigValue? { facts[field] }

  /// The value of a whole number.
  public func integer(_ field: ConfigField) -> Int? {
    if case .integer(let value) = facts[field] { value } else { nil }
  }

  /// The value of a number.
  public func number(_ field: ConfigField) -> Double? {
    if case .number(let value) = facts[field] { value } else { nil }
  }

  /// The value of a list of whole numbers.
  public func integers(_ field: ConfigField) -> [Int]? {
    if case .integers(let values) = facts[field] { values } else { nil }
  }

  /// The value of a list of numbers.
  public func numbers(_ field: ConfigField) -> [Double]? {
    if case .numbers(let values) = facts[field] { values } else { nil }
  }

  /// The value of a word.
  public func text(_ field: ConfigField) -> String? {
    if case .text(let value) = facts[field] { value } else { nil }
  }

  /// Whether there is an image encoder.
  public var hasVision: Bool { facts[.visionWidth] != nil }
  /// Whether there is a text encoder.
  public var hasText: Bool { facts[.textWidth] != nil }
  /// Whether the image encoder is a ModifiedResNet.
  public var isResNet: Bool { facts[.visionStages] != nil }

  /// The facts as a JSON object, under the names of reports.
  public var json: JSONValue {
    var object = JSONObject()
    for field in ConfigField.allCases { object[field.rawValue] = facts[field]?.json }
    return .object(object)
  }

  /// Adds the facts that are not known yet. Facts about a tower that is not there are left out.
  /// - Returns: the fields for which `new` says something else than is known already.
  @discardableResult
  package mutating func add(_ new: ConfigFacts, from origin: ConfigOrigin) -> [ConfigField] {
    // The first source, the tensors, says which towers there are.
    let isFirst = facts.isEmpty
    var conflicts: [ConfigField] = []
    for field in ConfigField.allCases {
      guard let value = new[field], isFirst || applies(field) else { continue }
      if let known = facts[field] {
        if known != value { conflicts.append(field) }
      } else {
        facts[field] = value
        origins[field] = origin
      }
    }
    return conflicts
  }

  /// Whether this model has what a fact is about.
  func applies(_ field: ConfigField) -> Bool {
    let onlyTransformers: [ConfigField] = [
      .visionActivation, .visionEpsilon, .visionMLPWidth, .visionLayers, .visionPatchSize,
    ]
    if isResNet, onlyTransformers.contains(field) { return false }
    if field == .visionStages { return isResNet }
    if field.isAboutImages { return hasVision }
    return field.isAboutText ? hasText : true
  }

  /// The facts of unknowable fields that nothing states, and that this model has.
  var unknown: [ConfigField] {
    ConfigField.unknowable.filter { field in
      facts[field] == nil && applies(field)
    }
  }

  /// The config without one tower.
  func without(vision: Bool = false, text: Bool = false) -> ModelConfig {
    var copy = self
    for field in ConfigField.allCases {
      if vision && field.isAboutImages || text && field.isAboutText {
        copy.facts[field] = nil
        copy.origins[field] = nil
      }
    }
    return copy
  }
}
