import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Collects what a cast does while its bytes are read.
///
/// A cast happens whenever its bytes are read, and is counted every time. One sequential read, as writers do it,
/// counts each element once, whatever the size of the chunks.
public final class CastTally: Sendable {
  /// What a cast did to the elements it has read so far.
  ///
  /// An error is |result - original|, over elements where both are finite.
  public struct Counts: Sendable, Equatable {
    /// How many elements were cast.
    public var elements = 0
    /// Originals that are NaN or infinite.
    public var nonFinite = 0
    /// The index in the tensor of the first of them.
    public var firstNonFinite: Int?
    /// Finite originals that became infinite (or NaN, in a block whose scale became infinite).
    public var overflows = 0
    /// Originals other than zero that became zero.
    public var underflows = 0
    /// The largest error.
    public var maxAbsoluteError = 0.0
    /// The largest error divided by |original|, over originals other than zero: 1 for a value that became zero, and
    /// large for one that became subnormal.
    public var maxRelativeError = 0.0
    /// The sum of the originals' squares, over finite ones with a finite result; 0 unless the target is a block type.
    public var signalPower = 0.0
    /// The sum of the squared errors; 0 unless the target is a block type.
    public var errorPower = 0.0

    /// Nothing cast yet.
    public init() {}

    /// Signal to quantization noise in decibels; nil when there is no signal, infinite when there is no error.
    public var signalToNoise: Double? { signalPower > 0 ? 10 * log10(signalPower / errorPower) : nil }

    /// Adds what happened to other elements; indices of `other` count from `offset`.
    public mutating func merge(_ other: Counts, at offset: Int = 0) {
      elements += other.elements
      nonFinite += other.nonFinite
      if let first = other.firstNonFinite {
        firstNonFinite = min(firstNonFinite ?? .max, first + offset)
      }
      overflows += other.overflows
      underflows += other.underflows
      maxAbsoluteError = max(maxAbsoluteError, other.maxAbsoluteError)
      maxRelativeError = max(maxRelativeError, other.maxRelativeError)
      signalPower += other.signalPower
      errorPower += other.errorPower
    }
  }

  private let state = Mutex(Counts())
  private let nonFiniteError: (@Sendable (Int) -> FileError)?

  /// Nothing read yet. With `nonFiniteError` a read that meets a NaN or an infinity throws what it makes of the first
  /// one's index in the tensor.
  public init(nonFiniteError: (@Sendable (Int) -> FileError)? = nil) { self.nonFiniteError = nonFiniteError }

  /// What happened so far.
  public var counts: Counts { state.withLock { $0 } }

  func merge(_ counts: Counts, at offset: Int) throws(FileError) {
    state.withLock { $0.merge(counts, at: offset) }
    if let nonFiniteError, let first = counts.firstNonFinite { throw nonFiniteError(first + offset) }
  }
}
