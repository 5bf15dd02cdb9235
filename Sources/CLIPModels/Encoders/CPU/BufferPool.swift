import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Memory for activations, lent and taken back: touching fresh pages costs more than filling warm ones.
final class BufferPool: Sendable {
  fileprivate struct Block: @unchecked Sendable {
    let start: UnsafeMutablePointer<Float>
    let capacity: Int
  }
  private let free = Mutex<[Block]>([])

  deinit { free.withLock { $0.forEach { Glibc.free($0.start) } } }

  /// Memory for `count` numbers, not cleared, aligned to 64 bytes.
  func buffer(_ count: Int) -> Buffer {
    let block = free.withLock { blocks -> Block? in
      let fits = blocks.indices.filter { blocks[$0].capacity >= count && blocks[$0].capacity / 4 <= count }
      return fits.min { blocks[$0].capacity < blocks[$1].capacity }.map { blocks.remove(at: $0) }
    }
    return Buffer(block ?? Self.allocate(count), pool: self)
  }

  fileprivate func takeBack(_ block: Block) { free.withLock { $0.append(block) } }

  private static func allocate(_ count: Int) -> Block {
    let hugePage = 2 << 20
    let bytes = max(64, count * MemoryLayout<Float>.stride)
    let isLarge = bytes >= hugePage
    let size = isLarge ? (bytes + hugePage - 1) / hugePage * hugePage : (bytes + 63) / 64 * 64
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, isLarge ? hugePage : 64, size) == 0, let memory else {
      fatalError("no memory for \(size) bytes of activations")
    }
    #if canImport(Glibc)
      if isLarge { madvise(memory, size, Int32(MADV_HUGEPAGE)) }
    #endif
    let count = size / MemoryLayout<Float>.stride
    return Block(start: memory.bindMemory(to: Float.self, capacity: count), capacity: count)
  }
}

/// Memory lent by a pool, which gets it back when nobody holds this any more.
final class Buffer: @unchecked Sendable {
  private let block: BufferPool.Block
  private let pool: BufferPool

  fileprivate init(_ block: BufferPool.Block, pool: BufferPool) {
    self.block = block
    self.pool = pool
  }

  deinit { pool.takeBack(block) }

  var start: UnsafeMutablePointer<Float> { block.start }
}
