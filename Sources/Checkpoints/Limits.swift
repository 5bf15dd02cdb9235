/// How much an untrusted file may ask for before it is refused. Each limit is checked before memory is allocated.
public enum Limits {
  /// Bytes of a safetensors header, as the Rust reader allows.
  public static let safetensorsHeader = 100_000_000
  /// Bytes of a JSON side-car (config, index, tokenizer).
  public static let json = 64 << 20
  /// Bytes of one text to be tokenized.
  public static let text = 1 << 20
  /// Nesting of JSON and of pickled containers.
  public static let nesting = 100
  /// Tensors in one checkpoint.
  public static let tensors = 250_000
  /// Files of one sharded checkpoint.
  public static let shards = 10_000
  /// Dimensions of one tensor.
  public static let dimensions = 32
  /// Entries of one zip archive.
  public static let zipEntries = 65_536
  /// Bytes of a zip archive's directory: names and extra fields of all entries.
  public static let zipDirectory = 64 << 20
  /// Inflated bytes for each compressed byte, over all deflated entries of a zip archive that together inflate to more
  /// than `zipRatioFloor`; `ReadOptions.maxRatio` allows more. Weights reach 10, tensors of zeros 1,030.
  public static let zipRatio = 100
  /// See `zipRatio`.
  public static let zipRatioFloor = 64 << 20
  /// The most that deflate can make of one byte.
  static let deflateRatio = 1_032
  /// Bytes to which a deflated pickle or JSON may inflate, unless it is at most `headerRatio` times its size.
  static let inflatedHeader = 4 << 20
  /// See `inflatedHeader`.
  static let headerRatio = 16
  /// Bytes that tensors may inflate when they share deflated entries, besides 8 times what the entries hold.
  static let sharedInflation = 1 << 30
  /// How often a view with strides of 0 may repeat its storage.
  static let repetitions = 1_000
  /// Bytes of one pickle.
  public static let pickle = 256 << 20
  /// Bytes of memory that the values of a pickle or of JSON of any size may take.
  public static let valuesBase = 40 << 20
  /// How many more for each byte that a pickle takes in the file.
  public static let pickleRatio = 16
  /// How many more for each byte of JSON.
  public static let jsonRatio = 6
  /// Values of a pickle that may be looked at when its tensors are found, however it shares them, and how many more
  /// for each of its bytes.
  static let visitsBase = 1 << 20
  /// See `visitsBase`.
  static let visitsRatio = 16
  /// Bytes of the name of a class or function, and of the key of a storage.
  static let pickledName = 1 << 10
  /// Bytes of a `.npy` header.
  public static let npyHeader = 10_000
  /// Bytes of a written array of texts, all as wide as the longest.
  public static let textArray = 4 << 30
  /// Bytes of a GGUF header: metadata and the list of tensors.
  public static let ggufHeader = 100_000_000
  /// The largest alignment of a GGUF file's tensors.
  public static let ggufAlignment = 1 << 20
  /// Bytes of an ONNX model without the data of its tensors.
  static let onnxSkeleton = 64 << 20
  /// Bytes of the path of a file with its tensors' data.
  static let onnxLocation = 4_096
  /// How many bytes of memory each of them may take, besides `valuesBase`.
  static let onnxRatio = 6
  /// Bytes of a list of paths or prompts.
  public static let list = 256 << 20
  /// Bytes of one prompt.
  public static let prompt = 65_536
  /// Metadata keys in one checkpoint.
  public static let metadataKeys = 1_000_000
  /// Tokens of one SentencePiece vocabulary.
  public static let pieces = 1_000_000
  /// Bytes of one piece.
  public static let pieceBytes = 1_024
}
