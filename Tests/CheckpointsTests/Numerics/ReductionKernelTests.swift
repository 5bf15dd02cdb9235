import CKernels
import Checkpoints
import Testing

/// Scans, comparison and statistics: every level gives the bits of the scalar reference, whose results
/// `TensorReductionTests` holds against numpy's.
@Suite struct ReductionKernelTests {
  /// Ordinary numbers, a few of every other kind, and steps in size so that new maxima come late.
  private static func floats(_ count: Int, ordinary: Bool, seed: UInt64) -> [Float] {
    var noise = Noise(state: seed)
    let special: [Float] = [
      .nan, .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, -3e38, -.nan,
    ]
    return (0..<count).map { index in
      let value = Float.random(in: -1...1, using: &noise) * Float(index / 13 + 1)
      guard !ordinary, Int.random(in: 0..<9, using: &noise) == 0 else { return value }
      return special.randomElement(using: &noise) ?? value
    }
  }

  /// Calls `body` with the numbers at an address that is `shift` beyond an aligned one.
  private func at<T: BitwiseCopyable, R>(_ shift: Int, _ values: [T], _ body: (UnsafeRawPointer) -> R) -> R {
    var padded = [UInt8](repeating: 0xFF, count: shift)
    padded += bytes(values)
    padded += [UInt8](repeating: 0xFF, count: 64)
    return padded.withUnsafeBytes { body($0.baseAddress! + shift) }
  }

  @Test(arguments: KernelLevel.all) func comparisonsAgree(_ level: KernelLevel) {
    for count in 0...130 {
      for (shift, ordinary) in [(0, true), (1, false), (4, true), (7, false)] {
        let a = Self.floats(count, ordinary: ordinary, seed: UInt64(count))
        let noisy = Self.floats(count, ordinary: ordinary, seed: UInt64(count / 2))
        let b = zip(a, noisy).enumerated().map { $0 % 3 == 0 ? $1.0 : $1.1 }
        let results = [KernelLevel.scalar, level].map { level in
          var result = ck_comparison()
          at(shift, a) { a in at(shift, b) { b in level.table.compare_f32(a, b, count, &result) } }
          return result
        }
        #expect(results[0].values == results[1].values, "\(count) elements at \(shift)")
      }
    }
  }

  @Test(arguments: KernelLevel.all) func statisticsAgree(_ level: KernelLevel) {
    for count in 0...130 {
      for (shift, ordinary) in [(0, true), (1, false), (4, true), (7, false)] {
        let values = Self.floats(count, ordinary: ordinary, seed: UInt64(count))
        let results = [KernelLevel.scalar, level].map { level in
          var result = ck_statistics()
          at(shift, values) { level.table.describe_f32($0, count, &result) }
          return result
        }
        #expect(results[0].values == results[1].values, "\(count) elements at \(shift)")
      }
    }
  }

  /// Runs that have nothing finite, and zeros of both signs.
  @Test(arguments: KernelLevel.all) func extremesOfStatistics(_ level: KernelLevel) {
    for value in [Float.nan, .infinity, -.infinity, 0, -0.0, .greatestFiniteMagnitude] {
      for count in [0, 1, 16, 33] {
        var result = ck_statistics()
        at(1, [Float](repeating: value, count: count)) { level.table.describe_f32($0, count, &result) }
        let hasFinite = value.isFinite && count > 0
        #expect(result.min.bitPattern == (hasFinite ? Double(value) + 0 : .infinity).bitPattern)
        #expect(result.max.bitPattern == (hasFinite ? Double(value) + 0 : -.infinity).bitPattern)
        #expect(result.nan == (value.isNaN ? count : 0) && result.zeros == (value == 0 ? count : 0))
        #expect(result.positive_infinity == (value == .infinity ? count : 0))
        #expect(result.negative_infinity == (value == -.infinity ? count : 0))
        #expect(result.sum == (value.isFinite ? Double(value) * Double(count) : 0))
      }
    }
  }

  /// Every place of one bad element, and of two, against where it was put.
  @Test(arguments: KernelLevel.all) func scansFindEveryPlace(_ level: KernelLevel) {
    for count in [0, 1, 31, 63, 64, 65, 127, 128, 129, 130, 257] {
      for place in 0..<max(1, count) {
        let table = level.table
        check(count, place, UInt16(0x7BFF), [0x7C00, 0xFC01]) { table.scan_f16($0, $1, $2) }
        check(count, place, UInt16(0x7F7F), [0xFF80, 0x7FFF]) { table.scan_bf16($0, $1, $2) }
        check(count, place, UInt32(0xFF7F_FFFF), [0x7F80_0000, 0xFFFF_FFFF]) { table.scan_f32($0, $1, $2) }
        check(count, place, UInt64(0x7FEF_FFFF_FFFF_FFFF), [0x7FF0_0000_0000_0000, 0xFFF0_0000_0000_0001]) {
          table.scan_f64($0, $1, $2)
        }
      }
    }
  }

  private func check<T: FixedWidthInteger & BitwiseCopyable>(
    _ count: Int, _ place: Int, _ finite: T, _ bad: [T],
    _ scan: (UnsafeRawPointer, Int, UnsafeMutablePointer<ck_scan>) -> Void
  ) {
    var values = [T](repeating: finite, count: count)
    var found = ck_scan(nonfinite: 99, first_nonfinite: 99)
    // The shift is followed by bytes that are not finite on both sides of the run.
    at(3, values) { scan($0, count, &found) }
    #expect(found.nonfinite == 0 && found.first_nonfinite == 0)
    guard place < count else { return }
    values[place] = bad[0]
    values[count - 1] = bad[1]
    at(3, values) { scan($0, count, &found) }
    #expect(found.nonfinite == (place == count - 1 ? 1 : 2) && found.first_nonfinite == place)
  }
}

extension ck_comparison {
  /// The bits of all fields, to compare.
  var values: [UInt64] {
    [differing, nan_mismatch, max_index] + [max_absolute, max_magnitude, ab, aa, bb, dd].map(\.bitPattern)
  }
}

extension ck_statistics {
  /// The bits of all fields, to compare.
  var values: [UInt64] {
    [zeros, nan, positive_infinity, negative_infinity] + [min, max, sum, deviations].map(\.bitPattern)
  }
}
