public import Checkpoints

/// Which encoders are kept.
public enum TowerSelection: String, Sendable, CaseIterable {
  case both, image, text

  func keeps(_ canonicalName: String) -> Bool {
    switch self {
    case .both: true
    case .image: canonicalName.hasPrefix("visual.") || canonicalName.hasPrefix("logit_")
    case .text: !canonicalName.hasPrefix("visual.")
    }
  }
}

/// A directory that a library loads: weights, config and tokenizer under the names it looks for.
public enum DirectoryLayout: String, Sendable, CaseIterable {
  /// transformers' `from_pretrained`.
  case hf
  /// open_clip's `local-dir:`.
  case openCLIP = "open_clip"
  /// transformers.js: ONNX files in `onnx/`, for both encoders and for each alone.
  case transformersJS = "transformers.js"
  /// Optimum's ONNX directory: one `model.onnx`.
  case optimum
  /// immich's: `visual/` and `textual/`.
  case immich
  /// One ONNX file and nothing beside it.
  case flat

  /// Whether it is of ONNX files only.
  var isONNX: Bool { ![.hf, .openCLIP].contains(self) }

  /// Whether the tokenizer's files are beside the weights.
  var hasTokenizer: Bool { ![.openCLIP, .flat].contains(self) }
}

/// What a conversion to ONNX does besides.
public struct ONNXOptions: Sendable {
  /// The version of ONNX's operators; nil: 17.
  public var opset: Int?
  /// Whether embeddings are divided by their length; nil: as the layout's consumers expect.
  public var normalizes: Bool?
  /// Whether batch norms are computed into the convolutions before them.
  public var foldsNorms = false

  /// When the tensors' data goes to a file beside the model; nil: `auto`.
  public var externalData: ExternalData?

  /// When the tensors' data goes to a file beside the model.
  public enum ExternalData: String, Sendable, CaseIterable {
    /// When it does not fit into one file of 2 GiB.
    case auto
    case always
    case never
  }

  /// Operators of version 17, as the layout's consumers expect.
  public init() {}

  /// The options that ask for something, as the command line calls them.
  var given: [String] {
    var names: [String] = []
    if opset != nil { names.append("--opset") }
    if let normalizes { names.append(normalizes ? "--normalize" : "--no-normalize") }
    if externalData != nil { names.append("--external-data") }
    if foldsNorms { names.append("--fold-batch-norm") }
    return names
  }
}

/// What a conversion does besides copying.
public struct ConversionOptions: Sendable {
  /// How the source is read.
  public var reading = ReadOptions()
  /// The output's format by name; nil: by the output's extension.
  public var format: String?
  /// The output's dialect by name; nil: the source's, or the layout's.
  public var dialect: String?
  /// The type that floating-point tensors are cast to; nil keeps them.
  public var dtype: DType?
  /// Quantize tensors that hold NaN or infinities, whose blocks then read back as NaN.
  public var allowNonFinite = false
  /// Which encoders are kept.
  public var towers = TowerSelection.both
  /// Write a directory for a library instead of a file.
  public var layout: DirectoryLayout?
  /// The size of a shard's tensors in bytes, at most, where one tensor is not larger.
  public var shardSize: Int?
  /// What a conversion to ONNX does besides.
  public var onnx = ONNXOptions()
  /// Where the config comes from.
  public var config = ConfigOptions()
  /// What may be replaced, and whether to flush.
  public var policy = FileWriter.Policy()
  /// Plan and measure only.
  public var dryRun = false
  /// Store the source's sha256 and the model's hash.
  public var provenance = false
  /// Threads for hashing; nil: all cores.
  public var threads: Int?
  /// The version that the output names as its maker.
  public var toolVersion = ""
  /// Called with the bytes of tensor data written since the last call, and the total.
  public var onProgress: (@Sendable (_ written: Int, _ total: Int) -> Void)?

  /// A plain copy into another format.
  public init() {}

  /// Whether the output is of ONNX files.
  func isONNX(_ output: String) -> Bool {
    if let format { return format == "onnx" }
    if let layout, layout != .flat { return layout.isONNX }
    return layout == .flat || lastComponent(of: output).lowercased().hasSuffix(".onnx")
  }
}
