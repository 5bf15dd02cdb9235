import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// Names as JSON writes them, with what must be shown.
private let names: [(json: String, shown: String)] = [
  (#"\u001b[2J"#, #"\u{1b}[2J"#), (#"a\rb"#, #"a\u{d}b"#), (#"a\nb"#, #"a\u{a}b"#), (#"\u0000"#, #"\u{0}"#),
  (#"\u202egnp.txt"#, #"\u{202e}gnp.txt"#), (#"\u0085\u009b31m"#, #"\u{85}\u{9b}31m"#),
  ("../../../../tmp/x", "../../../../tmp/x"), ("/etc/passwd", "/etc/passwd"), ("..", ".."), ("", ""), (" ", " "),
  (#"a/b\\c"#, #"a/b\c"#), ("name with spaces f32 [1]", "name with spaces f32 [1]"), ("日本", "日本"),
  (String(repeating: "n", count: 65_536), String(repeating: "n", count: 120) + "…"),
]

private func file(_ names: [String]) -> [UInt8] {
  let entries = names.indices.map {
    #""\#(names[$0])":{"dtype":"F32","shape":[1],"data_offsets":[\#($0 * 4),\#($0 * 4 + 4)]}"#
  }
  return safetensors("{\(entries.joined(separator: ","))}", data: [UInt8](repeating: 0x3F, count: names.count * 4))
}

/// No control character but the newline.
private func isPlain(_ text: String) -> Bool {
  text.unicodeScalars.allSatisfy { scalar in
    scalar == "\n" || ![.control, .format].contains(scalar.properties.generalCategory)
  }
}

@Test func strangeNamesAreShownEscaped() throws {
  let place = try Workplace()
  try place.write(file(names.map(\.json)), to: "strange")
  let list = try place.run("inspect", "strange", "--tensors")
  #expect(list.exitCode == 0)
  for name in names {
    #expect(list.stdout.contains("\n  \(name.shown) ") && list.stdout.contains("  f32  [1]\n"), "\(name)")
  }
  let runs = [
    list, try place.run("hash", "strange"), try place.run("diff", "strange", "tiny.safetensors"),
    try place.run("convert", "strange", "out.pt", "--tensors"), try place.run("diff", "--all", "strange", "out.pt"),
  ]
  for run in runs {
    #expect(run.exitCode == 0 || run.exitCode == 1)
    #expect(isPlain(run.stdout) && isPlain(run.stderr), "\(run)")
  }
  #expect(runs[1].stdout.split(separator: "\n").count == names.count + 1)
  let json = try place.run("inspect", "strange", "--tensors", "--json")
  let shown = try JSONValue(parsing: Array(json.stdout.utf8))["tensors"]?.array?.compactMap { $0["name"]?.string }
  let expected = try names.compactMap { try JSONValue(parsing: Array("\"\($0.json)\"".utf8)).string }
  #expect(Set(shown ?? []) == Set(expected) && shown?.count == names.count)
}

/// A format stores a name as it is, or refuses it; nothing but the output appears. ONNX is written of models only.
@Test(arguments: names.indices, allFormats.map { $0.name }.filter { $0 != ONNX.name })
func strangeNamesSurviveOrAreRefused(_ index: Int, format: String) throws {
  let place = try Workplace()
  try place.write(file([names[index].json]), to: "in")
  var options = ConversionOptions()
  options.format = format
  var refusal: FileError?
  do throws(FileError) {
    _ = try convert(place.file("in"), to: place.file("out"), options: options)
  } catch {
    refusal = error
  }
  if let refusal {
    #expect(refusal.kind == .unsupported && refusal.tensor != nil && refusal.file == place.file("out"), "\(refusal)")
    #expect(isPlain("\(refusal)"))
    #expect(try place.entries() == ["in", "tiny.safetensors"])
    return
  }
  #expect(try place.entries() == ["in", "out", "tiny.safetensors"])
  let (before, after) = (try Checkpoint.open(place.file("in")), try Checkpoint.open(place.file("out")))
  #expect(before.names == after.names)
  #expect(try diff(before, after).isWithin(0))
}

@Test func invalidUTF8InANameIsRefused() throws {
  let place = try Workplace()
  let marker = Array("XX".utf8)
  var bytes = safetensors(#"{"a\nXX":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, data: [0])
  let start = try #require(bytes.indices.first { bytes[$0...].starts(with: marker) })
  bytes.replaceSubrange(start..<start + 2, with: [0xC3, 0x28])
  try place.write(bytes, to: "bad")
  let run = try place.run("inspect", "bad")
  #expect(run.exitCode == 65)
  #expect(run.stderr.hasPrefix("error: bad: offset \(start): ") && isPlain(run.stderr))
}

/// The index of a sharded model names files beside it, and no others.
@Test(arguments: [
  "../x.safetensors", "/etc/passwd", "a/../../x", "", ".", "..", #"x\u0000y"#, "missing.safetensors",
  "model.safetensors.index.json",
])
func aShardIsAPlainFileBesideItsIndex(_ name: String) throws {
  let place = try Workplace()
  try place.write(tinySafetensors, to: "x.safetensors")
  try place.write(Array(#"{"weight_map":{"t":"\#(name)"}}"#.utf8), to: "model.safetensors.index.json")
  let run = try place.run("inspect", "model.safetensors.index.json")
  #expect(run.exitCode == 65)
  #expect(isPlain(run.stderr) && run.stderr.split(separator: "\n").count == 1)
  #expect(run.stderr.hasPrefix("error: "))
}
