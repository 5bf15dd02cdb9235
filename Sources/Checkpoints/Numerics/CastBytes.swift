/// Bytes of one element type, converted from another while they are read.
///
/// Any range may be read; ranges that begin and end on whole blocks of both types are the fast ones.
package struct CastBytes: ByteSource {
  private let bytes: Bytes
  private let conversion: Conversion
  private let tally: CastTally?
  package let count: Int
  /// Elements converted at a time: source, scratch and target stay in the second-level cache.
  private static let chunkElements = 32 << 10

  /// Throws `unsupported` when there is no such cast, and `mismatch` when `bytes` ends within an element.
  package init(_ bytes: Bytes, from source: DType, to target: DType, tally: CastTally? = nil) throws(FileError) {
    guard let conversion = Conversion(from: source, to: target) else {
      throw FileError(.unsupported, "\(source) is not cast to \(target)")
    }
    let (units, rest) = bytes.count.quotientAndRemainder(dividingBy: conversion.sourceUnitBytes)
    let (count, overflow) = units.multipliedReportingOverflow(by: conversion.targetUnitBytes)
    guard rest == 0, !overflow else {
      throw FileError(
        .mismatch, "\(bytes.count) bytes of \(source) are not whole units of \(conversion.unitElements) elements")
    }
    self.bytes = bytes
    self.conversion = conversion
    self.tally = tally
    self.count = count
  }

  package var loaded: ObjectIdentifier? { bytes.loaded }
  package var readsForward: Bool { bytes.readsForward }
  package func release() { bytes.release() }

  /// Converts the units that the range touches. Those that it covers only partly are counted by the read that has
  /// their first byte.
  package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    guard !buffer.isEmpty else { return }
    let unit = conversion.targetUnitBytes
    let room = min(
      max(Self.chunkElements, conversion.unitElements), (buffer.count / unit + 1) * conversion.unitElements)
    let work = Workspace(conversion, elements: room)
    defer { work.deallocate() }

    var done = 0
    while done < buffer.count {
      let (first, skip) = (offset + done).quotientAndRemainder(dividingBy: unit)
      let whole = (buffer.count - done) / unit
      if skip == 0, whole > 0 {
        let units = min(whole, room / conversion.unitElements)
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<(done + units * unit)])
        try convert(units: units, from: first, into: target, work, isCounted: true)
        done += target.count
      } else {
        let length = min(unit - skip, buffer.count - done)
        try convert(units: 1, from: first, into: work.unit, work, isCounted: skip == 0)
        let part = UnsafeRawBufferPointer(rebasing: work.unit[skip..<(skip + length)])
        UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).copyMemory(from: part)
        done += length
      }
    }
  }

  private func convert(
    units: Int, from first: Int, into target: UnsafeMutableRawBufferPointer, _ work: Workspace, isCounted: Bool
  ) throws(FileError) {
    let elements = units * conversion.unitElements
    let offset = first * conversion.sourceUnitBytes
    guard let to = target.baseAddress, let scratch = work.scratch.baseAddress else { return }
    let counts: CastTally.Counts
    if conversion.isIdentity {
      try bytes.read(at: offset, into: target)
      counts = conversion.scan(to, count: elements, scratch: scratch)
    } else {
      let source = UnsafeMutableRawBufferPointer(rebasing: work.source[..<(units * conversion.sourceUnitBytes)])
      try bytes.read(at: offset, into: source)
      guard let from = source.baseAddress else { return }
      counts = conversion.convert(from, to, count: elements, scratch: scratch)
    }
    if isCounted { try tally?.merge(counts, at: first * conversion.unitElements) }
  }
}

/// Memory for one read: source and scratch for a chunk, target for one unit.
private struct Workspace {
  let source: UnsafeMutableRawBufferPointer
  let scratch: UnsafeMutableRawBufferPointer
  let unit: UnsafeMutableRawBufferPointer

  init(_ conversion: Conversion, elements: Int) {
    let units = elements / conversion.unitElements
    source = .allocate(byteCount: units * conversion.sourceUnitBytes, alignment: 64)
    scratch = .allocate(byteCount: elements * Conversion.scratchBytes, alignment: 64)
    unit = .allocate(byteCount: conversion.targetUnitBytes, alignment: 64)
  }

  func deallocate() {
    source.deallocate()
    scratch.deallocate()
    unit.deallocate()
  }
}

extension Tensor {
  /// The same values as `dtype`, converted while they are read: correctly rounded (nearest, ties to even), or
  /// quantized as GGUF's reference does. What that does to them is added to `tally`.
  ///
  /// Floating-point and block types can be cast to f16, bf16, f32, f64 and q8_0. Any type can be cast to itself: that
  /// counts what is not finite. Throws `unsupported` for other pairs, and for a shape that the type cannot store.
  public func cast(to dtype: DType, tally: CastTally? = nil) throws(FileError) -> Tensor {
    if dtype == self.dtype, tally == nil { return self }
    if dtype.isBlock {
      guard let last = shape.last, last % dtype.blockElements == 0 else {
        throw FileError(
          .unsupported,
          "last dimension of shape \(shape) is not a multiple of \(dtype)'s block of \(dtype.blockElements)")
      }
    }
    let cast = try CastBytes(bytes, from: self.dtype, to: dtype, tally: tally)
    return try Tensor(dtype: dtype, shape: shape, bytes: Bytes(cast))
  }
}
