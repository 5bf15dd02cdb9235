public import Checkpoints

/// The differences of two models, tensor by tensor under canonical names.
public struct ModelDifference: Sendable {
  /// One tensor that is in both.
  public struct Entry: Sendable {
    /// The canonical name; the files' own where a checkpoint is no CLIP.
    public var name: String
    /// The shape.
    public var shape: [Int]
    /// The types of the elements.
    public var dtypes: (a: DType, b: DType)
    /// How far the values are apart; nil when the shapes differ.
    public var comparison: TensorComparison?
    /// The shape in the second model, when it is another.
    public var otherShape: [Int]?
  }

  /// The tensors in both, in the order of their names' bytes.
  public let entries: [Entry]
  /// Tensors of the first only.
  public let onlyInA: [String]
  /// Tensors of the second only.
  public let onlyInB: [String]

  /// Whether every tensor is in both, of the same shape, and no value is further apart than `tolerance`.
  public func isWithin(_ tolerance: Double) -> Bool {
    onlyInA.isEmpty && onlyInB.isEmpty
      && entries.allSatisfy { entry in
        guard let comparison = entry.comparison else { return false }
        return comparison.isEqual || comparison.nanMismatches == 0 && comparison.maxAbsolute <= tolerance
      }
  }

  /// Compares two checkpoints by name, on `threads` threads.
  public init(
    _ a: Checkpoint, _ b: Checkpoint, threads: Int? = nil, onProgress: (@Sendable (Int, Int) -> Void)? = nil
  ) throws(FileError) {
    for error in a.unreadable + b.unreadable { throw error }
    onlyInA = a.sortedNames.filter { b[$0] == nil }
    onlyInB = b.sortedNames.filter { a[$0] == nil }
    let pairs = a.sortedNames.compactMap { name in
      a[name].flatMap { first in b[name].map { (name: name, a: first, b: $0) } }
    }
    let total = pairs.reduce(0) { $0 + $1.a.bytes.count }
    let bytes = pairs.map { Bytes(concatenating: [$0.a.bytes, $0.b.bytes]) }
    entries = try parallelMap(over: bytes, threads: threads) { (index) throws(FileError) -> Entry in
      let pair = pairs[index]
      var entry = Entry(name: pair.name, shape: pair.a.shape, dtypes: (pair.a.dtype, pair.b.dtype))
      if pair.a.shape == pair.b.shape {
        do throws(FileError) {
          entry.comparison = try TensorComparison(pair.a, pair.b)
        } catch {
          throw error.located(tensor: pair.name)
        }
      } else {
        entry.otherShape = pair.b.shape
      }
      onProgress?(pair.a.bytes.count, total)
      return entry
    }
  }
}

/// Compares two models in any format and dialect.
///
/// Where both are a CLIP, tensors are compared under canonical names and in canonical layout; otherwise under the
/// names they have.
public func diff(
  _ a: Checkpoint, _ b: Checkpoint, threads: Int? = nil, onProgress: (@Sendable (Int, Int) -> Void)? = nil
) throws(FileError) -> ModelDifference {
  if let first = try CLIPModel(a), let second = try CLIPModel(b) {
    return try ModelDifference(
      first.everyTensor(), second.everyTensor(), threads: threads, onProgress: onProgress)
  }
  return try ModelDifference(a, b, threads: threads, onProgress: onProgress)
}
