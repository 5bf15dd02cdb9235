public import Checkpoints

/// A checkpoint that is recognised as a two-tower model: its config, and its tensors under canonical names.
///
/// Opening reads headers only.
public struct CLIPModel: Sendable {
  /// The checkpoint as it is in the file, wrappers' prefixes taken off.
  public let checkpoint: Checkpoint
  /// The naming of the file.
  public let dialect: Dialect
  /// What the model is.
  public let config: ModelConfig
  /// The tensors under canonical names: those of OpenAI's and open_clip's native class, `formats/dialects.md`.
  public var tensors: Checkpoint { mapping.canonical }
  /// What a user should know.
  public let notes: [String]
  /// What does not fit: missing tensors, wrong shapes, side-cars that contradict the tensors.
  public let problems: [FileError]
  /// What a config asks of an encoder that is not computed.
  let unsupportedEncoding: [ConfigLimits.Statement]
  let mapping: CanonicalMapping
  /// What a config asks of the preprocessing of images that `Preprocessor` does not do.
  let unsupportedPreprocessing: [String]
  /// The config files that were read: inputs, which no output may replace.
  let configFiles: [FileIdentity]

  /// Recognises the model in a checkpoint; nil when no dialect names its tensors.
  ///
  /// - Throws: what a config file's contents say.
  public init?(_ checkpoint: Checkpoint, options: ConfigOptions = ConfigOptions()) throws(FileError) {
    let (recovered, graph) = try ONNXRecovery.recovered(checkpoint)
    let (checkpoint, prefixNotes) = try PrefixPeeling.peel(recovered)
    guard let dialect = Dialect.recognise(checkpoint) else { return nil }
    var mapping = try CanonicalMapping(checkpoint, dialect: dialect)
    for name in ["logit_scale", "logit_bias"] where mapping.canonical[name] == nil {
      if let (value, dtype) = MetadataConfig.scalar(name, checkpoint.metadata) {
        try mapping.addScalar(name, value, dtype: dtype)
      }
    }
    var resolver = ConfigResolver(canonical: mapping.canonical, checkpoint: checkpoint, dialect: dialect)
    resolver.addGraph(graph)
    let isOpenAIRelease =
      dialect == .openAI && checkpoint.formatDetail.contains("TorchScript")
      && (checkpoint["input_resolution"] != nil || checkpoint.metadata["input_resolution"] != nil)
    try resolver.resolve(
      checkpoint: checkpoint,
      directory: checkpoint.files.first.map { sideCarDirectory(of: $0.path, with: configNames) } ?? ".",
      isOpenAIRelease: isOpenAIRelease, options: options)
    self.checkpoint = checkpoint
    self.dialect = dialect
    self.mapping = mapping
    config = resolver.config
    configFiles = resolver.files
    unsupportedPreprocessing = resolver.unsupportedPreprocessing
    unsupportedEncoding = resolver.unsupportedEncoding
    notes = prefixNotes + resolver.notes
    problems = mapping.problems + resolver.conflicts + Self.check(mapping.canonical, resolver.config)
  }

  /// The tensors under canonical names, and those that no dialect names under their own: all that two equal models must
  /// have alike. Buffers that conversions drop are left out.
  /// - Throws: for a tensor that is not read, or of which a part is missing.
  func everyTensor() throws(FileError) -> Checkpoint {
    if let error = checkpoint.unreadable.first ?? mapping.problems.first {
      throw error.located(file: checkpoint.files.first?.path)
    }
    var all = mapping.canonical
    for name in mapping.extras { if let tensor = checkpoint[name] { try all.add(tensor, named: name) } }
    return all
  }

  /// Opens a file, a directory or an index; nil when it holds a checkpoint that is no CLIP.
  public static func open(
    _ path: String, reading: ReadOptions = ReadOptions(), options: ConfigOptions = ConfigOptions()
  ) throws(FileError) -> CLIPModel? {
    try CLIPModel(Checkpoint.open(path, options: reading), options: options)
  }

  /// Tensors that are missing or of another shape than the config says.
  private static func check(_ canonical: Checkpoint, _ config: ModelConfig) -> [FileError] {
    var problems: [FileError] = []
    if let patches = canonical["visual.conv1.weight"], patches.shape.count != 4 {
      let kind = "patch embedding of shape \(patches.shape) is a linear layer, as SigLIP 2 NaFlex has: not known"
      problems.append(FileError(.unsupported, kind, tensor: "visual.conv1.weight"))
    }
    // The shapes of these are facts of the config, so that without them nothing is expected.
    for (name, isNeeded) in [
      ("visual.positional_embedding", config.hasVision && !config.isResNet),
      ("positional_embedding", config.hasText),
    ] where isNeeded && canonical[name] == nil {
      problems.append(
        FileError(
          .mismatch, "not in the checkpoint", tensor: name,
          hint: "Positions that are computed, not learned, are not known"))
    }
    for expected in CanonicalTensors(config).list {
      guard let tensor = canonical[expected.name] else {
        if expected.isRequired, !problems.contains(where: { $0.tensor == expected.name }) {
          problems.append(FileError(.mismatch, "not in the checkpoint", tensor: expected.name))
        }
        continue
      }
      if tensor.shape != expected.shape, tensor.shape != expected.otherShape {
        problems.append(
          FileError(
            .mismatch, "shape \(tensor.shape), expected \(expected.shape)", tensor: expected.name))
      }
    }
    return problems
  }
}

/// The config files that libraries write.
let configNames = ["config.json", "open_clip_config.json", "preprocessor_config.json", "visual/preprocess_cfg.json"]

/// Where the files beside a model's weights lie: in their directory, or, where that is the one that layouts of ONNX have
/// for graphs and none of `names` is in it, above it.
func sideCarDirectory(of path: String, with names: [String]) -> String {
  let own = directory(of: path)
  guard ["onnx", "visual", "textual"].contains(lastComponent(of: own)),
    !names.contains(where: { FileIdentity(path: "\(own)/\($0)") != nil })
  else { return own }
  return directory(of: own)
}

/// Where the tokenizer's files of a model lie.
func vocabularyDirectory(of path: String) -> String {
  sideCarDirectory(of: path, with: ["tokenizer.json", "tokenizer_config.json", "vocab.json", "spiece.model"])
}

/// The directory part of a path, `.` when there is none.
func directory(of path: String) -> String {
  guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
  let directory = String(path[..<slash])
  return directory.isEmpty ? "/" : directory
}
