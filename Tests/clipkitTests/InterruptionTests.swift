import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a conversion writes to: a new file, an old one, a new directory, an old one.
struct Target: CustomTestStringConvertible, Sendable {
  var isDirectory: Bool
  var force: Bool
  var testDescription: String { "\(force ? "an old" : "a new") \(isDirectory ? "directory" : "file")" }

  static let all = [false, true].flatMap { isDirectory in
    [false, true].map { Target(isDirectory: isDirectory, force: $0) }
  }

  var arguments: [String] {
    ["convert", "large", "out", "-q"] + (isDirectory ? ["--shard-size", "2MB"] : ["--format", "safetensors"])
      + (force ? ["--force"] : [])
  }

  /// The files it consists of, with what they hold; nil when there is nothing.
  func state(_ place: Workplace) throws -> [String: [UInt8]]? {
    guard FileIdentity(path: place.file("out")) != nil else { return nil }
    guard isDirectory else { return ["": try place.bytes("out")] }
    return Dictionary(uniqueKeysWithValues: try place.entries("out").map { ($0, try place.bytes("out/\($0)")) })
  }

  func remove(_ place: Workplace) throws {
    if isDirectory { for entry in (try? place.entries("out")) ?? [] { unlink(place.file("out/\(entry)")) } }
    remove(place.file("out"))
  }

  private func remove(_ path: String) { _ = isDirectory ? rmdir(path) : unlink(path) }
}

private func areEqual(_ a: [String: [UInt8]]?, _ b: [String: [UInt8]]?) -> Bool {
  guard let a, let b else { return a == nil && b == nil }
  return a.count == b.count
    && a.allSatisfy { name, bytes in
      guard let other = b[name], other.count == bytes.count else { return false }
      return memcmp(bytes, other, bytes.count) == 0
    }
}

/// Killed at any moment, an output is the old one or the new one, whole; the next run leaves nothing behind.
@Test(arguments: Target.all)
func killingLeavesTheOldOutputOrTheNew(_ target: Target) throws {
  let place = try Workplace()
  try writeLarge(place.file("large"), megabytes: 8, tensors: 4)
  var clock = timespec()
  clock_gettime(CLOCK_MONOTONIC, &clock)
  let start = clock
  #expect(try place.start(target.arguments).wait().exitCode == 0)
  clock_gettime(CLOCK_MONOTONIC, &clock)
  let duration = (clock.tv_sec - start.tv_sec) * 1_000_000 + (clock.tv_nsec - start.tv_nsec) / 1000
  let new = try target.state(place)

  // The same names with other bytes, so that --force may replace it.
  let old = target.force ? new?.mapValues { [UInt8]($0.prefix(10)) } : nil
  var random = SeededRandom(seed: 6)
  for _ in 0..<20 {
    try target.remove(place)
    if let old {
      if target.isDirectory { mkdir(place.file("out"), 0o755) }
      for (name, bytes) in old { try place.write(bytes, to: name.isEmpty ? "out" : "out/\(name)") }
    }
    let running = try place.start(target.arguments)
    usleep(useconds_t(Int.random(in: 0...duration, using: &random)))
    kill(running.process, SIGKILL)
    let run = try running.wait()
    let found = try target.state(place)
    let expected = run.signal == nil ? [new] : [old, new]
    #expect(expected.contains { areEqual($0, found) }, "\(run)")
  }
  try target.remove(place)
  #expect(try place.start(target.arguments).wait().exitCode == 0)
  #expect(areEqual(try target.state(place), new))
  #expect(try place.entries() == ["large", "out", "tiny.safetensors"])
}

#if os(Linux)
  @Test(arguments: Target.all, [SIGINT, SIGTERM, SIGHUP])
  func aSignalEndsARunAndLeavesNothing(_ target: Target, _ signal: Int32) throws {
    let place = try Workplace()
    try writeLarge(place.file("large"), megabytes: 1024, tensors: 512)
    if target.isDirectory { mkdir(place.file("out"), 0o755) } else if target.force { try place.write([1], to: "out") }
    let before = try place.entries()
    let running = try place.start(target.arguments)
    #expect(running.waitUntilOpen("large"))
    usleep(20_000)
    kill(running.process, signal)
    let run = try running.wait()
    #expect(run.exitCode == 128 + signal)
    #expect(run.stdout.isEmpty && run.stderr.isEmpty)
    #expect(try place.entries() == before)
    if target.isDirectory { #expect(try place.entries("out").isEmpty) }
    if target.force, !target.isDirectory { #expect(try place.bytes("out") == [1]) }
  }

  /// As nohup starts its command, and a shell a background command of a script.
  @Test func anIgnoredSignalStaysIgnored() throws {
    let place = try Workplace()
    try writeLarge(place.file("large"), megabytes: 16)
    let running = try place.start(Target.all[0].arguments, script: "trap '' INT HUP; exec \"$@\"")
    #expect(running.waitUntilOpen("large"))
    kill(running.process, SIGINT)
    kill(running.process, SIGHUP)
    #expect(try running.wait().exitCode == 0)
  }

  /// Another process cuts the input short: an error, not a signal, and no output.
  @Test(arguments: [["hash", "large"], ["diff", "alias", "large"], ["convert", "large", "out.safetensors"]])
  func anInputThatShrinksIsAnError(_ arguments: [String]) throws {
    let place = try Workplace()
    try writeLarge(place.file("large"), megabytes: 2048)
    link(place.file("large"), place.file("alias"))
    let running = try place.start(arguments + ["-q"])
    #expect(running.waitUntilOpen("large"))
    usleep(50_000)  // past the header
    kill(running.process, SIGSTOP)
    truncate(place.file("large"), 4096)
    kill(running.process, SIGCONT)
    let run = try running.wait()
    #expect(run.exitCode == 74 && run.stdout.isEmpty)
    #expect(run.stderr.hasPrefix("error: ") && run.stderr.split(separator: "\n").count == 1)
    #expect(run.stderr.contains(": tensor 't0': file shrank while it was read: 2147"))
    #expect(try place.entries() == ["alias", "large", "tiny.safetensors"])
  }
#endif

/// One output, several writers: one of them wins whole, and the others say that it exists.
@Test(arguments: Target.all)
func oneOfSeveralWritersWins(_ target: Target) throws {
  let place = try Workplace()
  try writeLarge(place.file("large"), megabytes: 8, tensors: 4)
  #expect(try place.start(target.arguments).wait().exitCode == 0)
  let expected = try target.state(place)
  if !target.force { try target.remove(place) }
  let runs = try (0..<4).map { _ in try place.start(target.arguments) }.map { try $0.wait() }
  let codes = runs.compactMap(\.exitCode)
  #expect(codes.count == 4 && codes.allSatisfy { $0 == 0 || $0 == 73 }, "\(runs)")
  #expect(target.force || codes.count { $0 == 0 } == 1)
  #expect(codes.contains(0))
  #expect(areEqual(try target.state(place), expected))
  #expect(try place.entries() == ["large", "out", "tiny.safetensors"])
}

/// What a killed run left goes with the next one; what a living one holds stays.
@Test func onlyWhatADeadRunLeftIsSwept() throws {
  let place = try Workplace()
  mkdir(place.file(".clipkit-tmp-1-dead"), 0o755)
  try place.write([1], to: ".clipkit-tmp-1-dead/part")
  try place.write([1], to: ".clipkit-tmp-2-dead")
  try place.write([1], to: ".clipkit-tmp-3-alive")
  let lock = open(place.file(".clipkit-tmp-3-alive"), O_RDONLY)
  defer { close(lock) }
  #expect(flock(lock, LOCK_EX) == 0)
  #expect(try place.run("convert", "tiny.safetensors", "out", "--shard-size", "1MB", "-q").exitCode == 0)
  #expect(try place.entries() == [".clipkit-tmp-3-alive", "out", "tiny.safetensors"])
}
