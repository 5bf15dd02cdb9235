import Checkpoints
import TestSupport
import Testing

@testable import CLIPModels

/// A SigLIP with the vocabulary of a fixture, in a directory and inside GGUF.
struct SentencePieceModelTests {
  private static let size = 1024

  /// Hugging Face's tiny SigLIP with more embeddings, and a tokenizer beside it.
  private func model(with kind: String, in directory: TemporaryDirectory) throws -> String {
    var checkpoint = try Checkpoint.open(fixture("checkpoints/hf-siglip"))
    var tensors = checkpoint.names.compactMap { name in checkpoint[name].map { (name, $0) } }
    for (index, (name, tensor)) in tensors.enumerated() where name.hasPrefix("text_model.embeddings") {
      let rows = name.contains("token_embedding") ? Self.size : 64
      tensors[index].1 = try Tensor(
        dtype: .f32, shape: [rows, tensor.shape[1]], bytes: Bytes([UInt8](repeating: 0, count: rows * 64)))
    }
    checkpoint.removeAllTensors()
    for (name, tensor) in tensors { try checkpoint.add(tensor, named: name) }
    let writer = try FileWriter(directory.file("model.safetensors"), policy: FileWriter.Policy())
    try Safetensors.write(checkpoint, to: writer)
    try writer.commit()
    let config = String(decoding: try fixtureBytes("checkpoints/hf-siglip/config.json"), as: UTF8.self)
      .replacing("\"vocab_size\": 64", with: "\"vocab_size\": \(Self.size)")
      .replacing("\"max_position_embeddings\": 16", with: "\"max_position_embeddings\": 64")
    try directory.write(Array(config.utf8), to: "config.json")
    for name in ["spiece.model", "tokenizer.json", "tokenizer_config.json"] {
      let path = "tokenizer/sentencepiece/\(kind)/\(name)"
      if FileIdentity(path: fixture(path)) != nil { try directory.write(fixtureBytes(path), to: name) }
    }
    return directory.path
  }

  @Test(arguments: ["siglip", "siglip-bytes", "siglip2"])
  func ggufTokenizesAlone(_ kind: String) throws {
    let directory = try TemporaryDirectory()
    let source = try model(with: kind, in: directory)
    let alone = try TemporaryDirectory()
    _ = try convert(source, to: alone.file("model.gguf"))
    _ = try convert(alone.file("model.gguf"), to: alone.file("again.gguf"))
    for path in [source, alone.file("model.gguf"), alone.file("again.gguf")] {
      let tokenizer = try Tokenizer(#require(try CLIPModel.open(path)))
      let column = try #require(SentencePieceTests.kinds.firstIndex(of: kind)) + 1
      for line in try fixtureBytes("tokenizer/sentencepiece/expected.jsonl").split(separator: 0x0A).prefix(60) {
        let row = try #require(JSONValue(parsing: Array(line)).array)
        let ids = try #require(row[column].array).compactMap { $0.integer.map { Int32($0) } }
        let found = try tokenizer.encode(#require(row[0].string))
        #expect(found.ids.filter { $0 > 1 } == ids.filter { $0 > 1 } && found.count == ids.count)
      }
    }
  }

  @Test func vocabulariesBeyondTheModelAreRefusedWhereTheyAreUsed() throws {
    let files = try #require(
      try SentencePieceFiles(directory: "\(SentencePieceTests.folder)/siglip", isOpenCLIP: false))
    let tokenizer = try SentencePieceTokenizer(files, contextLength: 64, vocabularySize: 40)
    #expect(try tokenizer.encode("a").count == 2)
    expectFailure("the model embeds 40") { () throws(FileError) in _ = try tokenizer.encode("a photo of a cat") }
  }

  @Test func whatNothingSaysIsRefused() throws {
    var files = try #require(
      try SentencePieceFiles(directory: "\(SentencePieceTests.folder)/backend", isOpenCLIP: true))
    func refuse(_ message: String, _ change: (inout SentencePieceFiles) -> Void) {
      var changed = files
      change(&changed)
      expectFailure(message) { () throws(FileError) in _ = try SentencePieceRecipe(changed) }
    }
    refuse("nothing says which class") { $0.config["tokenizer_class"] = nil }
    refuse("'BertTokenizer' is none") { $0.config["tokenizer_class"] = "BertTokenizer" }
    refuse("which token fills") { $0.config["pad_token"] = nil }
    refuse("no spiece.model") { $0.config["tokenizer_class"] = "SiglipTokenizer" }
    refuse("has a Unigram model") { $0.config["tokenizer_class"] = "GemmaTokenizer" }
    refuse("split_special_tokens") { $0.config["split_special_tokens"] = true }
    files.json = nil
    refuse("no tokenizer.json") { $0.config["tokenizer_class"] = "T5TokenizerFast" }
  }
}

/// Expects an error that says `message`.
func expectFailure(_ message: String, _ body: () throws(FileError) -> Void) {
  do throws(FileError) {
    try body()
    Issue.record("no error, expected: \(message)")
  } catch {
    #expect(error.description.contains(message), "\(error)")
  }
}
