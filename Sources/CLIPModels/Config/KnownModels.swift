/// Published models by the shapes of their image encoder: what shapes do not tell, their authors did.
///
/// Sources: OpenAI's CLIP (clip/model.py and its released files), open_clip's model configs, big_vision's SigLIP.
struct KnownModel: Sendable {
  let name: String
  let family: ModelFamily
  let width: Int
  /// Blocks of a vision transformer.
  let layers: Int
  /// Bottlenecks of a ResNet.
  let stages: [Int]
  let heads: Int

  private init(_ name: String, _ width: Int, _ layers: Int, heads: Int, family: ModelFamily = .clip) {
    (self.name, self.width, self.layers, self.heads, self.family) = (name, width, layers, heads, family)
    stages = []
  }

  private init(resNet name: String, _ width: Int, _ stages: [Int]) {
    (self.name, self.width, self.stages, family) = (name, width, stages, .clip)
    (layers, heads) = (0, width * 32 / 64)
  }

  static let all: [KnownModel] = [
    KnownModel("ViT-B", 768, 12, heads: 12), KnownModel("ViT-L", 1024, 24, heads: 16),
    KnownModel("ViT-H", 1280, 32, heads: 16), KnownModel("ViT-g", 1408, 40, heads: 16),
    KnownModel("ViT-bigG", 1664, 48, heads: 16), KnownModel("ViT-S", 384, 12, heads: 6),
    KnownModel("SigLIP ViT-B", 768, 12, heads: 12, family: .siglip),
    KnownModel("SigLIP ViT-L", 1024, 24, heads: 16, family: .siglip),
    KnownModel("SigLIP SO400M", 1152, 27, heads: 16, family: .siglip),
    KnownModel("SigLIP ViT-g", 1536, 40, heads: 16, family: .siglip),
    KnownModel(resNet: "RN50", 64, [3, 4, 6, 3]), KnownModel(resNet: "RN101", 64, [3, 4, 23, 3]),
    KnownModel(resNet: "RN50x4", 80, [4, 6, 10, 6]), KnownModel(resNet: "RN50x16", 96, [6, 8, 18, 8]),
    KnownModel(resNet: "RN50x64", 128, [3, 15, 36, 10]),
  ]

  /// The published model of these shapes.
  static func matching(_ config: ModelConfig) -> KnownModel? {
    all.first {
      $0.family == config.family && .integer($0.width) == config[.visionWidth]
        && $0.layers == config.integer(.visionLayers) ?? 0 && $0.stages == config.integers(.visionStages) ?? []
    }
  }
}

/// A maker's conventions, for the facts that a user knows and a file does not tell.
public enum Conventions: String, Sendable, CaseIterable {
  /// OpenAI's releases.
  case openai
  /// LAION-2B and DataComp models of open_clip: exact GELU, OpenAI's preprocessing.
  case laion
  /// SigLIP and SigLIP 2 of fixed resolution.
  case siglip

  var facts: ConfigFacts {
    switch self {
    case .openai: Self.clip(.quickGELU, .openAI, .openAI)
    case .laion: Self.clip(.gelu, .openCLIP, .openCLIP)
    case .siglip:
      [
        .visionActivation: .text(Activation.geluTanh.rawValue), .textActivation: .text(Activation.geluTanh.rawValue),
        .textPooling: .text(TextPooling.last.rawValue), .visionEpsilon: .number(1e-6), .textEpsilon: .number(1e-6),
        .textTokenizer: .text(TokenizerDialect.sentencePiece.rawValue),
        .imageMean: .numbers([0.5, 0.5, 0.5]), .imageStd: .numbers([0.5, 0.5, 0.5]),
        .imageInterpolation: .text("bicubic"), .imageResizeMode: .text("squash"),
        .imagePreprocessing: .text(PreprocessingDialect.huggingFace.rawValue),
      ]
    }
  }

  private static func clip(
    _ activation: Activation, _ tokenizer: TokenizerDialect, _ preprocessing: PreprocessingDialect
  ) -> ConfigFacts {
    [
      .visionActivation: .text(activation.rawValue), .textActivation: .text(activation.rawValue),
      .textPooling: .text(TextPooling.argmax.rawValue), .visionEpsilon: .number(1e-5), .textEpsilon: .number(1e-5),
      .textTokenizer: .text(tokenizer.rawValue), .textPaddingID: .integer(0),
      .imageMean: .numbers([0.48145466, 0.4578275, 0.40821073]),
      .imageStd: .numbers([0.26862954, 0.26130258, 0.27577711]),
      .imageInterpolation: .text("bicubic"), .imageResizeMode: .text("shortest"),
      .imagePreprocessing: .text(preprocessing.rawValue),
    ]
  }
}
