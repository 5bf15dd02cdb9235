import Checkpoints
import TestSupport
import Testing

@Test func convertReportsWhatItDid() throws {
  let place = try Workplace()
  let run = try place.run("convert", "tiny.safetensors", "out.npz", "--dtype", "f16", "--tensors")
  #expect(run.exitCode == 0)
  #expect(run.stderr == "warning: not a CLIP that clipkit knows: tensors are copied under their own names\n")
  // Small integers are exact in f16.
  let lines = run.stdout.split(separator: "\n", omittingEmptySubsequences: false)
  #expect(lines.count == 6)
  #expect(lines[0] == "tiny.safetensors (safetensors) → out.npz (npz)")
  #expect(try lines[1] == "wrote 2 tensors, \(place.bytes("out.npz").count) B")
  #expect(
    lines[2...] == [
      "  1 cast f32 → f16", "  a.weight  f32 → f16  [2, 3]  ", "  b         u8         [2]     ", "",
    ])
}

@Test func convertReportsInJSON() throws {
  let place = try Workplace()
  let run = try place.run("convert", "tiny.safetensors", "out.pt", "--json", "--quiet")
  #expect(run.exitCode == 0)
  #expect(run.stderr.isEmpty)
  #expect(
    try JSONValue(parsing: Array(run.stdout.utf8)) == [
      "schema": 1, "input": "tiny.safetensors", "output": "out.pt", "source_format": "safetensors",
      "source_dialect": .null, "format": "pytorch", "dialect": .null, "bytes": JSONValue(place.bytes("out.pt").count),
      "dry_run": false,
      "tensors": [
        ["name": "a.weight", "sources": ["a.weight"], "shape": [2, 3], "from": "f32", "to": "f32"],
        ["name": "b", "sources": ["b"], "shape": [2], "from": "u8", "to": "u8"],
      ],
      "dropped": [], "as_metadata": [], "folded": [], "extras": [], "removed": [],
      "warnings": ["not a CLIP that clipkit knows: tensors are copied under their own names"],
    ])
}

@Test(arguments: allFormats.map { $0.name })
func aDryRunWritesNothingAndKnowsTheSize(_ format: String) throws {
  let place = try Workplace()
  let source = fixture("checkpoints/hf-clip")
  let dry = try place.run("convert", source, "out", "--format", format, "--dry-run", "--json")
  #expect(dry.exitCode == 0)
  #expect(try place.entries() == ["tiny.safetensors"])
  let wet = try place.run("convert", source, "out", "--format", format, "--json")
  #expect(wet.exitCode == 0)
  let (planned, done) = try (
    JSONValue(parsing: Array(dry.stdout.utf8)), JSONValue(parsing: Array(wet.stdout.utf8))
  )
  #expect(planned["dry_run"] == true && done["dry_run"] == false)
  #expect(try planned["bytes"] == JSONValue(place.bytes("out").count))
  #expect(planned["tensors"]?.array?.count == done["tensors"]?.array?.count)
}

@Test(arguments: ["hf", "open_clip"])
func aDryRunOfADirectoryWritesNothing(_ layout: String) throws {
  let place = try Workplace()
  let source = fixture("checkpoints/hf-clip")
  let dry = try place.run("convert", source, "out", "--layout", layout, "--dry-run", "--json")
  #expect(dry.exitCode == 0)
  #expect(try place.entries() == ["tiny.safetensors"])
  #expect(try place.run("convert", source, "out", "--layout", layout, "--quiet").exitCode == 0)
  let sizes = try place.entries("out").map { try place.bytes("out/\($0)").count }
  #expect(try JSONValue(parsing: Array(dry.stdout.utf8))["bytes"] == JSONValue(sizes.reduce(0, +)))
}

/// Whatever the extension, the content decides; a wrong one is worth a warning.
@Test(arguments: allFormats.map { $0.name }, allFormats.map { $0.fileExtensions[0] })
func everyFormatIsRecognisedUnderEveryExtension(_ format: String, ending: String) throws {
  let place = try Workplace()
  let name = "model.\(ending)"
  let source = fixture("checkpoints/hf-text")
  #expect(try place.run("convert", source, name, "--format", format, "--quiet").exitCode == 0)
  let run = try place.run("inspect", name, "--json")
  #expect(run.exitCode == 0)
  let json = try JSONValue(parsing: Array(run.stdout.utf8))
  #expect(json["format"]?.string == format)
  let own = allFormats.first { $0.name == format }.map { $0.fileExtensions } ?? []
  let note = JSONValue.string("the name ends in .\(ending), the content is \(format)")
  #expect(json["notes"]?.array?.contains(note) == !own.contains(ending))
  #expect(try place.run("diff", source, name).exitCode == 0)
}

/// S24: one NaN makes its whole block NaN, so that it takes a word to quantize one; copies and casts only tell.
@Test(arguments: [Float.nan, .infinity, -.infinity]) func nonFiniteWeightsAreNotQuantized(_ value: Float) throws {
  let place = try Workplace()
  let values = (0..<64).map { $0 == 41 || $0 == 50 ? value : Float($0) }
  let header = #"{"w":{"dtype":"F32","shape":[2,32],"data_offsets":[0,256]}}"#
  let bytes = safetensors(header, data: values.flatMap { little($0.bitPattern) })
  try place.write(bytes, to: "a.safetensors")
  let refused = try place.run("convert", "a.safetensors", "a.gguf", "--dtype", "q8_0")
  #expect(refused.exitCode == 65)
  #expect(
    refused.stderr
      == "error: a.safetensors: tensor 'w': element 41 is NaN or infinite, which would spoil its block of q8_0. "
      + "Use --allow-nonfinite to quantize it nevertheless, or another --dtype\n")
  #expect(try place.entries() == ["a.safetensors", "tiny.safetensors"])
  for arguments in [["--dtype", "q8_0", "--allow-nonfinite"], ["--dtype", "f16"], []] {
    let run = try place.start(["convert", "a.safetensors", "a.gguf", "--force"] + arguments).wait()
    #expect(run.exitCode == 0)
    #expect(run.stderr.contains("w: 2 values are NaN or infinite in the source, the first at element 41"))
  }
}
