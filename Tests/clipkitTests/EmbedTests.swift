import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A workplace with the pictures and the prompts of a golden file, of which the real libraries say what they embed to.
struct EmbedPlace {
  let place: Workplace
  let golden: Checkpoint
  let model: String
  /// The paths of its pictures, in its order.
  let pictures: [String]

  init(_ name: String = "hf-clip") throws {
    place = try Workplace()
    golden = try Checkpoint.open(fixture("golden/\(name).safetensors"))
    model = fixture("checkpoints/\(name)")
    let names = try JSONValue(parsing: Array((golden.metadata["clipkit.images"]?.string ?? "").utf8))
    pictures = (names.array ?? []).compactMap(\.string)
    for (index, picture) in pictures.enumerated() {
      try place.write(#require(golden["images.\(index)"]).bytes.load(), to: picture)
    }
    if let prompts = golden.metadata["clipkit.prompts"]?.string {
      try place.write(Array(prompts.utf8), to: "prompts.json")
    }
    try place.write([0xFF, 0xD8, 0xFF, 0xE0, 0], to: "bad.jpg")
  }

  func run(_ arguments: [String], script: String = "exec \"$@\"") throws -> ClipkitRun {
    try place.start(["embed", model] + arguments, script: script).wait()
  }

  /// The rows that the real library made.
  func expected(_ name: String) throws -> [[Float]] {
    let tensor = try #require(golden[name])
    let values = try tensor.bytes.load().withUnsafeBytes { Array($0.assumingMemoryBound(to: Float.self)) }
    return stride(from: 0, to: values.count, by: tensor.shape[1]).map { Array(values[$0..<$0 + tensor.shape[1]]) }
  }
}

/// One line of the output.
struct EmbedLine {
  let input: String
  let row: [Float]?
  let error: JSONValue?

  static func parse(_ text: String) throws -> [EmbedLine] {
    try text.split(separator: "\n").map { line in
      let json = try JSONValue(parsing: Array(line.utf8))
      let input = try #require((json["path"] ?? json["prompt"])?.string)
      let row = json["embedding"]?.array?.compactMap { $0.number.map { Float($0) } }
      return EmbedLine(input: input, row: row, error: json["error"])
    }
  }
}

/// What a product in another order may make of numbers of at most 1.
private func areClose(_ rows: [[Float]?], _ expected: [[Float]]) -> Bool {
  rows.count == expected.count
    && zip(rows, expected).allSatisfy { row, expected in
      row?.count == expected.count && zip(row ?? [], expected).allSatisfy { abs($0 - $1) <= 2e-6 }
    }
}

@Test(arguments: ["hf-clip", "hf-square", "openclip-vit", "openclip-rn", "hf-siglip"])
func imagesEmbedToWhatTheLibrarySays(_ name: String) throws {
  let place = try EmbedPlace(name)
  let run = try place.run(["--images"] + place.pictures)
  #expect(run.exitCode == 0, "\(run.stderr)")
  let lines = try EmbedLine.parse(run.stdout)
  #expect(lines.map(\.input) == place.pictures)
  #expect(try areClose(lines.map(\.row), place.expected("image_embeds")))
}

@Test(arguments: ["hf-clip", "hf-square"]) func promptsEmbedToWhatTheLibrarySays(_ name: String) throws {
  let place = try EmbedPlace(name)
  let run = try place.run(["--prompts", "prompts.json", "-q"])
  #expect(run.exitCode == 0 && run.stderr.isEmpty, "\(run.stderr)")
  let lines = try EmbedLine.parse(run.stdout)
  #expect(lines.map(\.input) == ["a photo of a cat", "The dog in the photo", "a cat &amp; a dog!"])
  #expect(try areClose(lines.map(\.row), place.expected("text_embeds")))

  // As the projection leaves them they are longer or shorter, and point the same way.
  let raw = try EmbedLine.parse(place.run(["--prompts", "prompts.json", "-q", "--raw"]).stdout).compactMap(\.row)
  let length = { (row: [Float]) in row.reduce(0) { $0 + $1 * $1 }.squareRoot() }
  #expect(raw.count == 3 && raw.allSatisfy { abs(length($0) - 1) > 1e-3 })
  #expect(try areClose(raw.map { row in row.map { $0 / length(row) } }, place.expected("text_embeds")))
}

@Test func oneBadImageIsOneRecord() throws {
  let place = try EmbedPlace()
  let images = ["--images", "wide.png", "bad.jpg", "missing.jpg", "square.png"]
  // A missing file among the arguments is a mistake; in a list it is a failure like any other.
  #expect(try place.run(images).exitCode == 66)
  let list = "printf 'wide.png\\nbad.jpg\\nmissing.jpg\\n\(place.place.path)\\nsquare.png\\n' | \"$@\""
  let run = try place.run(["--images", "-"], script: list)
  #expect(run.exitCode == 1)
  let lines = try EmbedLine.parse(run.stdout)
  #expect(lines.map(\.input) == ["wide.png", "bad.jpg", "missing.jpg", place.place.path, "square.png"])
  let expected = try place.expected("image_embeds")
  #expect(areClose([lines[0].row, lines[4].row], [expected[0], expected[2]]))
  #expect(lines[1...3].allSatisfy { $0.row == nil })
  #expect(lines[1...3].map { $0.error?["file"]?.string } == ["bad.jpg", "missing.jpg", place.place.path])
  #expect(
    lines[2].error?["code"] == "missing" && lines[2].error?["message"] == "cannot open: No such file or directory")
  let complaints = run.stderr.split(separator: "\n")
  #expect(complaints[0].hasPrefix("error: bad.jpg: ") && complaints[1].hasPrefix("error: missing.jpg: "))
  #expect(complaints.contains("embedded 2 of 5 images, 24 numbers each") && complaints.contains("  failed: 3"))

  let report = try place.run(["--images", "-", "-o", "out.safetensors", "--json", "-q"], script: list)
  #expect(report.exitCode == 1 && report.stderr.split(separator: "\n").count == 3)
  let json = try JSONValue(parsing: Array(report.stdout.utf8))
  #expect(json["images"] == ["inputs": 5, "embedded": 2] && json["prompts"] == .null)
  #expect(json["errors"]?.array == lines[1...3].compactMap(\.error))
  let output = try Checkpoint.open(place.place.file("out.safetensors"))
  #expect(output["image_embeds"]?.shape == [2, 24])
  #expect(try output["image_paths"]?.bytes.load() == Array(#"["wide.png","square.png"]"#.utf8))
  #expect(
    try output["errors"]?.bytes.load() == Array(JSONValue.array(lines[1...3].map { .string($0.input) }).text().utf8))
}

@Test func failingFastLeavesNothing() throws {
  let place = try EmbedPlace()
  let before = try place.place.entries()
  let arguments = ["--images", "wide.png", "bad.jpg", "square.png", "-o", "out.npz", "--fail-fast"]
  let run = try place.run(arguments)
  #expect(run.exitCode == 65 && run.stdout.isEmpty)
  #expect(run.stderr.hasPrefix("error: bad.jpg: ") && run.stderr.split(separator: "\n").count == 1)
  #expect(try place.place.entries() == before)
}

/// Ten thousand images of which every hundredth is bad.
@Test func aHundredBadImagesOfTenThousand() throws {
  let place = try EmbedPlace("hf-square")
  let paths = (0..<10_000).map { $0 % 100 == 42 ? "bad.jpg" : "square.png" }
  try place.place.write(Array(paths.map { $0 + "\n" }.joined().utf8), to: "list")
  let run = try place.run(["--images", "-", "-o", "out.npz", "--json", "-q"], script: "exec \"$@\" < list")
  #expect(run.exitCode == 1)
  let json = try JSONValue(parsing: Array(run.stdout.utf8))
  #expect(json["images"] == ["inputs": 10_000, "embedded": 9_900])
  #expect(json["errors"]?.array?.count == 100 && run.stderr.split(separator: "\n").count == 100)
  #expect(json["errors"]?.array?.allSatisfy { $0["file"] == "bad.jpg" } == true)
  let output = try Checkpoint.open(place.place.file("out.npz"))
  #expect(output["image_embeds"]?.shape == [9_900, 24])
  let bytes = try #require(output["image_embeds"]).bytes.load()
  // All of one picture, so all of one row.
  #expect((0..<9_900).allSatisfy { bytes[($0 * 96)..<($0 * 96 + 96)] == bytes[..<96] })
}

/// No number changes with the batch, the threads or the shards.
@Test func everyWayToRunGivesTheSameBytes() throws {
  let place = try EmbedPlace()
  var paths: [String] = []
  for index in 0..<23 { paths.append(index % 7 == 3 ? "bad.jpg" : place.pictures[index % 3]) }
  let prompts = (0..<17).map { String(repeating: "a photo of a cat ", count: $0 % 5) + "\($0)" }
  try place.place.write(Array(paths.joined(separator: "\n").utf8), to: "list")
  try place.place.write(Array(prompts.joined(separator: "\n").utf8), to: "prompts")
  let run = { (options: [String]) in
    try place.run(["--images", "-", "--prompts", "prompts", "-q"] + options, script: "exec \"$@\" < list")
  }
  let whole = try run([])
  #expect(whole.exitCode == 1 && whole.stdout.split(separator: "\n").count == 40)
  for options in [["--batch", "1"], ["--batch", "3", "--threads", "1"], ["--threads", "5"], ["--batch", "4096"]] {
    #expect(try run(options).stdout == whole.stdout, "\(options)")
  }
  let lines = whole.stdout.split(separator: "\n")
  for count in [1, 2, 5, 30] {
    var images: [Substring] = []
    var texts: [Substring] = []
    for index in 1...count {
      let part = try run(["--shard", "\(index)/\(count)"]).stdout.split(separator: "\n")
      images += part.filter { $0.hasPrefix("{\"path\"") }
      texts += part.filter { $0.hasPrefix("{\"prompt\"") }
    }
    #expect(images + texts == lines, "\(count) shards")
  }
  for format in ["npz", "safetensors", "jsonl"] {
    let outputs = try ["1", "2", "7"].map { threads in
      #expect(try run(["-o", "\(threads).\(format)", "--threads", threads, "--batch", threads]).exitCode == 1)
      return try place.place.bytes("\(threads).\(format)")
    }
    #expect(outputs[0] == outputs[1] && outputs[0] == outputs[2])
  }
}

@Test func namesOfAllKindsComeThrough() throws {
  let place = try EmbedPlace()
  let bytes = try place.place.bytes("wide.png")
  let names = ["new\nline.png", "e\u{1B}[2J.png", " .png", "'\"$(x)`.png", "日本.png", "-x.png", "\u{202E}gnp.png"]
  mkdir(place.place.file("dir"), 0o755)
  for name in names { try place.place.write(bytes, to: "dir/\(name)") }
  let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { "dir/\($0)" }
  let directory = try EmbedLine.parse(place.run(["--images", "dir", "-q"]).stdout)
  #expect(directory.map(\.input) == sorted)
  #expect(directory.allSatisfy { $0.row == directory[0].row && $0.row?.count == 24 })
  let script = "cd dir; printf '%s\\0' *.png | \"$@\""
  let list = try EmbedLine.parse(place.run(["--images", "-", "-0", "-q"], script: script).stdout)
  #expect(Set(list.map(\.input)) == Set(names) && list.allSatisfy { $0.row == directory[0].row })
}
