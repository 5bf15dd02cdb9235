import Checkpoints
import Synchronization

/// Memory for tensors, lent and taken back, and the account of what an evaluation may use.
///
/// A file of a kilobyte can ask for any amount of memory and of time, so both are limited.
final class EvaluationMemory: Sendable {
  /// The most that all tensors may take at one time.
  private let limit: Int
  private let account = Mutex(Account())

  private struct Account {
    /// Bytes that are lent.
    var lent = 0
    var idle: [PageMemory] = []
    var idleBytes = 0
    /// Elementary operations that may still be done.
    var work = 0
  }

  init(limit: Int) { self.limit = limit }

  /// Lets an evaluation do so many elementary operations from now on.
  func allow(work: Int) { account.withLock { $0.work = work } }

  /// Takes elementary operations off what is allowed.
  func charge(_ work: Int) throws(FileError) {
    let isLeft = account.withLock { account in
      let (rest, overflow) = account.work.subtractingReportingOverflow(max(0, work))
      guard !overflow, rest >= 0 else { return false }
      account.work = rest
      return true
    }
    guard isLeft else {
      throw FileError(.unsupported, "the graph computes more than any model of its size")
    }
  }

  /// Throws when so many bytes more were too many: for scratch memory that is allocated elsewhere.
  func admit(_ count: Int) throws(FileError) {
    guard account.withLock({ count <= limit - $0.lent }) else { throw excess }
  }

  private var excess: FileError { FileError(.unsupported, "tensors of more than \(limit >> 20) MiB at a time") }

  /// Memory of `count` bytes, of undefined contents.
  /// - Throws: `unsupported` when that is more than all tensors may take.
  func storage(_ count: Int) throws(FileError) -> Storage {
    let found = account.withLock { account -> (isAllowed: Bool, memory: PageMemory?) in
      guard count <= limit - account.lent else { return (false, nil) }
      let fits = account.idle.indices.filter { account.idle[$0].count >= count && account.idle[$0].count / 4 <= count }
      let best = fits.min { account.idle[$0].count < account.idle[$1].count }
      let memory = best.map { account.idle.remove(at: $0) }
      account.idleBytes -= memory?.count ?? 0
      account.lent += memory?.count ?? count
      while account.lent + account.idleBytes > limit, let last = account.idle.popLast() {
        account.idleBytes -= last.count
      }
      return (true, memory)
    }
    guard found.isAllowed else { throw excess }
    return Storage(found.memory ?? PageMemory(count: count), self)
  }

  /// Small blocks are cheaper to allocate anew than to keep.
  private static let smallest = 64 << 10

  private func takeBack(_ memory: PageMemory) {
    account.withLock { account in
      account.lent -= memory.count
      guard memory.count >= Self.smallest else { return }
      account.idle.append(memory)
      account.idleBytes += memory.count
    }
  }

  /// Memory that goes back when nobody holds it any more.
  final class Storage: Sendable {
    private let memory: PageMemory
    private let owner: EvaluationMemory
    let count: Int

    fileprivate init(_ memory: PageMemory, _ owner: EvaluationMemory) {
      (self.memory, self.owner, count) = (memory, owner, memory.count)
    }

    deinit { owner.takeBack(memory) }

    var start: UnsafeMutableRawPointer { memory.start }
  }
}
