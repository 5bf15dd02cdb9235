import Checkpoints

/// What operators work with: memory, threads, and the making of tensors.
struct Workshop: Sendable {
  let memory: EvaluationMemory
  let team: WorkTeam

  init(threads: Int, memory: EvaluationMemory) {
    self.memory = memory
    team = WorkTeam(threads: max(1, threads))
  }

  /// A tensor whose elements `fill` sets, all of them.
  func make<Value: BitwiseCopyable>(
    _ dtype: DType, _ shape: [Int], as type: Value.Type,
    _ fill: (UnsafeMutableBufferPointer<Value>) throws(FileError) -> Void
  ) throws(FileError) -> DenseTensor {
    precondition(MemoryLayout<Value>.size == dtype.blockBytes, "\(dtype) written as \(type)")
    let bytes = try dtype.byteCount(shape: shape)
    let count = bytes / dtype.blockBytes
    try memory.charge(count)
    let storage = try memory.storage(bytes)
    try fill(UnsafeMutableBufferPointer(start: storage.start.assumingMemoryBound(to: Value.self), count: count))
    return DenseTensor(dtype: dtype, shape: shape, storage: storage)
  }

  /// A tensor of these elements.
  func make<Value: BitwiseCopyable>(
    _ dtype: DType, _ shape: [Int], _ values: [Value]
  ) throws(FileError) -> DenseTensor {
    try make(dtype, shape, as: Value.self) { target in _ = target.update(fromContentsOf: values) }
  }

  /// A row of whole numbers: a shape, or axes.
  func make(integers: [Int]) throws(FileError) -> DenseTensor {
    try make(.i64, [integers.count], integers.map(Int64.init))
  }

  /// A tensor of a file, read into memory.
  func load(_ tensor: Tensor) throws(FileError) -> DenseTensor {
    guard !tensor.dtype.isBlock else { throw FileError(.unsupported, "elements of type \(tensor.dtype)") }
    let storage = try memory.storage(tensor.bytes.count)
    try tensor.bytes.read(at: 0, into: UnsafeMutableRawBufferPointer(start: storage.start, count: tensor.bytes.count))
    if tensor.dtype == .bool {
      // Whatever is not zero is true, and one afterwards.
      let bytes = UnsafeMutableRawBufferPointer(start: storage.start, count: tensor.bytes.count)
      for index in bytes.indices where bytes[index] > 1 { bytes[index] = 1 }
    }
    return DenseTensor(dtype: tensor.dtype, shape: tensor.shape, storage: storage)
  }

  // MARK: 16-bit floats

  /// f16 and bf16 as f32, in which they are computed; others as they are.
  func widened(_ tensor: DenseTensor) throws(FileError) -> DenseTensor {
    guard let widen = Kernels.widener(of: tensor.dtype) else { return tensor }
    return try make(.f32, tensor.shape, as: Float.self) { target in
      tensor.read(UInt16.self) { source in
        guard let from = source.baseAddress, let to = target.baseAddress, source.count > 0 else { return }
        widen(from, to, source.count)
      }
    }
  }

  /// f32 and f64 rounded to a 16-bit type; others as they are.
  func narrowed(_ tensor: DenseTensor, to dtype: DType) throws(FileError) -> DenseTensor {
    guard [.f16, .bf16].contains(dtype), let narrow = Kernels.narrower(from: tensor.dtype, to: dtype) else {
      return tensor
    }
    return try make(dtype, tensor.shape, as: UInt16.self) { target in
      tensor.readRaw { source in
        guard let from = source.baseAddress, let to = target.baseAddress, tensor.count > 0 else { return }
        _ = narrow(from, to, tensor.count)
      }
    }
  }

  /// Runs `body` for ranges that together are `0..<count`, on all threads when `count × cost` is worth it.
  func forEachRange(_ count: Int, cost: Int = 1, _ body: (Range<Int>) -> Void) {
    let work = count.multipliedReportingOverflow(by: max(1, cost))
    let worthwhile = work.overflow ? Int.max : work.partialValue / (16 << 10)
    let parts = min(count, worthwhile, team.threads * 4)
    guard parts > 1 else { return body(0..<count) }
    team.run(parts) { part in body((count * part / parts)..<(count * (part + 1) / parts)) }
  }
}
