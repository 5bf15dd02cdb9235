import Checkpoints
import TestSupport
import Testing

/// The limit on the size of files stands for a full disk: writing fails at any byte, with an error or a signal.
private func convertWithLimit(_ place: Workplace, blocks: Int, _ arguments: [String]) throws -> ClipkitRun {
  try place.start(arguments, script: "ulimit -f \(blocks); exec \"$@\"").wait()
}

@Test(arguments: allFormats.map { $0.name }, [false, true])
func aFullDiskLeavesTheOldFile(_ format: String, force: Bool) throws {
  let place = try Workplace()
  let source = fixture("checkpoints/hf-text")
  let arguments = ["convert", source, "out", "--format", format, "-q"] + (force ? ["--force"] : [])
  #expect(try place.run("convert", source, "new", "--format", format, "-q").exitCode == 0)
  let size = try place.bytes("new").count
  if force { try place.write([1, 2, 3], to: "out") }
  let before = try place.entries()
  let last = (size - 1) / 512
  for blocks in [1, 2, 7, 31, last / 2, last - 1, last] {
    let run = try convertWithLimit(place, blocks: blocks, arguments)
    #expect(run.exitCode == 74 && run.stdout.isEmpty)
    // Tensors are written in no fixed order: the first that fails need not be the first beyond the limit.
    let offset = run.stderr.wholeMatch(of: /error: out: offset (\d+): .*cannot write: File too large\n/)?.1
    #expect((blocks * 512..<size).contains(offset.flatMap { Int($0) } ?? -1), "\(run.stderr)")
    #expect(try place.entries() == before)
    if force { #expect(try place.bytes("out") == [1, 2, 3]) }
  }
  #expect(try convertWithLimit(place, blocks: last + 1, arguments).exitCode == 0)
  #expect(try place.bytes("out") == place.bytes("new"))
}

@Test(arguments: [false, true])
func aFullDiskLeavesTheOldDirectory(_ force: Bool) throws {
  let place = try Workplace()
  let options = ["--layout", "hf", "--shard-size", "20KB", "-q"] + (force ? ["--force"] : [])
  let arguments = ["convert", fixture("checkpoints/hf-text"), "out"] + options
  if force { #expect(try place.start(arguments).wait().exitCode == 0) }
  let before = try force ? place.entries("out").map { try place.status("out/\($0)") } : []
  for blocks in [1, 8, 38] {
    let run = try convertWithLimit(place, blocks: blocks, arguments)
    #expect(run.exitCode == 74 && run.stdout.isEmpty)
    #expect(run.stderr.wholeMatch(of: /error: out\/[^:]+: offset \d+: .*cannot write: File too large\n/) != nil)
    #expect(try place.entries() == (force ? ["out", "tiny.safetensors"] : ["tiny.safetensors"]))
    if force { #expect(try place.entries("out").map { try place.status("out/\($0)") } == before) }
  }
}
