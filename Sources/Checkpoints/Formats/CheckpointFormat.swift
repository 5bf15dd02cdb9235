/// A file format that stores tensors by name.
///
/// A new one is a folder here, its line in `allFormats`, its page in `formats/` and a fixture; detection, the command
/// line's choices and the tests of every law iterate `allFormats`.
public protocol CheckpointFormat: Sendable {
  /// The name on the command line and in reports: `safetensors`.
  static var name: String { get }
  /// The extensions that choose this format for an output, the usual one first. Inputs are recognised by content.
  static var fileExtensions: [String] { get }
  /// Whether the file's content says that it is of this format.
  static func matches(_ file: InputFile) throws(FileError) -> Bool
  /// Reads names, shapes and metadata; the tensors' data is left in the file until it is asked for.
  static func read(_ file: InputFile, options: ReadOptions) throws(FileError) -> Checkpoint
  /// Throws `unsupported` when the format cannot store a tensor of this name and type.
  static func checkStorable(_ tensor: Tensor, named name: String) throws(FileError)
  /// Writes tensors in the order of their names' bytes: the same checkpoint gives the same bytes.
  static func write(_ checkpoint: Checkpoint, to output: FileWriter) throws(FileError)
}

/// Every format, in the order of detection: those with a magic number before those without.
public let allFormats: [any CheckpointFormat.Type] = [GGUF.self, PyTorch.self, NPZ.self, Safetensors.self, ONNX.self]

/// The choices a reader leaves to the user.
public struct ReadOptions: Sendable {
  /// Which member of a training checkpoint holds the tensors (`state_dict`, `ema`), when there are several.
  public var key: String?
  /// Refuse a file that holds anything but tensors and plain values, instead of listing what was skipped.
  public var strict: Bool
  /// How many bytes the compressed entries of a zip archive may inflate to for each of their own.
  public var maxRatio: Int

  /// The defaults: the only candidate, and generous.
  public init(key: String? = nil, strict: Bool = false, maxRatio: Int = Limits.zipRatio) {
    self.key = key
    self.strict = strict
    self.maxRatio = maxRatio
  }
}
