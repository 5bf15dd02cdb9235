import Dispatch
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How many processors are online: the default number of threads.
public let processorCount = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))

/// Runs `body` for each index in `0..<count` on up to `threads` threads, and returns when all are done.
///
/// Threads take the indices in ascending order, one at a time, so that the longest items should come first. What
/// happens does not depend on the number of threads: when items fail, the error of the lowest index is thrown. After
/// a failure no item of a higher index is begun.
public func parallelForEach(
  _ count: Int, threads: Int = processorCount, _ body: @Sendable (Int) throws(FileError) -> Void
) throws(FileError) {
  let next = Atomic(0)
  let failure = Mutex<(index: Int, error: FileError)?>(nil)

  @Sendable func work() {
    while true {
      let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
      // Every index below a failed one was handed out before it and runs to its end, so the lowest failure is known.
      guard index < count, failure.withLock({ index < $0?.index ?? .max }) else { return }
      do throws(FileError) {
        try body(index)
      } catch {
        failure.withLock { if index < $0?.index ?? .max { $0 = (index, error) } }
      }
    }
  }

  let workers = min(threads, count)
  if workers <= 1 {
    work()
  } else {
    withoutActuallyEscaping(work) { work in
      DispatchQueue.concurrentPerform(iterations: workers) { _ in work() }
    }
  }
  if let failure = failure.withLock({ $0 }) { throw failure.error }
}

/// The results of `body` for each index in `0..<count`, in order; see `parallelForEach`.
public func parallelMap<Result: Sendable>(
  _ count: Int, threads: Int = processorCount, _ body: @Sendable (Int) throws(FileError) -> Result
) throws(FileError) -> [Result] {
  let results = Mutex([Result?](repeating: nil, count: max(0, count)))
  try parallelForEach(count, threads: threads) { (index) throws(FileError) in
    let result = try body(index)
    results.withLock { $0[index] = result }
  }
  return results.withLock { $0.compactMap(\.self) }
}

/// The results of `body` for each tensor's bytes, in order, computed on up to `threads` threads.
///
/// The largest are begun first, so that no thread is left with one at the end; those that must be loaded whole to be
/// read come last and one source after the other, so that memory holds one such source at most.
public func parallelMap<Result: Sendable>(
  over bytes: [Bytes], threads: Int? = nil, _ body: @Sendable (Int) throws(FileError) -> Result
) throws(FileError) -> [Result] {
  let largestFirst = bytes.indices.sorted { (bytes[$1].count, $0) < (bytes[$0].count, $1) }
  let order = ReadingOrder(largestFirst.map { bytes[$0] })
  let results = Mutex([Result?](repeating: nil, count: bytes.count))
  try order.forEach(threads: threads ?? processorCount) { (position) throws(FileError) in
    let index = largestFirst[position]
    let result = try body(index)
    results.withLock { $0[index] = result }
  }
  return results.withLock { $0.compactMap(\.self) }
}

/// In which order several bytes are read: on all threads what is read as it goes; then, one at a time, what is loaded
/// whole, the parts of one source one after the other, so that it is loaded once and memory holds one source.
struct ReadingOrder {
  private let bytes: [Bytes]
  private let streamed: [Int]
  private let loaded: [Int]

  init(_ bytes: [Bytes]) {
    self.bytes = bytes
    streamed = bytes.indices.filter { !bytes[$0].loadsWhole }
    var sources: [ObjectIdentifier: [Int]] = [:]
    var order: [ObjectIdentifier] = []
    for index in bytes.indices {
      guard let source = bytes[index].loaded else { continue }
      if sources[source, default: []].isEmpty { order.append(source) }
      sources[source, default: []].append(index)
    }
    loaded = order.flatMap { sources[$0] ?? [] }
  }

  /// Calls `body` with each index once; see `parallelForEach`.
  func forEach(threads: Int, _ body: @Sendable (Int) throws(FileError) -> Void) throws(FileError) {
    try parallelForEach(streamed.count, threads: threads) { (position) throws(FileError) in
      try body(streamed[position])
    }
    for (position, index) in loaded.enumerated() {
      try body(index)
      let next = position + 1 < loaded.count ? bytes[loaded[position + 1]].loaded : nil
      if next != bytes[index].loaded { bytes[index].release() }
    }
  }
}

/// Calls `use` with the result of `prepare` for each index in `0..<count`, in order, on this thread; meanwhile another
/// one prepares the next.
///
/// The first error ends it, once what is being prepared is done.
public func forEachPrepared<Value: Sendable>(
  _ count: Int, prepare: @escaping @Sendable (Int) throws(FileError) -> Value,
  use: (Value) throws(FileError) -> Void
) throws(FileError) {
  guard count > 0 else { return }
  var next = Prepared { () throws(FileError) in try prepare(0) }
  for index in 1...count {
    let value = try next.wait().get()
    if index < count { next = Prepared { () throws(FileError) in try prepare(index) } }
    do throws(FileError) {
      try use(value)
    } catch {
      _ = next.wait()
      throw error
    }
  }
}

/// A value that another thread computes.
private final class Prepared<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, FileError>?>(nil)
  private let group = DispatchGroup()

  init(_ compute: @escaping @Sendable () throws(FileError) -> Value) {
    DispatchQueue.global().async(group: group) { [self] in
      let found = Result(catching: compute)
      result.withLock { $0 = found }
    }
  }

  func wait() -> Result<Value, FileError> {
    group.wait()
    return result.withLock { $0 } ?? .failure(FileError(.io, "a thread ended without a result"))
  }
}
