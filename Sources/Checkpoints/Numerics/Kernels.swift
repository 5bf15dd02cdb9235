internal import CKernels

/// The C kernels of the fastest instruction set that this machine has, by type.
package enum Kernels {
  nonisolated(unsafe) private static let table = ck_kernels(ck_level_count() - 1).pointee

  /// The name of the instruction set.
  static let level = String(cString: table.name)

  /// Turns `count` elements of `dtype` into f32, exactly (f64 aside); nil for types that have no kernel.
  package static func widener(of dtype: DType) -> ((UnsafeRawPointer, UnsafeMutableRawPointer, Int) -> Void)? {
    let kernel: (@convention(c) (UnsafeRawPointer, UnsafeMutableRawPointer, Int) -> Void)? =
      switch dtype {
      case .f16: table.f16_to_f32
      case .bf16: table.bf16_to_f32
      case .q8_0: table.q8_0_to_f32
      case .q4_0: table.q4_0_to_f32
      case .q4_1: table.q4_1_to_f32
      case .q5_0: table.q5_0_to_f32
      case .q5_1: table.q5_1_to_f32
      default: nil
      }
    return kernel.map { kernel in { kernel($0, $1, $2) } }
  }

  /// Turns `count` elements of f32 into f64.
  static func widenToF64(_ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ count: Int) {
    table.f32_to_f64(source, target, count)
  }

  /// Rounds `count` elements of one type to another and says what that did; nil for pairs that have no kernel.
  package static func narrower(
    from source: DType, to target: DType
  ) -> ((UnsafeRawPointer, UnsafeMutableRawPointer, Int) -> CastTally.Counts)? {
    let kernel:
      (@convention(c) (UnsafeRawPointer, UnsafeMutableRawPointer, Int, UnsafeMutablePointer<ck_tally>) -> Void)? =
        switch (source, target) {
        case (.f32, .f16): table.f32_to_f16
        case (.f32, .bf16): table.f32_to_bf16
        case (.f32, .q8_0): table.f32_to_q8_0
        case (.f64, .f32): table.f64_to_f32
        case (.f64, .f16): table.f64_to_f16
        case (.f64, .bf16): table.f64_to_bf16
        default: nil
        }
    return kernel.map { kernel in
      { source, target, count in
        var tally = ck_tally()
        kernel(source, target, count, &tally)
        return CastTally.Counts(tally, elements: count)
      }
    }
  }

  /// Counts what is not finite in `count` elements of a plain floating-point type; other types have nothing to count.
  static func scan(_ dtype: DType, _ source: UnsafeRawPointer, _ count: Int) -> CastTally.Counts {
    var scan = ck_scan()
    switch dtype {
    case .f16: table.scan_f16(source, count, &scan)
    case .bf16: table.scan_bf16(source, count, &scan)
    case .f32: table.scan_f32(source, count, &scan)
    case .f64: table.scan_f64(source, count, &scan)
    default: break
    }
    var counts = CastTally.Counts()
    counts.elements = count
    counts.nonFinite = Int(scan.nonfinite)
    counts.firstNonFinite = scan.nonfinite > 0 ? Int(scan.first_nonfinite) : nil
    return counts
  }

  /// Statistics of `count` numbers of type f32 or f64.
  static func describe(_ dtype: DType, _ numbers: UnsafeRawPointer, _ count: Int) -> Moments {
    var result = ck_statistics()
    (dtype == .f64 ? table.describe_f64 : table.describe_f32)(numbers, count, &result)
    return Moments(
      count: count, zeros: Int(result.zeros), nan: Int(result.nan), positiveInfinities: Int(result.positive_infinity),
      negativeInfinities: Int(result.negative_infinity), min: result.min, max: result.max, sum: result.sum,
      deviations: result.deviations)
  }

  /// Compares `count` numbers of type f32 or f64.
  static func compare(_ dtype: DType, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Difference {
    var result = ck_comparison()
    (dtype == .f64 ? table.compare_f64 : table.compare_f32)(a, b, count, &result)
    return Difference(
      differing: Int(result.differing), nanMismatches: Int(result.nan_mismatch), maxAbsolute: result.max_absolute,
      maxIndex: result.max_absolute > 0 ? Int(result.max_index) : nil, maxMagnitude: result.max_magnitude,
      ab: result.ab, aa: result.aa, bb: result.bb, dd: result.dd)
  }
}

extension CastTally.Counts {
  fileprivate init(_ tally: ck_tally, elements: Int) {
    self.elements = elements
    nonFinite = Int(tally.nonfinite)
    firstNonFinite = tally.nonfinite > 0 ? Int(tally.first_nonfinite) : nil
    overflows = Int(tally.overflow)
    underflows = Int(tally.underflow)
    maxAbsoluteError = tally.max_absolute
    maxRelativeError = tally.max_relative
    signalPower = tally.signal
    errorPower = tally.noise
  }
}
