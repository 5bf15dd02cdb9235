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

/// The results of `body` for each tensor, in order, computed on up to `threads` threads.
///
/// The largest are begun first, so that no thread is left with one at the end; those that must be loaded whole to be
/// read come last and one at a time, so that memory holds one such tensor at most.
public func parallelMap<Result: Sendable>(
  over tensors: [Tensor], threads: Int? = nil, _ body: @Sendable (Int) throws(FileError) -> Result
) throws(FileError) -> [Result] {
  let largestFirst = tensors.indices.sorted {
    (tensors[$1].bytes.count, $0) < (tensors[$0].bytes.count, $1)
  }
  var results = [Result?](repeating: nil, count: tensors.count)
  for loadsWhole in [false, true] {
    let group = largestFirst.filter { tensors[$0].bytes.loadsWhole == loadsWhole }
    let found = try parallelMap(group.count, threads: loadsWhole ? 1 : threads ?? processorCount) {
      (position) throws(FileError) -> Result in try body(group[position])
    }
    for (index, result) in zip(group, found) { results[index] = result }
  }
  return results.compactMap(\.self)
}
