public import Checkpoints

/// What became of the inputs of one run.
public struct EmbeddingReport: Sendable {
  /// How many inputs there were and how many have a row.
  public struct Tally: Sendable, Equatable {
    /// The inputs of this shard.
    public var inputs: Int
    /// Those that have a row.
    public var embedded = 0
  }

  /// The model's path.
  public let model: String
  /// The model's dialect.
  public let dialect: String
  /// The length of a row.
  public let dimension: Int
  /// Whether rows are of length 1.
  public let isNormalized: Bool
  /// The part of the inputs.
  public let shard: Shard
  /// The output's path; nil for lines that were given away.
  public let output: String?
  /// The output's format.
  public let format: String
  /// The output's size.
  public internal(set) var bytes = 0
  /// The images, when some were asked for.
  public internal(set) var images: Tally?
  /// The prompts, when some were asked for.
  public internal(set) var prompts: Tally?
  /// Files of directories that are no images.
  public internal(set) var skipped = 0
  /// Prompts of more tokens than the model takes.
  public internal(set) var truncated = 0
  /// Why inputs have no row, in their order.
  public internal(set) var failures: [FileError] = []
  /// What a user should know.
  public internal(set) var warnings: [String] = []
}
