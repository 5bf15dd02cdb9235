import Synchronization

/// Memory for activations, lent and taken back: touching fresh pages costs more than filling warm ones.
final class BufferPool: Sendable {
  private let idle = Mutex<[PageMemory]>([])

  /// Memory for `count` numbers, not cleared, aligned to a line of the cache.
  func buffer(_ count: Int) -> Buffer {
    let bytes = count * MemoryLayout<Float>.stride
    let memory = idle.withLock { idle -> PageMemory? in
      let fits = idle.indices.filter { idle[$0].count >= bytes && idle[$0].count / 4 <= bytes }
      return fits.min { idle[$0].count < idle[$1].count }.map { idle.remove(at: $0) }
    }
    return Buffer(memory ?? PageMemory(count: bytes), pool: self)
  }

  fileprivate func takeBack(_ memory: PageMemory) { idle.withLock { $0.append(memory) } }
}

/// Memory lent by a pool, which gets it back when nobody holds this any more.
final class Buffer: Sendable {
  private let memory: PageMemory
  private let pool: BufferPool

  fileprivate init(_ memory: PageMemory, pool: BufferPool) {
    self.memory = memory
    self.pool = pool
  }

  deinit { pool.takeBack(memory) }

  var start: UnsafeMutablePointer<Float> { memory.start.assumingMemoryBound(to: Float.self) }
}
