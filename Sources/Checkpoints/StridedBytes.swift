import Synchronization

/// The elements of a strided view (a transposed matrix, every second row), gathered in row-major order.
///
/// The part of the base that the view reaches is loaded at the first read and kept until the last byte has been
/// read, so a sequential reader loads it once and nothing stays in memory after it. Who reads a part only calls
/// `release()` when it has read all the parts that it wants.
public final class StridedBytes: ByteSource {
  /// How many bytes the gathered elements take.
  public let count: Int
  private let base: Bytes
  private let elementSize: Int
  private let shape: [Int]
  private let strides: [Int]
  private let storage = Mutex<[UInt8]?>(nil)

  /// A view of `base`, in elements of `elementSize` (1, 2, 4 or 8) bytes.
  ///
  /// - Parameters:
  ///   - shape: the view's dimensions, outermost first.
  ///   - strides: how many elements apart neighbours in each dimension are; not negative.
  ///   - offset: the element of `base` where the view starts.
  /// - Throws: `malformed` when the view reaches beyond `base` or its size overflows.
  public init(_ base: Bytes, elementSize: Int, shape: [Int], strides: [Int], offset: Int = 0) throws(FileError) {
    let elements = try DType.elementCount(of: shape)
    guard shape.count == strides.count, offset >= 0, strides.allSatisfy({ $0 >= 0 }) else {
      throw FileError(.malformed, "strides \(strides) and offset \(offset) do not fit shape \(shape)")
    }
    let end = elements == 0 ? offset : try Self.end(shape, strides, offset)
    let available = base.count / elementSize
    guard end <= available else {
      throw FileError(
        .malformed,
        "view of shape \(shape), strides \(strides) at \(offset) needs \(end) elements, the storage holds \(available)")
    }
    let (bytes, overflow) = elements.multipliedReportingOverflow(by: elementSize)
    guard !overflow else { throw FileError(.malformed, "shape \(shape) overflows") }
    self.base = try base.slice(offset * elementSize, (end - offset) * elementSize)
    self.elementSize = elementSize
    self.shape = shape
    self.strides = strides
    count = bytes
    guard !isSparse || !base.readsForward else {
      throw FileError(
        .unsupported, "view of \(count) bytes, far apart in \(self.base.count) that are compressed, is not read",
        hint: "Write the archive again without compression")
    }
  }

  /// One past the last element that the view reaches.
  private static func end(_ shape: [Int], _ strides: [Int], _ offset: Int) throws(FileError) -> Int {
    var last = offset
    for (size, stride) in zip(shape, strides) {
      let (distance, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
      let (sum, overflow2) = last.addingReportingOverflow(distance)
      guard !overflow, !overflow2, sum < Int.max else {
        throw FileError(.malformed, "strides \(strides) of shape \(shape) overflow")
      }
      last = sum
    }
    return last + 1
  }

  /// How many bytes of its base it reaches over.
  var reach: Int { base.count }

  /// Neighbours in the view are far apart in the base.
  public var loaded: ObjectIdentifier? { isSparse ? nil : ObjectIdentifier(self) }

  /// Lets go of the base; it is loaded again when it is read again.
  public func release() { storage.withLock { $0 = nil } }

  /// Whether the view reaches over much more than it takes, a column of a large matrix say: then its elements are read
  /// one by one, so that memory follows the view and not its reach.
  private var isSparse: Bool { base.count > 16 << 20 && base.count / 4 > count }

  /// Gathers the elements that the range touches.
  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    guard !buffer.isEmpty else { return }
    guard !isSparse else { return try gatherSparsely(at: offset, into: buffer) }
    // Mutex.withLock does not carry typed errors through a closure that captures inout state: load outside.
    let cached = storage.withLock { $0 }
    let bytes = if let cached { cached } else { try base.load() }
    gather(from: bytes, at: offset, into: buffer)
    storage.withLock { $0 = offset + buffer.count < count ? bytes : nil }
  }

  private func gather(from storage: [UInt8], at offset: Int, into buffer: UnsafeMutableRawBufferPointer) {
    let first = offset / elementSize
    let end = (offset + buffer.count + elementSize - 1) / elementSize
    if offset % elementSize == 0, buffer.count % elementSize == 0 {
      storage.withUnsafeBytes { copyElements(first..<end, from: $0, to: buffer) }
    } else {
      // A read that cuts elements: gather whole ones, then take the part.
      let whole = UnsafeMutableRawBufferPointer.allocate(byteCount: (end - first) * elementSize, alignment: 8)
      defer { whole.deallocate() }
      storage.withUnsafeBytes { copyElements(first..<end, from: $0, to: whole) }
      let skip = offset - first * elementSize
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: whole[skip..<(skip + buffer.count)]))
    }
  }

  private func gatherSparsely(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    var done = 0
    while done < buffer.count {
      let (element, skip) = (offset + done).quotientAndRemainder(dividingBy: elementSize)
      let length = min(elementSize - skip, buffer.count - done)
      var (rest, position) = (element, 0)
      for dimension in shape.indices.reversed() {
        position += rest % shape[dimension] * strides[dimension]
        rest /= shape[dimension]
      }
      let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<(done + length)])
      try base.read(at: position * elementSize + skip, into: target)
      done += length
    }
  }

  /// Copies elements `range` of the view, run by run along the last dimension.
  private func copyElements(
    _ range: Range<Int>, from storage: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer
  ) {
    var index = [Int](repeating: 0, count: shape.count)
    var rest = range.lowerBound
    for dimension in shape.indices.reversed() {
      index[dimension] = rest % shape[dimension]
      rest /= shape[dimension]
    }
    let rowLength = shape.last ?? 1
    let step = strides.last ?? 0
    var done = 0
    while done < range.count {
      let run = min(rowLength - (index.last ?? 0), range.count - done)
      let source = zip(index, strides).reduce(0) { $0 + $1.0 * $1.1 }
      copyRun(run, storage, source, step, target, done)
      done += run
      advance(&index, by: run)
    }
  }

  private func advance(_ index: inout [Int], by run: Int) {
    guard var dimension = shape.indices.last else { return }
    index[dimension] += run
    while dimension > 0, index[dimension] == shape[dimension] {
      index[dimension] = 0
      dimension -= 1
      index[dimension] += 1
    }
  }

  private func copyRun(
    _ run: Int, _ storage: UnsafeRawBufferPointer, _ source: Int, _ step: Int,
    _ target: UnsafeMutableRawBufferPointer, _ position: Int
  ) {
    func copy<T: BitwiseCopyable>(as type: T.Type) {
      for element in 0..<run {
        let value = storage.loadUnaligned(fromByteOffset: (source + element * step) * elementSize, as: T.self)
        target.storeBytes(of: value, toByteOffset: (position + element) * elementSize, as: T.self)
      }
    }
    switch elementSize {
    case 1: copy(as: UInt8.self)
    case 2: copy(as: UInt16.self)
    case 4: copy(as: UInt32.self)
    default: copy(as: UInt64.self)
    }
  }
}

extension Tensor {
  /// A matrix with its rows and columns exchanged; gathered when it is read.
  public func transposed() throws(FileError) -> Tensor {
    guard shape.count == 2, !dtype.isBlock else {
      throw FileError(.mismatch, "cannot transpose \(dtype) \(shape)")
    }
    let flipped = [shape[1], shape[0]]
    let view = try StridedBytes(bytes, elementSize: dtype.blockBytes, shape: flipped, strides: [1, shape[1]])
    return try Tensor(dtype: dtype, shape: flipped, bytes: Bytes(view))
  }
}
