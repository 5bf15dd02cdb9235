public import Checkpoints

/// The sha256 of each tensor of a model, and of the model: the same in every format, dialect and layout that holds the
/// same numbers. `formats/manifest.md` defines it.
public struct Manifest: Sendable, Equatable {
  /// One tensor under its canonical name.
  public struct Entry: Sendable, Equatable {
    /// The canonical name; the file's own where the checkpoint is no CLIP.
    public var name: String
    /// The type of the elements.
    public var dtype: String
    /// The canonical shape.
    public var shape: [Int]
    /// The sha256 of the canonical tensor's bytes, in hexadecimal.
    public var hash: String

    /// `HASH  NAME DTYPE SHAPE`, as a manifest has it.
    public var line: String {
      "\(hash)  \(printedName) \(dtype) [\(shape.map(String.init).joined(separator: ","))]"
    }

    /// The name with control characters escaped, so that it stays on its line.
    var printedName: String { escaped(name, limit: .max) }
  }

  /// The tensors in the order of their names' bytes.
  public let entries: [Entry]

  /// The sha256 of the entries' lines, each ended by a newline.
  public let modelHash: String

  /// Hashes a model on `threads` threads, all cores by default.
  public init(_ model: CLIPModel, threads: Int? = nil, onProgress: (@Sendable (Int, Int) -> Void)? = nil)
    throws(FileError)
  {
    try self.init(model.everyTensor(), threads: threads, onProgress: onProgress)
  }

  /// Hashes a checkpoint's tensors under the names they have.
  public init(_ checkpoint: Checkpoint, threads: Int? = nil, onProgress: (@Sendable (Int, Int) -> Void)? = nil)
    throws(FileError)
  {
    if let error = checkpoint.unreadable.first { throw error }
    let named = checkpoint.sortedNames.compactMap { name in checkpoint[name].map { (name: name, tensor: $0) } }
    let total = checkpoint.byteCount
    entries = try parallelMap(over: named.map(\.tensor.bytes), threads: threads) { (index) throws(FileError) -> Entry in
      let (name, tensor) = named[index]
      do throws(FileError) {
        let hash = SHA256.hex(try SHA256.hash(of: tensor.bytes))
        onProgress?(tensor.bytes.count, total)
        return Entry(name: name, dtype: tensor.dtype.rawValue, shape: tensor.shape, hash: hash)
      } catch {
        throw error.located(tensor: name)
      }
    }
    let all = SHA256()
    for entry in entries { Array((entry.line + "\n").utf8).withUnsafeBytes { all.update($0) } }
    modelHash = SHA256.hex(try all.finalize())
  }
}
