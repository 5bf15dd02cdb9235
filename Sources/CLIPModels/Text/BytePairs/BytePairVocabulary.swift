import Checkpoints

/// The vocabulary of a byte-pair encoding: tokens by id, and merges by rank.
struct BytePairVocabulary: Sendable, Equatable {
  /// Tokens in the order of their ids.
  var tokens: [String]
  /// Merges in the order of their ranks: "left right". Empty when the source has tokens only.
  var merges: [String]
  /// What files say of special tokens.
  var special = SpecialTokens()

  /// CLIP's own, which every model with 49,408 tokens uses.
  static let standard = BytePairVocabulary(
    merges: lines(EmbeddedTables.merges))

  /// Lines of UTF-8, split at bytes: a mark that combines with a line's end or a space would hide it from `Character`.
  private static func lines(_ bytes: some Collection<UInt8>) -> [String] {
    bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
  }

  init(tokens: [String], merges: [String]) {
    self.tokens = tokens
    self.merges = merges
  }

  /// The tokens that merges imply: bytes, bytes at the end of a word, one for each merge, start and end of text.
  init(merges: [String]) {
    self.merges = merges
    let bytes = Self.byteSymbols
    tokens =
      bytes + bytes.map { $0 + "</w>" } + merges.map(Self.joined) + ["<|startoftext|>", "<|endoftext|>"]
  }

  /// A merge's halves without the space between them.
  private static func joined(_ merge: String) -> String {
    String(decoding: merge.utf8.filter { $0 != UInt8(ascii: " ") }, as: UTF8.self)
  }

  /// A printable character for each byte, in the order of their ids: printable Latin-1 stands for itself, the rest for
  /// U+0100 and on.
  private static let byteSymbols = bytesByID.map { symbolOfByte[$0] }

  private static let printable = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF)
  private static let bytesByID = printable + (0...0xFF).filter { !printable.contains($0) }

  /// The character that stands for each byte.
  static let symbolOfByte: [String] = {
    var symbols = [String](repeating: "", count: 256)
    for (index, byte) in bytesByID.enumerated() {
      let scalar = index < printable.count ? byte : 0x100 + index - printable.count
      symbols[byte] = Unicode.Scalar(scalar).map { String(Character($0)) } ?? ""
    }
    return symbols
  }()
}

extension BytePairVocabulary {
  /// The vocabulary in a file's metadata.
  init?(_ metadata: Metadata) throws(FileError) {
    guard let tokens = try Self.list(metadata, "tokenizer.ggml.tokens") else { return nil }
    self.init(tokens: tokens, merges: try Self.list(metadata, "tokenizer.ggml.merges") ?? [])
    if let padding = metadata["tokenizer.ggml.padding_token_id"]?.integer, tokens.indices.contains(padding) {
      special = SpecialTokens(padding: tokens[padding])
    }
  }

  /// A list of texts, which safetensors and npz hold as JSON.
  private static func list(_ metadata: Metadata, _ key: String) throws(FileError) -> [String]? {
    guard let text = metadata[key]?.string else { return metadata[key]?.strings }
    let values = try JSONValue(parsing: Array(text.utf8)).array
    let texts = values?.compactMap(\.string) ?? []
    guard let values, texts.count == values.count else {
      throw FileError(.malformed, "metadata '\(key)' is no list of texts")
    }
    return texts
  }

  /// Adds the vocabulary to a file's metadata, under llama.cpp's keys.
  func add(to metadata: inout Metadata) {
    metadata["tokenizer.ggml.model"] = .string("clip")
    metadata["tokenizer.ggml.tokens"] = .strings(tokens)
    if !merges.isEmpty { metadata["tokenizer.ggml.merges"] = .strings(merges) }
    let padding = special.padding.flatMap { tokens.firstIndex(of: $0) }
    if let padding = padding.flatMap(UInt32.init(exactly:)) {
      metadata["tokenizer.ggml.padding_token_id"] = .uint32(padding)
    }
  }

  /// Whether a model without a vocabulary is given this one for the number of its tokens.
  var isStandard: Bool {
    guard tokens == Self.standard.tokens, merges == Self.standard.merges || merges.isEmpty else { return false }
    return special.padding == nil || special.padding == tokens.last
  }

  /// The vocabulary in the files of a Hugging Face directory: `vocab.json` and `merges.txt`, or `tokenizer.json`.
  init?(directory: String) throws(FileError) {
    if FileIdentity(path: "\(directory)/vocab.json") != nil, FileIdentity(path: "\(directory)/merges.txt") != nil {
      let vocabulary = try JSONValue(contentsOf: "\(directory)/vocab.json")
      try self.init(
        vocabulary: vocabulary, merges: Self.mergeLines("\(directory)/merges.txt"), file: "\(directory)/vocab.json")
    } else if FileIdentity(path: "\(directory)/tokenizer.json") != nil {
      let json = try JSONValue(contentsOf: "\(directory)/tokenizer.json")
      guard json["model"]?["type"]?.string == "BPE", let vocabulary = json["model"]?["vocab"] else { return nil }
      let merges = (json["model"]?["merges"]?.array ?? []).compactMap { merge in
        merge.string ?? merge.array.map { $0.compactMap(\.string).joined(separator: " ") }
      }
      try self.init(vocabulary: vocabulary, merges: merges, file: "\(directory)/tokenizer.json")
    } else {
      return nil
    }
    special = try SpecialTokens(directory: directory)
    try addTokens(file: directory)
  }

  /// Special tokens may have the ids after those of the vocabulary.
  private mutating func addTokens(file: String) throws(FileError) {
    let new = special.tokens.filter { ($0.id ?? 0) >= tokens.count }.sorted { ($0.id ?? 0) < ($1.id ?? 0) }
    for token in new {
      guard token.id == tokens.count else {
        throw FileError(
          .malformed,
          "added token '\(escaped(token.token.content))' has the id \(token.id ?? 0), expected \(tokens.count)",
          file: file)
      }
      tokens.append(token.token.content)
    }
  }

  private init(vocabulary: JSONValue, merges: [String], file: String) throws(FileError) {
    let object = vocabulary.object ?? JSONObject()
    var tokens = [String?](repeating: nil, count: object.keys.count)
    for token in object.keys {
      guard let id = object[token]?.integer, tokens.indices.contains(id), tokens[id] == nil else {
        throw FileError(.malformed, "token '\(escaped(token))' has no id of its own below \(tokens.count)", file: file)
      }
      tokens[id] = token
    }
    self.init(tokens: tokens.compactMap { $0 }, merges: merges)
  }

  private static func mergeLines(_ path: String) throws(FileError) -> [String] {
    let file = try InputFile(path)
    guard file.count <= Limits.json else {
      throw FileError(.malformed, "\(file.count) bytes of merges, allowed \(Limits.json)", file: path)
    }
    let bytes = try Bytes(file).load().filter { $0 != UInt8(ascii: "\r") }
    return lines(bytes).filter { !$0.hasPrefix("#version") }
  }
}
