// Stands in for the casts, statistics and comparison that are about to land. DELETE THIS FILE in the commit that lands them.

/// Counts what a cast did.
public final class CastTally: Sendable {
  /// The counts.
  public struct Counts: Sendable {
    /// Non-finite inputs.
    public var nonFinite = 0
    /// Element index of the first.
    public var firstNonFinite: Int?
    /// Finite inputs that became infinite.
    public var overflows = 0
    /// Non-zero inputs that became zero.
    public var underflows = 0
    /// The largest absolute rounding error.
    public var maxAbsoluteError = 0.0
    /// The largest relative rounding error.
    public var maxRelativeError = 0.0
  }
  /// The counts so far.
  public var counts: Counts { Counts() }
  /// None yet.
  public init() {}
}

extension Tensor {
  /// Casts.
  public func cast(to dtype: DType, tally: CastTally? = nil) throws(FileError) -> Tensor {
    guard dtype == self.dtype else { throw FileError(.unsupported, "not yet") }
    return self
  }
}

/// Statistics.
public struct TensorStatistics: Sendable {
  /// A value.
  public var min = 0.0, max = 0.0, mean = 0.0, standardDeviation = 0.0
  /// A count.
  public var count = 0, zeros = 0, nanCount = 0, positiveInfinities = 0, negativeInfinities = 0
  /// Reads.
  public init(_ tensor: Tensor) throws(FileError) {}
}

/// Comparison.
public struct TensorComparison: Sendable {
  /// A value.
  public var maxAbsolute = 0.0, relative = 0.0, cosine = 1.0
  /// A count.
  public var nanMismatches = 0
  /// Whether all is equal.
  public var isEqual = true
  /// Reads.
  public init(_ a: Tensor, _ b: Tensor) throws(FileError) {}
}
