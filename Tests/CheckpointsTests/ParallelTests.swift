import Checkpoints
import Synchronization
import Testing

@Suite struct ParallelTests {
  @Test(arguments: [1, 2, 3, 16]) func everyIndexRunsOnce(threads: Int) throws {
    for count in [0, 1, 2, 3, 100] {
      let seen = Mutex([Int](repeating: 0, count: count))
      try parallelForEach(count, threads: threads) { (index) throws(FileError) in
        seen.withLock { $0[index] += 1 }
      }
      #expect(seen.withLock { $0 } == [Int](repeating: 1, count: count))
      #expect(
        try parallelMap(count, threads: threads) { (index) throws(FileError) in index * index }
          == (0..<count).map { $0 * $0 })
    }
  }

  /// Index 40 fails at once and 7 only after a while: 7 is what one thread would report.
  @Test(arguments: [1, 2, 3, 16]) func theLowestIndexFails(threads: Int) throws {
    let begun = Mutex(0)
    let error = #expect(throws: FileError.self) {
      try parallelForEach(1_000_000, threads: threads) { (index) throws(FileError) in
        begun.withLock { $0 += 1 }
        if index == 7 {
          var hash = [UInt8](repeating: 0, count: 32)
          for _ in 0..<2_000 { hash = try SHA256.hash(of: Bytes(hash)) }
        }
        if index == 7 || index >= 40 { throw FileError(.io, "item \(index)") }
      }
    }
    #expect(error?.message == "item 7")
    #expect(begun.withLock { $0 } < 1000)
  }
}
