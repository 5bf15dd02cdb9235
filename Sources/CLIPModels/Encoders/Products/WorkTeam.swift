internal import Dispatch
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Threads that work together on one thing after the other, each of which may take no more than microseconds.
///
/// A thread without work first spins, because the next work mostly follows at once, and then sleeps. Nobody waits for
/// a thread that has not begun: on a busy machine the caller may do everything by itself.
package final class WorkTeam: Sendable {
  /// How many threads there are, with the calling one.
  package let threads: Int
  private let work = SharedWork()
  private let helpers: [Helper]

  package init(threads: Int) {
    let work = work
    helpers = (1..<max(1, threads)).compactMap { _ in Helper(work) }
    self.threads = helpers.count + 1
  }

  deinit {
    work.state.store(SharedWork.ended, ordering: .sequentiallyConsistent)
    for helper in helpers { helper.join() }
  }

  /// Runs `body` for each index in `0..<parts`, in ascending order but at the same time, and returns when all are done.
  ///
  /// While a team is at work, be it for this thread or another, further calls run on their own threads alone.
  package func run(_ parts: Int, _ body: (Int) -> Void) {
    guard parts > 1, !helpers.isEmpty, !work.isBusy.exchange(true, ordering: .acquiring) else {
      for part in 0..<max(0, parts) { body(part) }
      return
    }
    withoutActuallyEscaping(body) { body in
      work.open(parts, body)
      for helper in helpers.prefix(parts - 1) { helper.wake() }
      work.takeParts()
      work.close()
    }
    work.isBusy.store(false, ordering: .releasing)
  }
}

/// What the threads of a team share.
private final class SharedWork: Sendable {
  /// The number of the work (times `number`), whether it may be joined (`isOpen`), and how many helpers are at it.
  let state = Atomic<UInt64>(0)
  static let number: UInt64 = 1 << 16
  static let isOpen: UInt64 = 1 << 15
  static let ended = UInt64.max

  /// Whether somebody uses the team.
  let isBusy = Atomic(false)
  private let next = Atomic(0)
  // Written before the work is opened and read by those who joined it, for whom `close` waits.
  nonisolated(unsafe) private var parts = 0
  nonisolated(unsafe) private var body: (Int) -> Void = { _ in }

  func open(_ parts: Int, _ body: @escaping (Int) -> Void) {
    self.parts = parts
    self.body = body
    next.store(0, ordering: .relaxed)
    let last = state.load(ordering: .relaxed) / Self.number
    state.store((last + 1) * Self.number | Self.isOpen, ordering: .sequentiallyConsistent)
  }

  func takeParts() {
    while true {
      let part = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard part < parts else { return }
      body(part)
    }
  }

  /// Lets nobody join any more and waits for those who have.
  func close() {
    state.bitwiseAnd(~Self.isOpen, ordering: .acquiring)
    var spins = 0
    while state.load(ordering: .acquiring) % Self.isOpen > 0 {
      spins += 1
      if spins < Helper.spins { ProductKernels.pause() } else { sched_yield() }
    }
    body = { _ in }
  }

  /// Takes part in the work, if it is still open.
  func help() {
    var seen = state.load(ordering: .relaxed)
    while seen & Self.isOpen != 0, seen != Self.ended {
      let (joined, found) = state.weakCompareExchange(
        expected: seen, desired: seen + 1, successOrdering: .acquiring, failureOrdering: .relaxed)
      guard !joined else {
        takeParts()
        state.wrappingSubtract(1, ordering: .releasing)
        return
      }
      seen = found
    }
  }
}

/// A thread of a team.
private final class Helper: Sendable {
  /// How often a thread looks for work before it sleeps: some tens of microseconds.
  static let spins = 2000

  private let work: SharedWork
  private let isAsleep = Atomic(false)
  private let alarm = DispatchSemaphore(value: 0)
  #if canImport(Glibc)
    nonisolated(unsafe) private var thread = pthread_t()
  #else
    nonisolated(unsafe) private var thread: pthread_t?
  #endif

  /// Nil when the system gives no further thread.
  init?(_ work: SharedWork) {
    self.work = work
    let context = Unmanaged.passRetained(self)
    let status = pthread_create(
      &thread, nil,
      { context in
        Helper.of(context).live()
        return nil
      }, context.toOpaque())
    guard status == 0 else {
      context.release()
      return nil
    }
  }

  private static func of(_ context: UnsafeMutableRawPointer?) -> Helper {
    guard let context else { preconditionFailure("a thread without its context") }
    return Unmanaged<Helper>.fromOpaque(context).takeRetainedValue()
  }

  func wake() {
    if isAsleep.exchange(false, ordering: .sequentiallyConsistent) { alarm.signal() }
  }

  func join() {
    wake()
    #if canImport(Glibc)
      pthread_join(thread, nil)
    #else
      if let thread { pthread_join(thread, nil) }
    #endif
  }

  private func live() {
    var last: UInt64 = 0
    while true {
      let state = awaitChange(of: last)
      guard state != SharedWork.ended else { return }
      last = state / SharedWork.number
      work.help()
    }
  }

  /// The state, once its number is another than `last`.
  private func awaitChange(of last: UInt64) -> UInt64 {
    for _ in 0..<Self.spins {
      let state = work.state.load(ordering: .acquiring)
      if state / SharedWork.number != last { return state }
      ProductKernels.pause()
    }
    while true {
      isAsleep.store(true, ordering: .sequentiallyConsistent)
      let state = work.state.load(ordering: .sequentiallyConsistent)
      if state / SharedWork.number == last {
        alarm.wait()
      } else {
        // Who has taken the flag down meanwhile has also raised the alarm.
        if !isAsleep.exchange(false, ordering: .sequentiallyConsistent) { alarm.wait() }
        return state
      }
    }
  }
}
