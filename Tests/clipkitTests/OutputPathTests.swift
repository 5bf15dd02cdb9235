import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One line on stderr, nothing on stdout.
func expectRefusal(_ run: ClipkitRun, _ code: Int32, _ message: String, _ location: SourceLocation = #_sourceLocation) {
  #expect(run.exitCode == code, "\(run)", sourceLocation: location)
  #expect(run.stdout.isEmpty, sourceLocation: location)
  #expect(run.stderr == "error: \(message)\n", sourceLocation: location)
}

@Test func anExistingOutputStaysAsItIs() throws {
  let place = try Workplace()
  try place.write([1, 2, 3], to: "out.pt")
  let before = try place.status("out.pt")
  expectRefusal(
    try place.run("convert", "tiny.safetensors", "out.pt", "-q"), 73, "out.pt: output exists. Use --force to replace it"
  )
  #expect(try place.status("out.pt") == before)
  #expect(try place.bytes("out.pt") == [1, 2, 3])
}

@Test(arguments: [0o600, 0o644, 0o666, 0o400])
func forceReplacesAndKeepsTheMode(_ mode: Int) throws {
  let place = try Workplace()
  try place.write([1, 2, 3], to: "out.npz")
  chmod(place.file("out.npz"), mode_t(mode))
  #expect(try place.run("convert", "tiny.safetensors", "out.npz", "-q", "--force").exitCode == 0)
  #expect(try place.mode("out.npz") == mode)
  #expect(try place.run("diff", "tiny.safetensors", "out.npz").exitCode == 0)
  #expect(try place.entries() == ["out.npz", "tiny.safetensors"])
}

@Test(arguments: [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
func theMaskDecidesTheMode(_ mask: Int, mode: Int) throws {
  let place = try Workplace()
  let script = "umask 0\(String(mask, radix: 8)); exec \"$@\""
  #expect(try place.run("convert", "tiny.safetensors", "out.pt", "-q", script: script).exitCode == 0)
  #expect(try place.mode("out.pt") == mode)
  let source = fixture("checkpoints/hf-text")
  #expect(try place.run("convert", source, "out", "--layout", "hf", "-q", script: script).exitCode == 0)
  #expect(try place.mode("out") == mode | 0o111 & ~mask)
  for entry in try place.entries("out") { #expect(try place.mode("out/\(entry)") == mode) }
}

@Test(
  arguments: ["tiny.safetensors", "./tiny.safetensors", "nowhere/../tiny.safetensors", "symbolic", "hard"],
  [[], ["--force"]])
func theOutputIsNeverTheInput(_ output: String, force: [String]) throws {
  let place = try Workplace()
  mkdir(place.file("nowhere"), 0o755)
  symlink("tiny.safetensors", place.file("symbolic"))
  link(place.file("tiny.safetensors"), place.file("hard"))
  let before = try place.status("tiny.safetensors")
  let run = try place.start(["convert", "tiny.safetensors", output, "--format", "pytorch", "-q"] + force).wait()
  expectRefusal(run, 64, "\(output): the output is the input. Choose another output")
  #expect(try place.status("tiny.safetensors") == before)
  #expect(try place.bytes("tiny.safetensors") == tinySafetensors)
}

@Test func noShardAndNoIndexIsEverTheOutput() throws {
  let place = try Workplace()
  #expect(try place.run("convert", "tiny.safetensors", "in", "--shard-size", "8", "-q").exitCode == 0)
  let names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"]
  #expect(try place.entries("in") == names)
  let before = try names.map { try place.bytes("in/\($0)") }
  for name in names {
    let run = try place.run(
      "convert", "in/model.safetensors.index.json", "in/\(name)", "--format", "safetensors", "--force", "-q")
    expectRefusal(run, 64, "in/\(name): the output is the input. Choose another output")
  }
  for force in [[], ["--force"]] {
    let run = try place.start(["convert", "in", "in", "--shard-size", "16", "-q"] + force).wait()
    expectRefusal(run, 64, "in: the output is the input. Choose another output")
  }
  #expect(try names.map { try place.bytes("in/\($0)") } == before)
}

@Test(arguments: ["here", "dangling"])
func aSymbolicLinkIsNeverReplaced(_ target: String) throws {
  let place = try Workplace()
  try place.write([1], to: "here")
  symlink(target, place.file("out.pt"))
  let run = try place.run("convert", "tiny.safetensors", "out.pt", "--force", "-q")
  expectRefusal(run, 73, "out.pt: output is a symbolic link. Name the file it leads to")
  #expect(try place.bytes("here") == [1])
  #expect(try place.entries() == ["here", "out.pt", "tiny.safetensors"])
}

@Test func whatIsNoRegularFileIsNeverReplaced() throws {
  let place = try Workplace()
  mkfifo(place.file("fifo.pt"), 0o644)
  mkdir(place.file("directory.pt"), 0o755)
  let arguments = { ["convert", "tiny.safetensors", $0, "--format", "pytorch", "--force", "-q"] }
  expectRefusal(try place.start(arguments("fifo.pt")).wait(), 64, "fifo.pt: output is not a regular file")
  expectRefusal(try place.start(arguments("/dev/null")).wait(), 64, "/dev/null: output is not a regular file")
  expectRefusal(
    try place.start(arguments("directory.pt")).wait(), 73,
    "directory.pt: output is a directory. Use --layout for a directory")
  expectRefusal(try place.start(arguments("new/")).wait(), 64, "output 'new/' is not a file name")
  expectRefusal(try place.start(arguments("")).wait(), 64, "output '' is not a file name")
  #expect(try place.entries() == ["directory.pt", "fifo.pt", "tiny.safetensors"])
}

/// Before any work, and in a dry run too: the source's hash would be computed first.
@Test(arguments: [[], ["--dry-run"]], [[], ["--shard-size", "1MB"]])
func theOutputsDirectoryMustBeThere(_ dry: [String], _ shards: [String]) throws {
  let place = try Workplace()
  for output in ["missing/out", "tiny.safetensors/out"] {
    let options = ["--provenance", "--format", "safetensors", "-q"] + dry + shards
    let run = try place.start(["convert", "tiny.safetensors", output] + options).wait()
    let reason = output.hasPrefix("m") ? "No such file or directory" : "Not a directory"
    expectRefusal(run, 73, "\(output): cannot create: \(reason)")
  }
  #expect(try place.entries() == ["tiny.safetensors"])
}

@Test func theOutputMayLieAnywhere() throws {
  let (place, other) = (try Workplace(), try Workplace())
  mkdir(place.file("sub"), 0o755)
  for output in ["sub/out.npz", "\(other.path)/out.npz", "sub/../out.npz"] {
    #expect(try place.run("convert", "tiny.safetensors", output, "-q").exitCode == 0)
  }
  #expect(try place.bytes("out.npz") == other.bytes("out.npz"))
  #expect(try place.bytes("sub/out.npz") == other.bytes("out.npz"))
}

@Test func longAndStrangeNamesAreWrittenAndPrintedEscaped() throws {
  let place = try Workplace()
  let longest = String(repeating: "n", count: 252) + ".pt"
  for name in [longest, "e\u{1B}[2J.pt", "new\nline.pt", "\u{202E}tp.slr.pt", " .pt", "'\"$(x)`.pt", "日本.pt"] {
    let run = try place.run("convert", "tiny.safetensors", name, "-q")
    #expect(run.exitCode == 0)
    #expect(run.stdout.split(separator: "\n").count == 2 && !run.stdout.contains("\u{1B}"))
    #expect(try place.run("diff", "tiny.safetensors", name).exitCode == 0)
    #expect(try place.run("convert", "tiny.safetensors", name, "-q").exitCode == 73)
  }
  let run = try place.run("convert", "tiny.safetensors", "n\(longest)", "-q")
  expectRefusal(run, 73, "n\(longest): cannot create: File name too long")
  let deep = String(repeating: "d/", count: 2100) + "x.pt"
  #expect(try place.run("convert", "tiny.safetensors", deep, "-q").exitCode == 73)
  #expect(try place.run("inspect", deep).exitCode == 66)
}
