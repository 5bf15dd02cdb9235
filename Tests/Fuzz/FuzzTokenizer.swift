import CLIPModels
import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `text`: UTF-8 or not, tokenized in every dialect. `vocabulary`: a `tokenizer.json`, or a `vocab.json`, a zero byte and
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

  private func check(_ tokenizer: Tokenizer, _ text: String, vocabulary: Int32, length: Int) throws(FileError) {
    let sequence = try tokenizer.encode(text)
    precondition(sequence.ids.count == length && (2...length).contains(sequence.count))
    precondition(sequence.ids.allSatisfy { 0..<vocabulary ~= $0 })
    let explanation = try tokenizer.explain(text)
    precondition(explanation.sequence == sequence)
    precondition(sequence.isTruncated == (explanation.tokenCount > length - 2))
  }
}
