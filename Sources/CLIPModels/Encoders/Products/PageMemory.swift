internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Memory for numbers, in large pages where the system has them: touching fresh small pages is ten times slower than
/// copying. Contents are undefined at first.
final class PageMemory: Sendable {
  nonisolated(unsafe) let start: UnsafeMutableRawPointer
  let count: Int
  private static let largePage = 2 << 20

  /// Memory of `count` bytes, aligned to a line of the cache at least.
  init(count: Int) {
    self.count = count
    let isLarge = count >= Self.largePage
    start = .allocate(byteCount: max(count, 1), alignment: isLarge ? Self.largePage : 64)
    #if canImport(Glibc)
      if isLarge { madvise(start, count, Int32(MADV_HUGEPAGE)) }
    #endif
  }

  deinit { start.deallocate() }
}

/// Memory for activations and scratch, kept between uses, for any number of threads.
package final class Workspaces: Sendable {
  private let idle = Mutex<[PageMemory]>([])

  package init() {}

  /// Calls `body` with room for `count` numbers, of undefined contents, aligned to a line of the cache.
  package func withFloats<Result, Failure: Error>(
    _ count: Int, _ body: (UnsafeMutablePointer<Float>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // The smallest that fits, or a new one in place of the largest that does not.
    let bytes = count * MemoryLayout<Float>.stride
    let found = idle.withLock { idle -> PageMemory? in
      if let index = idle.firstIndex(where: { $0.count >= bytes }) { return idle.remove(at: index) }
      _ = idle.popLast()
      return nil
    }
    let memory = found ?? PageMemory(count: bytes)
    defer {
      idle.withLock { idle in
        idle.insert(memory, at: idle.firstIndex { $0.count >= memory.count } ?? idle.endIndex)
      }
    }
    return try body(memory.start.assumingMemoryBound(to: Float.self))
  }
}
