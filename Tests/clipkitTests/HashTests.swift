import Checkpoints
import TestSupport
import Testing

/// By sha256sum, of the tensors' bytes and of the lines above the last.
private let manifest = """
  24ae2dfe8df57c1b80e54cef3d90ac3b417fd98973345a5f616bbc9a75dcc202  a.weight f32 [2,3]
  bd7c250566c6e99f47c174b589b7551f8b0e930ed056511d1e8f653bc71d3c4a  b u8 [2]
  e3f5a995deb4d2f706ffa4473d9a7ade52d31071694b981560d7a65a80672c77  model

  """

@Test func hashPrintsAManifest() throws {
  let run = try Workplace().run("hash", "tiny.safetensors")
  #expect(run.exitCode == 0)
  #expect(run.stdout == manifest)
  #expect(run.stderr.isEmpty)
}

@Test func hashAnswersInJSON() throws {
  let run = try Workplace().run("hash", "tiny.safetensors", "--json")
  let json = try JSONValue(parsing: Array(run.stdout.utf8))
  #expect(json["model_sha256"]?.string == "e3f5a995deb4d2f706ffa4473d9a7ade52d31071694b981560d7a65a80672c77")
  #expect(json["tensors"]?.array?.map { $0["name"]?.string } == ["a.weight", "b"])
}

@Test func aGoodManifestMatches() throws {
  let place = try Workplace()
  try place.write(Array(manifest.utf8), to: "manifest")
  let run = try place.run("hash", "tiny.safetensors", "--check", "manifest")
  #expect(run.exitCode == 0)
  #expect(run.stdout == "2 tensors match the manifest\n")
}

@Test func aTamperedTensorIsNamed() throws {
  let place = try Workplace()
  try place.write(Array(manifest.utf8), to: "manifest")
  try place.write(Array(tinySafetensors.dropLast()) + [9], to: "tampered")
  let run = try place.run("hash", "tampered", "--check", "manifest")
  #expect(run.exitCode == 1)
  let lines = run.stdout.split(separator: "\n")
  #expect(lines.count == 2)
  #expect(lines[0].hasPrefix("b: found u8 [2] ") && lines[0].hasSuffix("3c4a"))
  #expect(lines[1] == "1 difference from the manifest")
  let json = try place.run("hash", "tampered", "--check", "manifest", "--json")
  #expect(json.exitCode == 1)
  #expect(try JSONValue(parsing: Array(json.stdout.utf8))["matches"] == false)
}

@Test(arguments: ["a.weight", "b"])
func aMissingAndANewTensorAreNamed(_ name: String) throws {
  let place = try Workplace()
  let lines = manifest.split(separator: "\n").filter { !$0.contains("  \(name) ") }
  try place.write(Array(lines.map { $0 + "\n" }.joined().utf8), to: "shorter")
  let new = try place.run("hash", "tiny.safetensors", "--check", "shorter")
  #expect(new.exitCode == 1)
  #expect(new.stdout.hasPrefix("\(name): not in the manifest\n"))
  try place.write(Array((manifest + lines[0].replacing(" ", with: " x", maxReplacements: 2)).utf8), to: "longer")
  let missing = try place.run("hash", "tiny.safetensors", "--check", "longer")
  #expect(missing.exitCode == 1)
  #expect(missing.stdout.contains(": not in the model\n"))
}

@Test(arguments: ["", "no manifest\n", "{}", "\u{0}\u{1}", String(repeating: "ab", count: 32) + "  b u8\n"])
func whatIsNoManifestIsRefused(_ text: String) throws {
  let place = try Workplace()
  try place.write(Array(text.utf8), to: "manifest")
  let run = try place.run("hash", "tiny.safetensors", "--check", "manifest")
  #expect(run.exitCode == 65)
  #expect(run.stdout.isEmpty)
  #expect(run.stderr.hasPrefix("error: manifest: "))
}

@Test func aManifestMustBeThere() throws {
  #expect(try Workplace().run("hash", "tiny.safetensors", "--check", "manifest").exitCode == 66)
}
