#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How two tensors differ, number by number. Computed in double precision.
///
/// Any types can be compared: integers beyond 2^53 are rounded, and complex elements count as two numbers.
public struct TensorComparison: Sendable, Equatable {
  /// Whether the tensors hold the same: the same bytes when they have one type, and the same numbers (0 equals -0, NaN
  /// equals NaN) otherwise.
  public var isEqual = true
  /// How many numbers differ in value.
  public var differing = 0
  /// How many of them are NaN in one tensor only.
  public var nanMismatches = 0
  /// The largest |a - b| where neither is NaN.
  public var maxAbsolute = 0.0
  /// The first place where that occurs, counted from 0; nil when all are equal.
  public var maxAbsoluteIndex: Int?
  /// `maxAbsolute` divided by the largest finite |a|; infinite when that is zero and the difference is not.
  public var relative = 0.0
  /// The Euclidean distance between the tensors, over the numbers that are finite in both.
  public var distance = 0.0
  /// The cosine of the angle between the tensors, over the numbers that are finite in both: 1 when both are zero there,
  /// 0 when one is or when a sum of squares is too large for a double.
  public var cosine = 1.0

  /// Reads both tensors in chunks: memory does not depend on their size. Throws `mismatch` when one holds more numbers
  /// than the other.
  public init(_ a: Tensor, _ b: Tensor) throws(FileError) {
    let (first, second) = (NumberReader(a), NumberReader(b))
    guard first.count == second.count else {
      throw FileError(.mismatch, "\(a.dtype) \(a.shape) and \(b.dtype) \(b.shape) hold different counts of numbers")
    }
    // Most tensors that are compared are equal, and comparing bytes is much faster.
    let isOneType = a.dtype == b.dtype
    if isOneType, try Self.sameBytes(a.bytes, b.bytes) { return }

    let common: DType = first.natural == .f64 || second.natural == .f64 ? .f64 : .f32
    let buffers = (NumberBuffers(), NumberBuffers())
    defer {
      buffers.0.deallocate()
      buffers.1.deallocate()
    }
    var total = Difference()
    var start = 0
    while start < first.count {
      let length = min(NumberReader.chunk, first.count - start)
      let numbers = try first.read(length, from: start, as: common, buffers.0)
      let others = try second.read(length, from: start, as: common, buffers.1)
      total.merge(Kernels.compare(common, numbers, others, length), at: start)
      start += length
    }
    isEqual = !isOneType && total.differing == 0
    (differing, nanMismatches) = (total.differing, total.nanMismatches)
    (maxAbsolute, maxAbsoluteIndex) = (total.maxAbsolute, total.maxIndex)
    relative = maxAbsolute == 0 ? 0 : maxAbsolute / total.maxMagnitude
    (distance, cosine) = (total.dd.squareRoot(), total.cosine)
  }

  private static func sameBytes(_ a: Bytes, _ b: Bytes) throws(FileError) -> Bool {
    let size = 256 << 10
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * size, alignment: 64)
    defer { buffer.deallocate() }
    var offset = 0
    while offset < a.count {
      let length = min(size, a.count - offset)
      let first = UnsafeMutableRawBufferPointer(rebasing: buffer[..<length])
      let second = UnsafeMutableRawBufferPointer(rebasing: buffer[size..<(size + length)])
      try a.read(at: offset, into: first)
      try b.read(at: offset, into: second)
      guard let from = first.baseAddress, let to = second.baseAddress, memcmp(from, to, length) == 0 else {
        return false
      }
      offset += length
    }
    return true
  }
}

/// Counts and sums over some pairs of numbers.
struct Difference {
  var differing = 0
  var nanMismatches = 0
  var maxAbsolute = 0.0
  var maxIndex: Int?
  var maxMagnitude = 0.0
  var ab = 0.0
  var aa = 0.0
  var bb = 0.0
  var dd = 0.0

  /// Adds other pairs, which begin at `offset`.
  mutating func merge(_ other: Difference, at offset: Int) {
    differing += other.differing
    nanMismatches += other.nanMismatches
    if other.maxAbsolute > maxAbsolute {
      maxAbsolute = other.maxAbsolute
      maxIndex = other.maxIndex.map { $0 + offset }
    }
    maxMagnitude = max(maxMagnitude, other.maxMagnitude)
    ab += other.ab
    aa += other.aa
    bb += other.bb
    dd += other.dd
  }

  var cosine: Double {
    let lengths = aa.squareRoot() * bb.squareRoot()
    guard lengths > 0, lengths.isFinite else { return aa == 0 && bb == 0 ? 1 : 0 }
    return max(-1, min(1, ab / lengths))
  }
}
