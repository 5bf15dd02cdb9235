import Checkpoints
import TestSupport
import Testing

private let endings = allFormats.flatMap { $0.fileExtensions }

/// Files that are no models, under every extension.
@Test(arguments: endings)
func whatIsNoModelIsNamed(_ ending: String) throws {
  let place = try Workplace()
  let name = "model.\(ending)"
  let pointer = """
    version https://git-lfs.github.com/spec/v1
    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
    size 605247071

    """
  let cases = [
    ("", "empty file"),
    (
      pointer,
      "git-LFS pointer, not the file it stands for "
        + "(oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393, size 605247071). "
        + "Run: git lfs pull"
    ),
    ("<!DOCTYPE html>\n<html>", "looks like HTML, not a model. Download the file again"),
    ("\n\n <HTML><body>404", "looks like HTML, not a model. Download the file again"),
    ("<?xml version=\"1.0\"?><Error>", "looks like HTML, not a model. Download the file again"),
    (#"{"error":"Repository not found"}"#, "looks like JSON, not a model. Give the weights' file"),
    ("\u{FEFF}{\"a\":1}", "looks like JSON, not a model. Give the weights' file"),
  ]
  let verbs = [["inspect", name], ["hash", name], ["diff", "tiny.safetensors", name], ["convert", name, "out.npz"]]
  for (index, (text, message)) in cases.enumerated() {
    try place.write(Array(text.utf8), to: name)
    expectRefusal(try place.start(verbs[index % verbs.count]).wait(), 65, "\(name): offset 0: \(message)")
  }
  #expect(try place.entries() == [name, "tiny.safetensors"].sorted())
}

@Test(arguments: [
  "plain text, no model at all", "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}", "x", "PK", "GGU", "\u{80}",
])
func whatIsNothingKnownIsRefused(_ text: String) throws {
  let place = try Workplace()
  try place.write(Array(text.utf8), to: "model.pt")
  let run = try place.run("inspect", "model.pt")
  #expect(run.exitCode == 65 && run.stdout.isEmpty)
  #expect(run.stderr.hasPrefix("error: model.pt: ") && run.stderr.split(separator: "\n").count == 1)
}

/// Four tebibytes on no disk block: neither time nor memory follow the size.
@Test func aHugeSparseFileIsReadByItsHeader() throws {
  let place = try Workplace()
  do {
    try writeLarge(place.file("huge.safetensors"), megabytes: 4 << 20)
  } catch {
    withKnownIssue("this file system has no sparse files of 4 TiB") { throw error }
    return
  }
  // Virtual memory for data, in KiB: half of it are the stacks of threads.
  let script = "ulimit -d 131072; exec \"$@\""
  let run = try place.run("inspect", "huge.safetensors", script: script)
  #expect(run.exitCode == 0)
  #expect(run.processorTime < 1)
  #expect(run.stdout.contains("1 tensor  1,099,511,627,776 numbers  4.4 TB"))
  #expect(try place.run("convert", "huge.safetensors", "out.pt", "--dry-run", "-q", script: script).exitCode == 0)

  for ending in endings {
    let name = "zeros.\(ending)"
    try writeSparse(place.file(name), head: [], zeros: 4 << 40)
    let run = try place.run("inspect", name, script: script)
    #expect(run.exitCode == 65 && run.processorTime < 1)
    #expect(run.stderr.hasPrefix("error: \(name): offset 0: not a model file: begins with 00 00"))
  }
}
