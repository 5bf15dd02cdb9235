import CLIPModels
import Synchronization
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Teams run every part once, whatever the number of threads and who else uses them.
@Suite struct WorkTeamTests {
  /// How often each part ran.
  private func counts(_ parts: Int, _ team: WorkTeam) -> [Int] {
    let counts = Mutex([Int](repeating: 0, count: max(0, parts)))
    team.run(parts) { part in counts.withLock { $0[part] += 1 } }
    return counts.withLock { $0 }
  }

  @Test(arguments: [0, 1, 2, 3, 8]) func everyPartRunsOnce(_ threads: Int) {
    let team = WorkTeam(threads: threads)
    #expect(team.threads == max(1, threads))
    for parts in [-1, 0, 1, 2, 3, 7, 100] {
      #expect(counts(parts, team).allSatisfy { $0 == 1 }, "\(parts) parts")
    }
    // Many that follow at once, and some after the helpers have gone to sleep.
    let total = Atomic(0)
    for round in 0..<3000 {
      team.run(5) { total.wrappingAdd($0, ordering: .relaxed) }
      if round % 1000 == 0 { usleep(5000) }
    }
    #expect(total.load(ordering: .relaxed) == 3000 * 10)
  }

  @Test func workInWorkRunsInline() {
    let team = WorkTeam(threads: 3)
    let total = Atomic(0)
    team.run(4) { _ in team.run(5) { total.wrappingAdd($0, ordering: .relaxed) } }
    #expect(total.load(ordering: .relaxed) == 40)
  }

  @Test func callersMayShareATeam() async {
    let team = WorkTeam(threads: 2)
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<4 {
        group.addTask { (0..<200).allSatisfy { _ in counts(9, team) == Array(repeating: 1, count: 9) } }
      }
      for await isRight in group { #expect(isRight) }
    }
  }

  /// Two parts that wait for each other end only when two threads have them.
  @Test(.timeLimit(.minutes(1))) func partsRunAtTheSameTime() {
    let team = WorkTeam(threads: 2)
    let arrived = Atomic(0)
    team.run(2) { _ in
      arrived.wrappingAdd(1, ordering: .sequentiallyConsistent)
      while arrived.load(ordering: .sequentiallyConsistent) < 2 { usleep(10) }
    }
    #expect(arrived.load(ordering: .relaxed) == 2)
  }

  @Test func workspacesAreKept() {
    let workspaces = Workspaces()
    let first = workspaces.withFloats(1000) { UInt(bitPattern: $0) }
    #expect(first % 64 == 0 && workspaces.withFloats(10) { UInt(bitPattern: $0) } == first)
    workspaces.withFloats(1000) { outer in
      outer[999] = 1
      workspaces.withFloats(1000) { $0[999] = 2 }
      #expect(outer[999] == 1)
    }
    workspaces.withFloats(1 << 20) { $0[(1 << 20) - 1] = 1 }
  }
}
