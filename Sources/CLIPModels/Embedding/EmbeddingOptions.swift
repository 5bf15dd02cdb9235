public import Checkpoints

/// How embeddings are made and written.
public struct EmbeddingOptions {
  /// How the model is read.
  public var reading = ReadOptions()
  /// Where the config comes from.
  public var config = ConfigOptions()
  /// What of a damaged or huge picture is decoded.
  public var decoding = ImageDecodingOptions()
  /// Divide each row by its length.
  public var normalizes = true
  /// The images, or prompts, that are encoded together. No number changes with it.
  public var batch = 32
  /// Threads; nil: all cores.
  public var threads: Int?
  /// The part of the inputs that is embedded.
  public var shard = Shard.whole
  /// End at the first input that fails.
  public var failsFast = false
  /// Store the model's hash.
  public var provenance = false
  /// What may be replaced, and whether to flush.
  public var policy = FileWriter.Policy()
  /// The version that the output names as its maker.
  public var toolVersion = ""
  /// Called with the number of inputs done since the last call, and of all.
  public var onProgress: ((_ done: Int, _ total: Int) -> Void)?
  /// Called with the error of an input that fails, when it does.
  public var onFailure: ((FileError) -> Void)?

  /// Rows of length 1 of every input.
  public init() {}
}

/// Where embeddings go.
public enum EmbeddingTarget {
  /// A file, whose extension is its format.
  case file(String)
  /// JSON lines, given away batch by batch.
  case lines((String) -> Void)
}
