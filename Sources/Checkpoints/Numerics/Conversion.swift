/// How elements of one type become elements of another: by one kernel, or by two with f32 in between.
struct Conversion: Sendable {
  let source: DType
  let target: DType

  /// The target types that any floating-point or block type can be cast to.
  static let targets: [DType] = [.f16, .bf16, .f32, .f64, .q8_0]

  /// Nil when there is no such cast. A type can always be "cast" to itself.
  init?(from source: DType, to target: DType) {
    guard source == target || ((source.isFloat || source.isBlock) && Self.targets.contains(target)) else { return nil }
    self.source = source
    self.target = target
  }

  /// Elements are converted in units, which are whole blocks of both types.
  var unitElements: Int { max(source.blockElements, target.blockElements) }
  var sourceUnitBytes: Int { unitElements / source.blockElements * source.blockBytes }
  var targetUnitBytes: Int { unitElements / target.blockElements * target.blockBytes }

  /// Whether the bytes stay as they are: nothing to convert, only to scan.
  var isIdentity: Bool { source == target }

  /// Bytes of scratch memory for each element.
  static let scratchBytes = 4

  /// Converts `count` elements, a multiple of `unitElements`, of different types.
  ///
  /// Values go through f32 unless one kernel does it, which loses nothing but for f64 to a block type: the reference
  /// for those is defined on f32. `scratch` has room for `count` elements of f32.
  func convert(
    _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, count: Int, scratch: UnsafeMutableRawPointer
  ) -> CastTally.Counts {
    if let narrow = Kernels.narrower(from: source, to: target) { return narrow(from, to, count) }
    if target == .f32 {
      Kernels.widener(of: source)?(from, to, count)
      return Kernels.scan(.f32, to, count)
    }
    if source == .f32 { return narrowFromF32(from, to, count: count) }

    guard let narrow = Kernels.narrower(from: source, to: .f32) else {
      Kernels.widener(of: source)?(from, scratch, count)
      return narrowFromF32(scratch, to, count: count)
    }
    var counts = narrow(from, scratch, count)
    var second = narrowFromF32(scratch, to, count: count)
    // What overflowed in the first step is not finite for the second, and was counted.
    (second.elements, second.nonFinite, second.firstNonFinite) = (0, 0, nil)
    counts.merge(second)
    return counts
  }

  private func narrowFromF32(_ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer, count: Int) -> CastTally.Counts {
    if let narrow = Kernels.narrower(from: .f32, to: target) { return narrow(from, to, count) }
    Kernels.widenToF64(from, to, count)
    return Kernels.scan(.f32, from, count)
  }

  /// Counts what is not finite in elements of the source type.
  func scan(_ from: UnsafeRawPointer, count: Int, scratch: UnsafeMutableRawPointer) -> CastTally.Counts {
    guard source.isBlock, let widen = Kernels.widener(of: source) else { return Kernels.scan(source, from, count) }
    widen(from, scratch, count)
    return Kernels.scan(.f32, scratch, count)
  }
}
