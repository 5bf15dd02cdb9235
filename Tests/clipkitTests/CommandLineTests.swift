import Checkpoints
import TestSupport
import Testing

@Test(arguments: [
  ("inspect", "USAGE: clipkit inspect", "--statistics"), ("convert", "USAGE: clipkit convert", "--dialect"),
  ("embed", "USAGE: clipkit embed", "--prompts"),
  ("diff", "USAGE: clipkit diff", "--tolerance"), ("hash", "USAGE: clipkit hash", "--check"),
])
func helpDescribesEachVerb(_ verb: String, usage: String, option: String) throws {
  for arguments in [[verb, "--help"], ["help", verb]] {
    let run = try Clipkit(arguments).wait()
    #expect(run.exitCode == 0)
    #expect(run.stdout.contains(usage) && run.stdout.contains(option) && run.stdout.contains("OVERVIEW: "))
    #expect(run.stderr.isEmpty)
  }
}

@Test func versionIsOneLine() throws {
  let run = try Clipkit.run("--version")
  #expect(run.exitCode == 0)
  #expect(run.stdout.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
}

@Test(arguments: [
  ["frobnicate"], ["inspect"], ["inspect", "a", "b"], ["inspect", "--no-such-option", "a"], ["convert", "a"],
  ["convert", "a", "b.pt", "--dtype", "f12"], ["convert", "a", "b.pt", "--shard-size", "0"],
  ["convert", "a", "b.pt", "--shard-size", "99999999999GB"], ["convert", "a", "b.pt", "--tower", "both,"],
  ["diff", "a", "b", "--tolerance", "-1"], ["diff", "a", "b", "--tolerance", "x"], ["hash"],
  ["inspect", "-"], ["hash", "-"], ["diff", "-", "-"], ["convert", "tiny.safetensors", "-"],
])
func usageErrorsExitWith64(_ arguments: [String]) throws {
  let place = try Workplace()
  let run = try place.start(arguments).wait()
  #expect(run.exitCode == 64)
  #expect(run.stdout.isEmpty)
  #expect(run.stderr.lowercased().hasPrefix("error: "))
  #expect(try place.entries() == ["tiny.safetensors"])
}

/// What the command line's parser refuses has the members of every other error.
@Test func usageErrorsAreWholeInJSON() throws {
  let run = try Clipkit.run("inspect", "--json")
  #expect(run.exitCode == 64)
  let error = try #require(try JSONValue(parsing: Array(run.stdout.utf8))["error"]?.object)
  #expect(Set(error.keys) == ["code", "message", "file", "offset", "tensor", "hint"])
  #expect(error["code"] == "usage" && error["message"] == "Missing expected argument '<path>'")
}

@Test(arguments: [
  ["--format", "onnxx"], ["--dialect", "klingon"], [],
])
func unknownChoicesExitWith64(_ options: [String]) throws {
  let place = try Workplace()
  let source = fixture("checkpoints/hf-clip")
  let run = try place.start(["convert", source, "out"] + options).wait()
  #expect(run.exitCode == 64)
  #expect(run.stderr.hasPrefix("error: ") && run.stderr.split(separator: "\n").count == 1)
  #expect(try place.entries() == ["tiny.safetensors"])
}

/// An option that looks like a file, and a file that looks like an option.
@Test func aNameWithADashIsAFileAfterTwoDashes() throws {
  let place = try Workplace()
  try place.write(tinySafetensors, to: "-x")
  try place.write(tinySafetensors, to: "-")
  #expect(try place.run("inspect", "-x").exitCode == 64)
  #expect(try place.run("inspect", "--", "-x").exitCode == 0)
  #expect(try place.run("inspect", "./-").exitCode == 0)
  #expect(try place.run("convert", "./-", "./-.safetensors", "--quiet").exitCode == 0)
}

/// Every verb refuses a bad file in the same way: one line, and with --json an object that says the same.
@Test(arguments: [["inspect"], ["hash"], ["diff", "tiny.safetensors"], ["convert", "out.pt"]])
func badDataIsOneLineAndOneObject(_ verb: [String]) throws {
  let place = try Workplace()
  try place.write(
    safetensors(#"{"w\u001b[2J":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, data: [0, 0, 0, 0]), to: "bad")
  let arguments = verb[0] == "convert" ? ["convert", "bad", "out.pt"] : verb + ["bad"]
  let line = "error: bad: offset 9: tensor 'w\\u{1b}[2J': f32 [2] needs 8 bytes, found 4\n"

  let run = try place.start(arguments).wait()
  #expect(run.exitCode == 65)
  #expect(run.stdout.isEmpty)
  #expect(run.stderr == line)

  let json = try place.start(arguments + ["--json"]).wait()
  #expect(json.exitCode == 65)
  #expect(json.stderr == line)
  let error = try #require(try JSONValue(parsing: Array(json.stdout.utf8))["error"])
  #expect(error["code"] == "mismatch")
  #expect(error["file"] == "bad")
  #expect(error["offset"] == 9)
  #expect(error["tensor"] == "w\u{1B}[2J")
  #expect(error["message"] == "f32 [2] needs 8 bytes, found 4")
  #expect(error["hint"] == .null)
  #expect(json.stdout.hasSuffix("}\n"))
  #expect(try place.entries() == ["bad", "tiny.safetensors"])
}

@Test func aDirectoryIsResolvedOrRefused() throws {
  let place = try Workplace()
  let empty = try Workplace()
  #expect(try place.run("inspect", "/").exitCode == 66)
  #expect(try place.run("inspect", ".").exitCode == 0)
  try place.write(tinySafetensors, to: "other.safetensors")
  let two = try place.run("inspect", ".")
  #expect(two.exitCode == 64)
  #expect(
    two.stderr == "error: .: 2 checkpoints in this directory: 'other.safetensors', 'tiny.safetensors'. "
      + "Name one of them\n")
  #expect(try empty.run("inspect", "tiny.safetensors/").exitCode == 66)
}
