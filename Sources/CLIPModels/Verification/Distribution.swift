/// Some numbers in short: their range, mean and percentiles.
public struct Distribution: Sendable, Equatable {
  /// The smallest.
  public let min: Double
  /// A hundredth of the numbers is below it.
  public let percentile1: Double
  /// A twentieth of the numbers is below it.
  public let percentile5: Double
  /// The median.
  public let median: Double
  /// The arithmetic mean.
  public let mean: Double

  /// From its parts.
  public init(min: Double, percentile1: Double, percentile5: Double, median: Double, mean: Double) {
    (self.min, self.percentile1, self.percentile5) = (min, percentile1, percentile5)
    (self.median, self.mean) = (median, mean)
  }

  /// Of finite numbers; nil when there are none. Percentiles are interpolated between neighbours, as NumPy does.
  public init?(_ numbers: [Double]) {
    let sorted = numbers.sorted()
    guard let first = sorted.first else { return nil }
    func percentile(_ percent: Double) -> Double {
      let position = Double(sorted.count - 1) * percent / 100
      let below = Int(position)
      let above = Swift.min(below + 1, sorted.count - 1)
      return sorted[below] + (sorted[above] - sorted[below]) * (position - Double(below))
    }
    self.init(
      min: first, percentile1: percentile(1), percentile5: percentile(5), median: percentile(50),
      mean: sorted.reduce(0, +) / Double(sorted.count))
  }
}
