import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// The rows of these tests say where they belong: image i has [i, i + 0.25], prompt i [-i, 1e-7].
@Suite struct EmbeddingWriterTests {
  private let directory: TemporaryDirectory
  private let paths = ["a.png", "dir/é\u{1B}\n\".png", "a.png", "bad.png", "😀"]
  private let prompts = ["a dog", "", "a\tcat, \u{202E}日本"]
  init() throws { directory = try TemporaryDirectory() }

  /// Two batches of images, of which the fourth fails, then the prompts.
  private func fill(_ writer: inout some EmbeddingWriter) throws {
    let failure = FileError(.truncated, "JPEG ends", file: "bad.png", offset: 7)
    try writer.write(EmbeddedBatch(.images, inputs: paths[0..<2], rows: [0, 0.25, 1, 1.25]))
    try writer.write(EmbeddedBatch(.images, inputs: paths[2...], failures: [3: failure], rows: [2, 2.25, 4, 4.25]))
    try writer.write(EmbeddedBatch(.prompts, inputs: prompts[...], rows: [-0.0, 1e-7, -1, 1e-7, -2, .nan]))
  }

  private func arrays(_ name: String, _ inputs: [EmbeddingSource: ArraySlice<String>]? = nil) throws -> EmbeddingArrays
  {
    try EmbeddingArrays(
      directory.file(name), format: EmbeddingFormat(path: name), policy: FileWriter.Policy(), dimension: 2,
      inputs: inputs ?? [.images: paths[...], .prompts: prompts[...]])
  }

  @Test func linesHoldEveryInput() throws {
    var text = ""
    var lines = EmbeddingLines(dimension: 2) { text += $0 }
    try fill(&lines)
    #expect(try lines.finish(metadata: Metadata()) == text.utf8.count)
    #expect(
      text == """
        {"path":"a.png","embedding":[0.0,0.25]}
        {"path":"dir/é\\u001b\\n\\".png","embedding":[1.0,1.25]}
        {"path":"a.png","embedding":[2.0,2.25]}
        {"path":"bad.png","error":{"code":"truncated","message":"JPEG ends","file":"bad.png","offset":7,"tensor":null,"hint":null}}
        {"path":"😀","embedding":[4.0,4.25]}
        {"prompt":"a dog","embedding":[-0.0,1e-07]}
        {"prompt":"","embedding":[-1.0,1e-07]}
        {"prompt":"a\\tcat, \u{202E}日本","embedding":[-2.0,null]}

        """)
    var file = try EmbeddingLines(directory.file("a.jsonl"), policy: FileWriter.Policy(), dimension: 2)
    try fill(&file)
    #expect(try OutputDirectory.entries(of: directory.path).isEmpty)
    #expect(try file.finish(metadata: Metadata()) == text.utf8.count)
    #expect(try Bytes(InputFile(directory.file("a.jsonl"))).load() == Array(text.utf8))
  }

  /// The fewest digits must read back as the same number, for any number.
  @Test func numbersReadBackAsTheSame() throws {
    var random = SeededRandom(seed: 11)
    let values = (0..<2000).map { _ in Float(bitPattern: UInt32.random(in: 0..<0x7F80_0000, using: &random)) }
    var text = ""
    var lines = EmbeddingLines(dimension: values.count) { text += $0 }
    try lines.write(EmbeddedBatch(.prompts, inputs: ["x"], rows: values))
    let numbers = try #require(try JSONValue(parsing: Array(text.utf8))["embedding"]?.array)
    #expect(numbers.compactMap(\.number).map { Float($0) } == values)
  }

  @Test(.enabled(if: Python.light != nil), arguments: ["npz", "safetensors"])
  func arraysAreReadByTheRealLibraries(_ ending: String) throws {
    var writer = try arrays("a.\(ending)")
    try fill(&writer)
    var metadata = Metadata()
    metadata["clipkit.embeddings"] = .string("1")
    #expect(try OutputDirectory.entries(of: directory.path).isEmpty)
    let size = try writer.finish(metadata: metadata)
    #expect(try InputFile(directory.file("a.\(ending)")).count == size)
    let output = try Python.run(
      Python.light,
      """
      import json, numpy, safetensors, sys
      if sys.argv[1].endswith("npz"):
          arrays = dict(numpy.load(sys.argv[1], allow_pickle=False))
          metadata = json.loads(arrays.pop("__metadata__").tobytes())
          texts = lambda name: arrays[name].tolist()
      else:
          with safetensors.safe_open(sys.argv[1], "numpy") as file:
              arrays, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
          texts = lambda name: json.loads(arrays[name].tobytes())
      assert sorted(arrays) == ["errors", "image_embeds", "image_paths", "prompts", "text_embeds"], sorted(arrays)
      assert metadata["clipkit.embeddings"] == "1"
      images, prompts = arrays["image_embeds"], arrays["text_embeds"]
      assert images.dtype == prompts.dtype == numpy.float32
      assert images.tolist() == [[0, 0.25], [1, 1.25], [2, 2.25], [4, 4.25]]
      assert numpy.array_equal(prompts, numpy.float32([[-0.0, 1e-7], [-1, 1e-7], [-2, numpy.nan]]), equal_nan=True)
      assert texts("image_paths") == ["a.png", 'dir/é\\x1b\\n".png', "a.png", "😀"], texts("image_paths")
      assert texts("prompts") == ["a dog", "", "a\\tcat, \\u202e日本"]
      assert texts("errors") == ["bad.png"]
      print("good")
      """, directory.file("a.\(ending)"))
    #expect(output == "good\n")
  }

  @Test func oneArrayAloneGoesIntoNPY() throws {
    var writer = try arrays("a.npy", [.prompts: prompts[...]])
    try writer.write(EmbeddedBatch(.prompts, inputs: prompts[0..<2], rows: [1, 2, 3, 4]))
    try writer.write(EmbeddedBatch(.prompts, inputs: prompts[2...], rows: [5, 6]))
    _ = try writer.finish(metadata: Metadata())
    let bytes = try Bytes(InputFile(directory.file("a.npy"))).load()
    #expect(String(decoding: bytes[10..<80], as: UTF8.self).contains("'<f4', 'fortran_order': False, 'shape': (3, 2)"))
    #expect(Array(bytes.suffix(24)) == (1...6).flatMap { little(Float($0).bitPattern) })
    let error = #expect(throws: FileError.self) { try arrays("b.npy") }
    #expect(error?.kind == .usage && error?.message == "a .npy file holds one array, of images or of prompts")
  }

  @Test func nothingEmbeddedIsAnEmptyArray() throws {
    var writer = try arrays("a.npz", [.images: []])
    _ = try writer.finish(metadata: Metadata())
    let checkpoint = try Checkpoint.open(directory.file("a.npz"))
    #expect(checkpoint["image_embeds"]?.shape == [0, 2])
  }

  @Test func whatCannotBeWrittenIsRefusedBeforeTheWork() throws {
    let wide = [String(repeating: "x", count: 65_536)] + [String](repeating: "x", count: 20_000)
    let error = #expect(throws: FileError.self) { try arrays("a.npz", [.prompts: wide[...]]) }
    #expect(error?.kind == .usage && error?.tensor == "prompts" && error?.hint == "Choose safetensors")
    _ = try arrays("a.safetensors", [.prompts: wide[...]])
    try directory.write([1], to: "b.npz")
    let exists = #expect(throws: FileError.self) { try arrays("b.npz") }
    #expect(exists?.kind == .cannotCreate)
    for name in ["a", "a.txt", ".npz", "npz"] {
      let error = #expect(throws: FileError.self) { try EmbeddingFormat(path: name) }
      #expect(error?.kind == .usage && error?.message == "the output's name does not say its format", "\(name)")
    }
  }
}
