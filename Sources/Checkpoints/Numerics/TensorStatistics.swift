/// What numbers a tensor holds: range, moments, and how many are not ordinary. Computed in double precision.
///
/// Any type is read: integers beyond 2^53 are rounded, and complex elements count as two numbers.
public struct TensorStatistics: Sendable, Equatable {
  /// How many numbers there are.
  public var count = 0
  /// The smallest finite number; NaN when there is none, like the three that follow.
  public var min = Double.nan
  /// The largest finite number.
  public var max = Double.nan
  /// The mean of the finite numbers.
  public var mean = Double.nan
  /// The root of the mean squared distance of the finite numbers from their mean.
  public var standardDeviation = Double.nan
  /// How many numbers are zero, of either sign.
  public var zeros = 0
  /// How many are NaN.
  public var nanCount = 0
  /// How many are positive infinity.
  public var positiveInfinities = 0
  /// How many are negative infinity.
  public var negativeInfinities = 0

  /// Reads the tensor once, in chunks: memory does not depend on its size.
  public init(_ tensor: Tensor) throws(FileError) {
    let reader = NumberReader(tensor)
    let buffers = NumberBuffers()
    defer { buffers.deallocate() }
    var total = Moments()
    var start = 0
    while start < reader.count {
      let length = Swift.min(NumberReader.chunk, reader.count - start)
      let numbers = try reader.read(length, from: start, as: reader.natural, buffers)
      total.merge(Kernels.describe(reader.natural, numbers, length))
      start += length
    }
    count = reader.count
    (zeros, nanCount) = (total.zeros, total.nan)
    (positiveInfinities, negativeInfinities) = (total.positiveInfinities, total.negativeInfinities)
    guard total.finite > 0 else { return }
    (min, max) = (total.min, total.max)
    mean = total.mean
    standardDeviation = (total.deviations / Double(total.finite)).squareRoot()
  }
}

/// Counts and sums over some numbers.
struct Moments {
  var count = 0
  var zeros = 0
  var nan = 0
  var positiveInfinities = 0
  var negativeInfinities = 0
  var min = Double.infinity
  var max = -Double.infinity
  var sum = 0.0
  /// The sum of squared distances of the finite numbers from their mean.
  var deviations = 0.0

  var finite: Int { count - nan - positiveInfinities - negativeInfinities }
  var mean: Double { sum / Double(finite) }

  mutating func merge(_ other: Moments) {
    // Chan, Golub, LeVeque 1979: nothing cancels, however far from zero the mean is.
    if finite > 0, other.finite > 0 {
      let (own, others) = (Double(finite), Double(other.finite))
      let distance = other.mean - mean
      deviations += distance * distance * (own * others / (own + others))
    }
    deviations += other.deviations
    count += other.count
    zeros += other.zeros
    nan += other.nan
    positiveInfinities += other.positiveInfinities
    negativeInfinities += other.negativeInfinities
    min = Swift.min(min, other.min)
    max = Swift.max(max, other.max)
    sum += other.sum
  }
}
