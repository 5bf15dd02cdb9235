import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Test(arguments: [
  [], ["--images"], ["--images", "-", "wide.png"], ["--images", "-", "--prompts", "-"],
  ["--images", "wide.png", "-0"], ["--prompts", "prompts.json", "-o", "-"],
  ["--prompts", "prompts.json", "-o", "out"], ["--prompts", "prompts.json", "-o", "out.txt"],
  ["--prompts", "prompts.json", "--images", "wide.png", "-o", "out.npy"],
  ["--prompts", "prompts.json", "--batch", "0"], ["--prompts", "prompts.json", "--threads", "0"],
  ["--prompts", "prompts.json", "--shard", "0/2"], ["--prompts", "prompts.json", "--shard", "3/2"],
])
func embedRefusesWhatCannotBeMeant(_ arguments: [String]) throws {
  let place = try EmbedPlace()
  let before = try place.place.entries()
  let run = try place.run(arguments)
  #expect(run.exitCode == 64 && run.stdout.isEmpty)
  #expect(run.stderr.lowercased().hasPrefix("error: "))
  #expect(try place.place.entries() == before)
}

/// Standard output cannot hold both.
@Test func aReportInJSONNeedsAnOutput() throws {
  let run = try EmbedPlace().run(["--images", "wide.png", "--json"])
  #expect(run.exitCode == 64 && run.stderr.contains("--json needs -o"))
  #expect(try JSONValue(parsing: Array(run.stdout.utf8))["error"]?["code"] == "usage")
}

@Test func embedNeedsTheEncoderThatItUses() throws {
  let place = try EmbedPlace()
  for (model, arguments, tower) in [
    ("hf-text", ["--images", "wide.png"], "image"), ("hf-vision", ["--prompts", "prompts.json"], "text"),
  ] {
    let model = fixture("checkpoints/\(model)")
    let run = try place.place.start(["embed", model] + arguments).wait()
    expectRefusal(run, 64, "\(model): the model has no \(tower) encoder")
  }
  let run = try place.place.run("embed", "tiny.safetensors", "--images", "wide.png")
  expectRefusal(run, 65, "tiny.safetensors: not a CLIP that clipkit knows")
}

/// An output is refused as a conversion's is, and before the model's weights are read.
@Test func embedNeverReplacesWhatItMustNot() throws {
  let place = try EmbedPlace()
  try place.place.write([1, 2, 3], to: "out.npz")
  try place.place.write(Array("a cat".utf8), to: "prompts.jsonl")
  try place.place.write(place.place.bytes("wide.png"), to: "wide.npy")
  symlink("out.npz", place.place.file("link.npz"))
  let prompts = ["--prompts", "prompts.jsonl", "-o"]
  for (arguments, code, message) in [
    (prompts + ["out.npz"], Int32(73), "out.npz: output exists. Use --force to replace it"),
    (prompts + ["link.npz", "--force"], 73, "link.npz: output is a symbolic link. Name the file it leads to"),
    (prompts + ["none/out.npz"], 73, "none/out.npz: cannot create: No such file or directory"),
    (prompts + ["prompts.jsonl", "--force"], 64, "prompts.jsonl: the output is the input. Choose another output"),
    (
      ["--images", "wide.npy", "-o", "wide.npy", "--force"], 64,
      "wide.npy: the output is the input. Choose another output"
    ),
  ] {
    expectRefusal(try place.run(arguments), code, message)
  }
  #expect(try place.place.bytes("out.npz") == [1, 2, 3])
  #expect(try place.run(prompts + ["out.npz", "--force", "-q"]).exitCode == 0)
  #expect(try Checkpoint.open(place.place.file("out.npz"))["text_embeds"]?.shape == [1, 24])
  let own = try place.place.start(
    [
      "embed", "\(place.model)/model.safetensors", "--prompts", "prompts.jsonl", "-o",
      "\(place.model)/model.safetensors", "--force",
    ])
  #expect(try own.wait().exitCode == 64)
}

@Test(arguments: [
  (["--prompts", "-"], "", "standard input: no prompts"),
  (["--images", "-"], "", "standard input: no paths of images"),
  (["--prompts", "-"], "a\\n\\nb\\n", "standard input: offset 2: line 2 is empty, expected a prompt"),
  (["--prompts", "-"], "a\\nb\\0\\n", "standard input: offset 2: line 2 contains NUL"),
  (["--prompts", "-"], "a\\n\\377\\n", "standard input: offset 2: line 2 is not UTF-8. Save the list as UTF-8"),
  (["--images", "-"], "a\\n\\n", "standard input: offset 2: line 2 is empty, expected a path"),
])
func aListThatIsNoneIsRefused(_ arguments: [String], _ text: String, _ message: String) throws {
  let place = try EmbedPlace()
  let run = try place.run(arguments + ["-o", "out.npz"], script: "printf '\(text)' | \"$@\"")
  expectRefusal(run, 65, message)
}

@Test func promptsComeFromStandardInput() throws {
  let place = try EmbedPlace()
  let lines = try place.run(["--prompts", "-", "-q"], script: "printf 'a cat\\r\\na dog' | \"$@\"")
  #expect(try EmbedLine.parse(lines.stdout).map(\.input) == ["a cat", "a dog"])
  let closed = try place.run(["--prompts", "-"], script: "exec \"$@\" <&-")
  expectRefusal(closed, 65, "standard input: no prompts")
}

@Test func promptsStandOnTheCommandLineToo() throws {
  let place = try EmbedPlace()
  try place.place.write(Array("a cat\n".utf8), to: "prompts")
  let run = try place.run(["--prompts", "prompts", "--prompt", "a dog", "--prompt", "a bird", "-q"])
  #expect(try EmbedLine.parse(run.stdout).map(\.input) == ["a cat", "a dog", "a bird"])
  let listed = try place.run(["--prompts", "-", "-q"], script: "printf 'a cat\\na dog\\na bird\\n' | \"$@\"")
  #expect(listed.stdout == run.stdout)
  expectRefusal(
    try place.run(["--prompts", "a photo of a cat"]), 66,
    "a photo of a cat: cannot open: No such file or directory. --prompt takes a text, --prompts a file")
}

@Test func aMistypedOptionIsNamed() throws {
  let run = try EmbedPlace().run(["--imagez", "wide.png"])
  #expect(run.exitCode == 64 && run.stderr.contains("Unknown option '--imagez'. Did you mean '--images'?"))
}

@Test func promptsThatAreCutOrRepeatedAreTold() throws {
  let place = try EmbedPlace()
  let long = String(repeating: "cat ", count: 40)
  try place.place.write(Array("a cat\n\(long)\na cat\n".utf8), to: "prompts")
  let run = try place.run(["--prompts", "prompts", "-o", "out.npy", "--json"])
  #expect(run.exitCode == 0)
  let json = try JSONValue(parsing: Array(run.stdout.utf8))
  #expect(json["truncated"] == 1 && json["prompts"] == ["inputs": 3, "embedded": 3])
  #expect(json["warnings"]?.array?.count == 2 && run.stderr.split(separator: "\n").count == 2)
}

@Test func aReaderOfEmbeddingsMayLeave() throws {
  let place = try EmbedPlace()
  let paths = [String](repeating: "wide.png", count: 3000)
  try place.place.write(Array(paths.map { $0 + "\n" }.joined().utf8), to: "list")
  let run = try place.run(
    ["--images", "-", "-q", "--batch", "1"], script: "{ \"$@\" < list; echo \"code $?\" >&2; } | head -n 1")
  #expect(run.stdout.split(separator: "\n").count == 1 && run.stderr == "code 0\n")
  // What went wrong before stays told.
  try place.place.write(Array((["bad.jpg"] + paths).map { $0 + "\n" }.joined().utf8), to: "list")
  let failed = try place.run(
    ["--images", "-", "-q", "--batch", "1"], script: "{ \"$@\" < list; echo \"code $?\" >&2; } | head -n 1")
  #expect(failed.stderr.hasSuffix("code 1\n"))
}

/// Interrupted, or killed, while it embeds: nothing is left.
@Test(arguments: [SIGINT, SIGTERM, SIGKILL]) func anInterruptedRunLeavesNothing(_ signal: Int32) throws {
  let place = try EmbedPlace()
  let paths = [String](repeating: "wide.png", count: 200_000)
  try place.place.write(Array(paths.map { $0 + "\n" }.joined().utf8), to: "list")
  let before = try place.place.entries()
  for output in ["out.npz", "out.jsonl"] {
    let running = try place.place.start(
      ["embed", place.model, "--images", "-", "-o", output, "-q"], script: "exec \"$@\" < list")
    usleep(300_000)
    kill(running.process, signal)
    let run = try running.wait()
    #expect(signal == SIGKILL ? run.signal == SIGKILL : run.exitCode == 128 + signal)
    #expect(run.stdout.isEmpty && run.stderr.isEmpty)
    #expect(try place.place.entries() == before)
  }
}

#if os(Linux)
  @Test func aFullDiskEndsTheRun() throws {
    let place = try EmbedPlace()
    let run = try place.run(["--images", "wide.png", "-q"], script: "exec \"$@\" > /dev/full")
    #expect(run.exitCode == 74 && run.stderr == "error: cannot write to stdout: No space left on device\n")
    let paths = [String](repeating: "wide.png", count: 600)
    try place.place.write(Array(paths.map { $0 + "\n" }.joined().utf8), to: "list")
    let before = try place.place.entries()
    // A limit on the size of files: the spool grows beyond it, or the output does.
    for output in ["out.npz", "out.jsonl"] {
      let limited = try place.run(["--images", "-", "-o", output, "-q"], script: "ulimit -f 32; exec \"$@\" < list")
      #expect(limited.exitCode == 74 && limited.stdout.isEmpty)
      #expect(limited.stderr.hasPrefix("error: \(output): offset "))
      #expect(try place.place.entries() == before)
    }
  }
#endif
