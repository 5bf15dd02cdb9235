/// A run of immutable bytes that can be read in any order, from any thread.
///
/// Everything that holds tensor data is one: a file, memory, an inflated zip entry, a strided view, a cast. Nothing is
/// read before somebody asks, and nothing larger than the asked-for range needs to be in memory.
public protocol ByteSource: Sendable {
  /// How many bytes there are.
  var count: Int { get }
  /// Fills `buffer` with the bytes from `offset` on. The caller keeps `offset + buffer.count <= count`.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError)
  /// What is held in memory as a whole from the first read on, until all of it has been read or `release()`; nil for
  /// most sources, which are read as they go. Bytes that agree in it are best read one after the other.
  var loaded: ObjectIdentifier? { get }
  /// Whether a read that goes back starts from the beginning.
  var readsForward: Bool { get }
  /// Lets go of what is held in memory; it is loaded again when it is needed again.
  func release()
}

extension ByteSource {
  /// Most sources are read as they go.
  public var loaded: ObjectIdentifier? { nil }
  /// Most sources are read in any order.
  public var readsForward: Bool { false }
  /// Most sources hold nothing.
  public func release() {}
  /// Whether reading any of it holds about all of it in memory.
  public var loadsWhole: Bool { loaded != nil }
}

/// Immutable bytes: a list of ranges of sources. Slicing and concatenating copy no data.
public struct Bytes: Sendable, ByteSource {
  private struct Piece: Sendable {
    var source: any ByteSource
    var range: Range<Int>
  }
  private var pieces: [Piece] = []

  /// How many bytes there are.
  public private(set) var count = 0

  /// What is held in memory as a whole while they are read: the first of it when they have several parts.
  public var loaded: ObjectIdentifier? {
    for piece in pieces { if let loaded = piece.source.loaded { return loaded } }
    return nil
  }

  /// Whether a part of them starts from its beginning when it is read backwards.
  public var readsForward: Bool { pieces.contains { $0.source.readsForward } }

  /// Lets go of what their parts hold in memory.
  public func release() { for piece in pieces { piece.source.release() } }

  /// All bytes of a source.
  public init(_ source: any ByteSource) {
    if let bytes = source as? Bytes {
      self = bytes
    } else {
      append(Piece(source: source, range: 0..<source.count))
    }
  }

  /// Bytes in memory.
  public init(_ array: [UInt8]) { self.init(MemoryBytes(array)) }

  /// The parts one after the other.
  public init(concatenating parts: [Bytes]) {
    for part in parts { part.pieces.forEach { append($0) } }
  }

  private mutating func append(_ piece: Piece) {
    guard !piece.range.isEmpty else { return }
    pieces.append(piece)
    count += piece.range.count
  }

  /// A range of these bytes; throws `truncated` when it reaches beyond them, so that it may be called with numbers
  /// from a file.
  public func slice(_ offset: Int, _ length: Int) throws(FileError) -> Bytes {
    guard offset >= 0, length >= 0, offset <= count, length <= count - offset else {
      throw FileError(.truncated, "range of \(length) bytes at \(offset) reaches beyond the \(count) there are")
    }
    var result = Bytes([])
    var start = 0
    for piece in pieces where result.count < length {
      let end = start + piece.range.count
      let from = max(offset, start)
      let to = min(offset + length, end)
      if from < to {
        let lower = piece.range.lowerBound + from - start
        result.append(Piece(source: piece.source, range: lower..<(lower + to - from)))
      }
      start = end
    }
    return result
  }

  /// Fills `buffer` with the bytes from `offset` on.
  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    precondition(offset >= 0 && buffer.count <= count - offset, "read beyond the bytes")
    var done = 0
    var start = 0
    for piece in pieces where done < buffer.count {
      let end = start + piece.range.count
      if offset + done < end {
        let skip = offset + done - start
        let length = min(buffer.count - done, piece.range.count - skip)
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<(done + length)])
        try piece.source.read(at: piece.range.lowerBound + skip, into: target)
        done += length
      }
      start = end
    }
  }

  /// All bytes, in memory. The caller has checked that `count` is reasonable.
  public func load() throws(FileError) -> [UInt8] {
    var failure: FileError?
    let array = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      do throws(FileError) {
        try read(at: 0, into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count))
        initialized = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return array
  }

  /// Calls `body` with one chunk after the other, each at most `size` bytes, in one reused buffer.
  public func forEachChunk(
    of size: Int = 256 << 10, _ body: (UnsafeRawBufferPointer) throws(FileError) -> Void
  ) throws(FileError) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, min(size, count)), alignment: 64)
    defer { buffer.deallocate() }
    var offset = 0
    while offset < count {
      let length = min(size, count - offset)
      let chunk = UnsafeMutableRawBufferPointer(rebasing: buffer[..<length])
      try read(at: offset, into: chunk)
      try body(UnsafeRawBufferPointer(chunk))
      offset += length
    }
  }
}

/// Bytes held in an array.
struct MemoryBytes: ByteSource {
  let array: [UInt8]
  init(_ array: [UInt8]) { self.array = array }
  var count: Int { array.count }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    array.withUnsafeBytes {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + buffer.count)]))
    }
  }
}
