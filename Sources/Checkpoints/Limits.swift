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
  /// Inflated bytes for each compressed byte of a zip entry.
  public static let zipRatio = 1_000
  /// Bytes of one pickle.
  public static let pickle = 256 << 20
  /// Bytes of memory that the values of a pickle of any size may take, and how many more for each of its bytes.
  public static let pickleBase = 40 << 20
  /// See `pickleBase`.
  public static let pickleRatio = 16
  /// Bytes of a `.npy` header.
  public static let npyHeader = 10_000
  /// Bytes of a written array of texts, all as wide as the longest.
  public static let textArray = 4 << 30
  /// Bytes of a GGUF header: metadata and the list of tensors.
  public static let ggufHeader = 100_000_000
  /// The largest alignment of a GGUF file's tensors.
  public static let ggufAlignment = 1 << 20
  /// Bytes of a list of paths or prompts.
  public static let list = 256 << 20
  /// Bytes of one prompt.
  public static let prompt = 65_536
  /// Metadata keys in one checkpoint.
  public static let metadataKeys = 1_000_000
}
