import Checkpoints
import Synchronization
import TestSupport
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

  @Test func whatIsPreparedIsUsedInOrder() throws {
    for count in [0, 1, 2, 100] {
      let prepared = Mutex(0)
      var used: [Int] = []
      try forEachPrepared(
        count,
        prepare: { index in
          prepared.withLock { $0 += 1 }
          return index
        },
        use: { (index) throws(FileError) in
          // At most the next one is under way.
          #expect(prepared.withLock { $0 } <= index + 2)
          used.append(index)
        })
      #expect(used == Array(0..<count) && prepared.withLock { $0 } == count)
    }
  }

  @Test func anErrorInUseWaitsForWhatIsBeingPrepared() {
    let done = Mutex<[Int]>([])
    let error = #expect(throws: FileError.self) {
      try forEachPrepared(
        10,
        prepare: { index in
          for _ in 0..<index * 200 { _ = try? SHA256.hash(of: Bytes([1, 2, 3])) }
          done.withLock { $0.append(index) }
          return index
        },
        use: { (index) throws(FileError) in if index == 3 { throw FileError(.io, "item 3") } })
    }
    #expect(error?.message == "item 3")
    #expect(done.withLock { $0 } == [0, 1, 2, 3, 4])
  }
}

/// Slices of matrices that must be loaded whole to be read, in turn: each matrix is loaded once, and gone before the
/// next.
@Test func slicesOfOneSourceAreReadTogether() throws {
  final class Matrix: ByteSource {
    let count = 1 << 20
    let name: Character
    let log: Log
    init(_ name: Character, _ log: Log) { (self.name, self.log) = (name, log) }
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
      log.text.withLock { $0.append(name) }
      for index in buffer.indices { buffer[index] = UInt8(truncatingIfNeeded: offset + index) }
    }
  }
  final class Log: Sendable { let text = Mutex("") }

  let log = Log()
  let views = try "abc".map { name in
    try Tensor(
      dtype: .u8, shape: [4, 1 << 18],
      bytes: Bytes(StridedBytes(Bytes(Matrix(name, log)), elementSize: 1, shape: [4, 1 << 18], strides: [1, 4])))
  }
  // The last rows come first: the last byte of a view is not the last that is read of it.
  let rows = try (0..<4).reversed().flatMap { row in try views.map { try $0.rows(row..<(row + 1)).bytes } }
  let directory = try TemporaryDirectory()
  let writer = try FileWriter(directory.file("out"))
  for row in rows { writer.write(row) }
  try writer.commit()
  #expect(log.text.withLock { $0 } == "aabbcc")
  let written = try Bytes(InputFile(directory.file("out")))
  for (index, row) in (0..<4).reversed().enumerated() {
    let start = try written.slice(index * 3 << 18, 4).load()
    #expect(start == [UInt8(row), UInt8(row + 4), UInt8(row + 8), UInt8(row + 12)])
  }
  // Nothing is left of the last one.
  _ = try views[2].rows(0..<1).bytes.load()
  #expect(log.text.withLock { $0 } == "aabbccc")
}
