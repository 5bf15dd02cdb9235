// Stands in for the casts, statistics and comparison that are about to land. DELETE THIS FILE in the commit that lands them.

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
