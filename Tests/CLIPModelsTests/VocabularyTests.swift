import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// Vocabularies other than CLIP's, in files that are good and bad.
@Suite struct VocabularyTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// The model of `hf-clip` with other files beside it.
  private func model(_ files: [String: String]) throws -> CLIPModel {
    for name in ["config.json", "model.safetensors"] {
      try directory.write(fixtureBytes("checkpoints/hf-clip/\(name)"), to: name)
    }
    for (name, text) in files { try directory.write(Array(text.utf8), to: name) }
    return try #require(try CLIPModel.open(directory.path))
  }

  private static let vocabulary = (try? fixtureBytes("checkpoints/hf-clip/vocab.json")).map {
    String(decoding: $0, as: UTF8.self)
  }
  private static let merges = (try? fixtureBytes("checkpoints/hf-clip/merges.txt")).map {
    String(decoding: $0, as: UTF8.self)
  }

  /// The same vocabulary as transformers' one file has it.
  private static func tokenizerJSON(_ vocabulary: String, merges: (String, String) -> String) -> String {
    let lines = (Self.merges ?? "").split(separator: "\n").dropFirst().map { line in
      let halves = line.split(separator: " ")
      return merges(String(halves[0]), String(halves[1]))
    }
    return #"{"model": {"type": "BPE", "vocab": \#(vocabulary), "merges": [\#(lines.joined(separator: ","))]}}"#
  }

  /// The cases of `Fixtures/tokenizer`, of which transformers' tokenizer of `hf-clip` gave the ids.
  private func expectIDs(_ model: CLIPModel) throws {
    let tokenizer = try Tokenizer(model)
    #expect(tokenizer.dialect == .huggingFace)
    let cases = try #require(try JSONValue(contentsOf: fixture("tokenizer/cases.json")).array)
    for entry in cases {
      let text = try #require(entry["text"]?.string)
      var ids = try #require(entry["hf-clip"]?.array).compactMap { $0.integer.map(Int32.init) }
      ids += [Int32](repeating: ids.last ?? 0, count: 16 - ids.count)
      #expect(try tokenizer.encode(text).ids == ids, "\(text.debugDescription)")
    }
    #expect(cases.count > 150)
  }

  @Test func aVocabularyBesideTheModelIsUsed() throws {
    let model = try #require(try CLIPModel.open(fixture("checkpoints/hf-clip")))
    try expectIDs(model)
  }

  @Test func tokenizerJSONHasMergesAsTextOrAsPairs() throws {
    let vocabulary = try #require(Self.vocabulary)
    let text = Self.tokenizerJSON(vocabulary) { "\"\($0) \($1)\"" }
    try expectIDs(try model(["tokenizer.json": text]))
    let pairs = Self.tokenizerJSON(vocabulary) { "[\"\($0)\", \"\($1)\"]" }
    try expectIDs(try model(["tokenizer.json": pairs]))
  }

  @Test(arguments: ["gguf", "safetensors", "pt", "npz"]) func everyFormatCarriesAVocabularyOfItsOwn(_ ending: String)
    throws
  {
    let path = directory.file("model.\(ending)")
    _ = try convert(fixture("checkpoints/hf-clip"), to: path)
    try expectIDs(try #require(try CLIPModel.open(path)))
    // open_clip's directory has no files for a vocabulary.
    let openCLIP = directory.file("open_clip")
    var options = ConversionOptions()
    options.layout = .openCLIP
    _ = try convert(path, to: openCLIP, options: options)
    let back = directory.file("back")
    options.layout = .hf
    _ = try convert(openCLIP, to: back, options: options)
    try expectIDs(try #require(try CLIPModel.open(back)))
  }

  @Test func aListOfTokensThatHasOtherValuesIsRefused() throws {
    let path = directory.file("model.safetensors")
    _ = try convert(fixture("checkpoints/hf-clip"), to: path)
    var checkpoint = try Checkpoint.open(path)
    checkpoint.metadata["tokenizer.ggml.tokens"] = .string("[1]")
    let model = try #require(try CLIPModel(checkpoint))
    let error = #expect(throws: FileError.self) { _ = try Tokenizer(model) }
    #expect(error?.message.contains("no list of texts") == true)
  }

  /// Padding may be a token that text has, and is then taken out of text; special tokens may be found after cleaning.
  @Test func specialTokensAreThoseOfTheFiles() throws {
    let vocabulary = try #require(Self.vocabulary)
    let cases = try #require(try JSONValue(contentsOf: fixture("tokenizer/special-tokens.json")).object)
    #expect(cases.keys.count == 4)
    for name in cases.keys {
      let entry = try #require(cases[name])
      var files = ["tokenizer_config.json": try #require(entry["tokenizer_config"]).text(pretty: false)]
      if let added = entry["added_tokens"]?.array {
        let model = Self.tokenizerJSON(vocabulary) { "\"\($0) \($1)\"" }
        files["tokenizer.json"] =
          #"{"added_tokens": \#(JSONValue.array(added).text(pretty: false)),"# + model.dropFirst()
      } else {
        files["vocab.json"] = vocabulary
        files["merges.txt"] = Self.merges
      }
      let place = try TemporaryDirectory()
      for (name, text) in files { try place.write(Array(text.utf8), to: name) }
      let tokenizer = try #require(
        try Tokenizer(vocabularyIn: place.path, dialect: .huggingFace, contextLength: 16))
      for (text, ids) in zip(entry["texts"]?.array ?? [], entry["ids"]?.array ?? []) {
        let expected = (ids.array ?? []).compactMap { $0.integer.map(Int32.init) }
        #expect(expected.count == 16)
        #expect(try tokenizer.encode(text.string ?? "").ids == expected, "\(name): \(text.string ?? "")")
      }
    }
  }

  @Test func contradictionsAreRefused() throws {
    let vocabulary = try #require(Self.vocabulary)
    let merges = try #require(Self.merges)
    let cases: [(files: [String: String], message: String)] = [
      (
        ["vocab.json": vocabulary.replacing("\"a</w>\": 320", with: "\"a</w>\": 321"), "merges.txt": merges],
        "has no id of its own"
      ),
      (
        ["vocab.json": vocabulary.replacing("\"!\": 0", with: "\"!\": 9223372036854775808"), "merges.txt": merges],
        "has no id of its own"
      ),
      (
        ["vocab.json": vocabulary.replacing("\"!\": 0", with: "\"!\": -1"), "merges.txt": merges],
        "has no id of its own"
      ),
      (
        ["vocab.json": vocabulary.replacing("\"!\": 0", with: "\"!\": 0.5"), "merges.txt": merges],
        "has no id of its own"
      ),
      (["vocab.json": vocabulary.replacing("\"A\":", with: "\"!\":"), "merges.txt": merges], "duplicate key"),
      (["vocab.json": vocabulary.replacing("\"A\":", with: "\"AA\":"), "merges.txt": merges], "lacks 'A'"),
      (["vocab.json": vocabulary, "merges.txt": merges + "zz q\n"], "is not two tokens that make a third"),
      (["vocab.json": vocabulary, "merges.txt": merges + "aq\n"], "is not two tokens that make a third"),
      (["vocab.json": vocabulary, "merges.txt": merges + "a b c\n"], "is not two tokens that make a third"),
      (["vocab.json": "[]", "merges.txt": merges], "no vocabulary"),
      ([:], "no vocabulary"),
    ]
    for (files, message) in cases {
      let error = #expect(throws: FileError.self) {
        let directory = try VocabularyTests()
        _ = try Tokenizer(try directory.model(files))
      }
      #expect(error?.message.contains(message) == true, "\(message): \(String(describing: error))")
    }
  }
}
