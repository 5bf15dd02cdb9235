import CLIPModels
import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `text`: UTF-8 or not, tokenized in every dialect. `sentencepiece`: a text and what makes ids of it. `vocabulary`: a `tokenizer.json`, or a `vocab.json`, a zero byte and
/// a `merges.txt`.
struct FuzzTokenizer {
  let directory: String

  private static let dialects = TokenizerDialect.allCases.filter { $0 != .sentencePiece }
  private static let standard = dialects.map { try? Tokenizer(standard: $0) }

  /// What is encoded has the length of the context, and the explanation says the same.
  func encode(_ input: [UInt8]) throws(FileError) {
    let text = String(decoding: input, as: UTF8.self)
    for tokenizer in Self.standard {
      guard let tokenizer else { fatalError("no standard tokenizer") }
      try check(tokenizer, text, vocabulary: 49408, length: 77)
    }
  }

  /// A vocabulary is refused, or it encodes.
  func read(_ input: [UInt8]) throws(FileError) {
    let parts = input.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    let names = parts.count == 2 ? ["vocab.json", "merges.txt"] : ["tokenizer.json"]
    for name in ["vocab.json", "merges.txt", "tokenizer.json"] { unlink("\(directory)/\(name)") }
    for (name, part) in zip(names, parts) {
      let output = try FileWriter("\(directory)/\(name)", policy: FileWriter.Policy(force: true))
      try output.write(Array(part))
      try output.commit()
    }
    for dialect in Self.dialects {
      guard let tokenizer = try Tokenizer(vocabularyIn: directory, dialect: dialect, contextLength: 16) else { return }
      try check(tokenizer, "a photo of <|endoftext|> cats 12 é!", vocabulary: .max, length: 16)
    }
  }

  /// The length of a text, the text, and a `spiece.model` or `tokenizer.json`.
  func readSentencePiece(_ input: [UInt8]) throws(FileError) {
    guard let length = input.first, input.count > Int(length) + 1 else { return }
    let text = String(decoding: input[1..<(Int(length) + 1)], as: UTF8.self)
    let file = Array(input[(Int(length) + 1)...])
    let isJSON = file.first == UInt8(ascii: "{")
    for name in ["spiece.model", "tokenizer.json"] { unlink("\(directory)/\(name)") }
    let configs = isJSON ? ["TokenizersBackend", "T5Tokenizer", "Siglip2Tokenizer"] : ["SiglipTokenizer"]
    for name in configs {
      let tokens = #""pad_token":"</s>","eos_token":"</s>","unk_token":"<unk>","extra_ids":0"#
      let config = #"{"tokenizer_class":"\#(name)",\#(tokens)}"#
      let contents = [isJSON ? "tokenizer.json" : "spiece.model": file, "tokenizer_config.json": Array(config.utf8)]
      for (name, bytes) in contents {
        let output = try FileWriter("\(directory)/\(name)", policy: FileWriter.Policy(force: true))
        try output.write(bytes)
        try output.commit()
      }
      guard let tokenizer = try Tokenizer(vocabularyIn: directory, dialect: .sentencePiece, contextLength: 64) else {
        fatalError("no vocabulary in files that are there")
      }
      let sequence = try tokenizer.encode(text)
      precondition(sequence.ids.count == 64 && sequence.realIDs.count == sequence.count)
      let explanation = try tokenizer.explain(text)
      precondition(explanation.sequence == sequence)
    }
  }

  private func check(_ tokenizer: Tokenizer, _ text: String, vocabulary: Int32, length: Int) throws(FileError) {
    let sequence = try tokenizer.encode(text)
    precondition(sequence.ids.count == length && (2...length).contains(sequence.count))
    precondition(sequence.ids.allSatisfy { 0..<vocabulary ~= $0 })
    let explanation = try tokenizer.explain(text)
    precondition(explanation.sequence == sequence)
    precondition(sequence.isTruncated == (explanation.tokenCount > length - 2))
  }
}
