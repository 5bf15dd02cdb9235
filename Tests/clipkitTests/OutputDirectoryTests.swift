import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private let source = fixture("checkpoints/hf-text")

private func write(_ place: Workplace, _ output: String, _ options: String...) throws -> ClipkitRun {
  try place.start(["convert", source, output, "--layout", "hf", "-q"] + options).wait()
}

@Test func anExistingDirectoryStaysAsItIs() throws {
  let place = try Workplace()
  #expect(try write(place, "out").exitCode == 0)
  let before = try place.status("out") + place.status("out/config.json")
  expectRefusal(try write(place, "out"), 73, "out: output exists. Use --force to replace it")
  #expect(try place.status("out") + place.status("out/config.json") == before)
}

@Test(arguments: ["out", "out/", "./out//"])
func anEmptyDirectoryIsFilled(_ output: String) throws {
  let place = try Workplace()
  mkdir(place.file("out"), 0o700)
  #expect(try write(place, output).exitCode == 0)
  #expect(try place.mode("out") == 0o700)
  #expect(try place.entries() == ["out", "tiny.safetensors"])
  #expect(try place.run("diff", source, "out").exitCode == 0)
}

@Test func forceReplacesADirectoryThatHoldsTheSameNames() throws {
  let place = try Workplace()
  #expect(try write(place, "out").exitCode == 0)
  try place.write([1], to: "out/model.safetensors")
  chmod(place.file("out/model.safetensors"), 0o600)
  #expect(try write(place, "out", "--force").exitCode == 0)
  #expect(try place.mode("out/model.safetensors") == 0o600)
  #expect(try place.run("diff", source, "out").exitCode == 0)
  #expect(try place.entries() == ["out", "tiny.safetensors"])
}

@Test func nobodyElsesFilesAreReplaced() throws {
  let place = try Workplace()
  #expect(try write(place, "out").exitCode == 0)
  let names = try place.entries("out")
  let refusal = { (name: String) in "out: output holds '\(name)', which this does not replace. Choose another directory"
  }

  try place.write([1], to: "out/thesis.tex")
  expectRefusal(try write(place, "out", "--force"), 73, refusal("thesis.tex"))
  unlink(place.file("out/thesis.tex"))

  // A link, as in the cache of Hugging Face, and a directory are not what would replace them either.
  rename(place.file("out/model.safetensors"), place.file("blob"))
  symlink("../blob", place.file("out/model.safetensors"))
  expectRefusal(try write(place, "out", "--force"), 73, refusal("model.safetensors"))
  unlink(place.file("out/model.safetensors"))
  mkdir(place.file("out/model.safetensors"), 0o755)
  expectRefusal(try write(place, "out", "--force"), 73, refusal("model.safetensors"))
  #expect(try place.entries("out") == names)
  #expect(try place.entries() == ["blob", "out", "tiny.safetensors"])
}

@Test(arguments: [["--layout", "hf"], ["--shard-size", "1MB"]])
func aFilesNameIsNoDirectorys(_ options: [String]) throws {
  let place = try Workplace()
  let run = try place.start(["convert", source, "out.gguf", "-q"] + options).wait()
  expectRefusal(
    run, 64,
    "out.gguf: --layout and --shard-size write a directory, this is a file's name. "
      + "Leave out .gguf, or state the --format")
  #expect(try place.entries() == ["tiny.safetensors"])
}

/// What could not be read again is not written.
@Test func moreShardsThanAreReadAreNotWritten() throws {
  let place = try Workplace()
  let count = 10_001
  let entries = (0..<count).map { #""\#($0)":{"dtype":"U8","shape":[1],"data_offsets":[\#($0),\#($0 + 1)]}"# }
  try place.write(
    safetensors("{\(entries.joined(separator: ","))}", data: [UInt8](repeating: 0, count: count)), to: "many")
  let run = try place.run("convert", "many", "out", "--shard-size", "1", "-q")
  expectRefusal(run, 64, "out: 10001 shards, allowed 10000. Use a larger --shard-size")
  #expect(try place.entries() == ["many", "tiny.safetensors"])
}

@Test func whatIsNoDirectoryIsNotReplaced() throws {
  let place = try Workplace()
  mkdir(place.file("elsewhere"), 0o755)
  symlink("elsewhere", place.file("link"))
  try place.write([1], to: "file")
  for force in [[], ["--force"]] {
    let run = { try place.start(["convert", source, $0, "--layout", "hf", "-q"] + force).wait() }
    expectRefusal(
      try run("link"), 73, "link: output is a symbolic link. Name the directory it leads to")
    expectRefusal(try run("file"), 73, "file: output is not a directory")
    expectRefusal(try run("/dev/null"), 73, "/dev/null: output is not a directory")
    expectRefusal(try run(""), 64, "output '' is not a directory's name")
  }
  #expect(try place.entries("elsewhere").isEmpty)
}

/// Folders within are replaced with their files, and nothing else that is in them.
@Test func foldersAreReplacedWithTheirFiles() throws {
  let place = try Workplace()
  let write = { (options: String...) in
    try place.start(
      ["convert", fixture("checkpoints/hf-vision"), "out", "--layout", "transformers.js", "-q", "--assume", "openai"]
        + options
    )
    .wait()
  }
  #expect(try write().exitCode == 0)
  let model = try place.status("out/onnx/vision_model.onnx")
  #expect(try write("--force").exitCode == 0)
  #expect(try place.status("out/onnx/vision_model.onnx") != model)
  try place.write([1], to: "out/onnx/thesis.tex")
  expectRefusal(
    try write("--force"), 73,
    "out: output holds 'onnx/thesis.tex', which this does not replace. Choose another directory")
  #expect(try place.entries("out/onnx") == ["thesis.tex", "vision_model.onnx"])
  #expect(try place.entries() == ["out", "tiny.safetensors"])
}
