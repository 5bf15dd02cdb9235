public import Checkpoints

/// One side of a verification: what was recorded, or a model to be recorded now.
public enum VerificationSource: Sendable {
  case golden(Golden)
  /// A model, and what it is called.
  case model(CLIPModel, name: String)

  /// Opens a golden file, or a model in any format.
  /// - Throws: `unsupported` when it is neither.
  public init(
    _ path: String, reading: ReadOptions = ReadOptions(), config: ConfigOptions = ConfigOptions()
  ) throws(FileError) {
    let checkpoint = try Checkpoint.open(path, options: reading)
    if Golden.isGolden(checkpoint) {
      self = .golden(try Golden.open(path))
    } else {
      guard let model = try CLIPModel(checkpoint, options: config) else {
        throw FileError(.unsupported, "neither a golden file nor a CLIP that a dialect names", file: path)
      }
      self = .model(model, name: lastComponent(of: path))
    }
  }
}

extension VerificationSource {
  /// The files that it is read from.
  public var files: [FileIdentity] {
    switch self {
    case .golden(let golden): golden.checkpoint.files.map(\.identity)
    case .model(let model, _): model.checkpoint.files.map(\.identity)
    }
  }
}

/// How a verification is done.
public struct VerificationOptions: Sendable {
  /// The encoders that are compared.
  public var towers = TowerSelection.both
  /// Whether what is inside the encoders is compared, where it is known.
  public var blocks = true
  /// Whether the candidate takes the reference's token ids instead of its prompts.
  public var givesIDs = false
  /// Threads; all cores when nil.
  public var threads: Int?
  /// What recordings say of who made them.
  public var producer = "clipkit"
  /// Is told how many inputs a model encoded just now, and of how many.
  public var onProgress: (@Sendable (Int, Int) -> Void)?

  /// Both encoders, inside too.
  public init() {}
}

/// Compares a candidate with a reference; models among them are recorded with the other side's inputs, or with `inputs`.
///
/// - Returns: the comparison, and the reference that it was made with.
/// - Throws: `usage` when both are models and there are no inputs, or when a golden file would need other inputs.
public func verify(
  _ candidate: VerificationSource, against reference: VerificationSource, inputs: GoldenInputs? = nil,
  options: VerificationOptions = VerificationOptions()
) throws(FileError) -> (result: Verification, reference: Golden) {
  var recording = GoldenRecorder.Options()
  (recording.towers, recording.threads, recording.producer) = (options.towers, options.threads, options.producer)
  recording.onProgress = options.onProgress
  let expected: Golden
  switch reference {
  case .golden(let golden):
    guard inputs == nil else { throw FileError(.usage, "the reference is a golden file, which has its own inputs") }
    expected = golden
  case .model(let model, let name):
    (recording.name, recording.blocks) = (name, options.blocks)
    var given = inputs
    if case .golden(let golden) = candidate {
      guard inputs == nil else { throw FileError(.usage, "the candidate is a golden file, which has its own inputs") }
      given = try GoldenInputs(golden, asIDs: options.givesIDs)
      recording.blocks = options.blocks && golden.hasBlocks
    }
    guard let given else {
      throw FileError(.usage, "two models, and nothing to give them", hint: "Use --images, --prompts or both")
    }
    expected = try GoldenRecorder.record(model, given, options: recording)
    // Against NaN every candidate would be right.
    try expected.checkNumbers()
  }
  var result: Verification
  switch candidate {
  case .golden(let golden): result = try verify(golden, against: expected, towers: options.towers)
  case .model(let model, let name):
    (recording.name, recording.blocks) = (name, options.blocks && expected.hasBlocks)
    let given = try GoldenInputs(expected, asIDs: options.givesIDs)
    result = try verify(
      GoldenRecorder.record(model, given, options: recording), against: expected, towers: options.towers)
  }
  if result.prompts.count > 0, expected.prompts == nil || options.givesIDs {
    result.notes.append("tokens are the reference's: no tokenizer was compared")
  }
  return (result, expected)
}

extension Golden {
  /// Whether what is inside an encoder was recorded.
  var hasBlocks: Bool { stages.contains { $0.group == .hidden } }
}
