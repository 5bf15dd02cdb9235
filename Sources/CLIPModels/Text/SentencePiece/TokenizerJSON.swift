import Checkpoints

/// The parts of a `tokenizer.json` that decide about ids, of a SentencePiece vocabulary.
struct TokenizerJSON: Sendable {
  struct Unigram: Sendable {
    var pieces: [String] = []
    var scores: [Double] = []
    var unknownID: Int?
    var hasByteFallback = false
  }

  struct BytePairs: Sendable {
    /// By id.
    var tokens: [String] = []
    var merges: [(left: String, right: String)] = []
    var unknownToken: String?
    var hasByteFallback = false
    var joinsUnknown = false
    var ignoresMerges = false
  }

  enum Model: Sendable {
    case unigram(Unigram)
    case bytePairs(BytePairs)

    var tokens: [String] {
      switch self {
      case .unigram(let model): model.pieces
      case .bytePairs(let model): model.tokens
      }
    }
  }

  /// The text it was read from, for storing it elsewhere.
  let text: [UInt8]
  let model: Model
  /// All but the model.
  let rest: JSONObject

  /// Reads a file's bytes. Vocabulary and merges go straight into arrays: a `JSONValue` of half a million merges would
  /// take a gigabyte, and its keys are taken for equal when Unicode says so.
  init(_ text: [UInt8]) throws(FileError) {
    self.text = text
    var reader = JSONReader(text)
    var rest = JSONObject()
    var parts = ModelParts()
    try reader.object { (reader, key, offset) throws(FileError) in
      guard rest[key] == nil else { throw reader.error("JSON: duplicate key '\(escaped(key))'", at: offset) }
      if key == "model" {
        rest[key] = .null
        try parts.read(&reader)
      } else {
        rest[key] = try JSONValue.read(&reader)
      }
    }
    try reader.end()
    rest["model"] = nil
    self.rest = rest
    model = try parts.model()
  }
}

/// The members of `model`, in whatever order they come.
private struct ModelParts {
  private var fields = JSONObject()
  private var pieces: [String] = []
  private var scores: [Double] = []
  private var ids: [(token: String, id: Int)] = []
  private var merges: [(left: String, right: String)] = []

  mutating func read(_ reader: inout JSONReader) throws(FileError) {
    try reader.object { (reader, key, offset) throws(FileError) in
      guard fields[key] == nil else { throw reader.error("JSON: duplicate key '\(escaped(key))'", at: offset) }
      fields[key] = .null
      switch key {
      case "vocab":
        if try reader.next() == UInt8(ascii: "[") { try readPieces(&reader) } else { try readIDs(&reader) }
      case "merges": try readMerges(&reader)
      default: fields[key] = try JSONValue.read(&reader)
      }
    }
  }

  private mutating func readPieces(_ reader: inout JSONReader) throws(FileError) {
    try reader.array { (reader) throws(FileError) in
      let offset = reader.offset
      var count = 0
      try reader.array { (reader) throws(FileError) in
        if count == 0 { pieces.append(try reader.string()) }
        if count == 1 { scores.append(Double(try reader.number()) ?? .nan) }
        count += 1
        guard count <= 2 else { throw reader.error("vocab: a piece has a text and a score", at: offset) }
      }
      guard count == 2, scores.last?.isFinite == true, pieces.count <= Limits.pieces else {
        throw reader.error("vocab: piece \(pieces.count) has no text with a finite score, or is too many", at: offset)
      }
    }
  }

  private mutating func readIDs(_ reader: inout JSONReader) throws(FileError) {
    try reader.object { (reader, token, offset) throws(FileError) in
      guard ids.count < Limits.pieces else {
        throw reader.error("vocab: more than \(Limits.pieces) tokens", at: offset)
      }
      ids.append((token, try reader.count()))
    }
  }

  private mutating func readMerges(_ reader: inout JSONReader) throws(FileError) {
    try reader.array { (reader) throws(FileError) in
      let start = try reader.next()
      let offset = reader.offset
      var parts: [String] = []
      if start == UInt8(ascii: "[") {
        try reader.array { (reader) throws(FileError) in parts.append(try reader.string()) }
      } else {
        let text = try reader.string()
        parts = text.utf8.split(separator: 0x20, omittingEmptySubsequences: false).map { String(Substring($0)) }
      }
      guard parts.count == 2, merges.count < 4 * Limits.pieces else {
        throw reader.error("merges: merge \(merges.count) of \(parts.count) parts, or too many", at: offset)
      }
      merges.append((parts[0], parts[1]))
    }
  }

  func model() throws(FileError) -> TokenizerJSON.Model {
    let type = fields["type"]?.string ?? ""
    for (key, allowed) in [("dropout", JSONValue.null), ("continuing_subword_prefix", ""), ("end_of_word_suffix", "")] {
      guard let value = fields[key], value != .null, value != allowed else { continue }
      throw FileError(.unsupported, "tokenizer.json: model with \(key), which no SentencePiece vocabulary has")
    }
    let hasByteFallback = fields["byte_fallback"]?.bool ?? false
    switch type {
    case "Unigram":
      let unknown = fields["unk_id"]?.integer
      return .unigram(
        TokenizerJSON.Unigram(pieces: pieces, scores: scores, unknownID: unknown, hasByteFallback: hasByteFallback))
    case "BPE":
      return .bytePairs(
        TokenizerJSON.BytePairs(
          tokens: try tokensByID(), merges: merges, unknownToken: fields["unk_token"]?.string,
          hasByteFallback: hasByteFallback, joinsUnknown: fields["fuse_unk"]?.bool ?? false,
          ignoresMerges: fields["ignore_merges"]?.bool ?? false))
    default:
      throw FileError(
        .unsupported, "tokenizer.json: model of type '\(escaped(type))', known are Unigram and BPE")
    }
  }

  private func tokensByID() throws(FileError) -> [String] {
    var tokens = [String?](repeating: nil, count: ids.count)
    for (token, id) in ids {
      guard tokens.indices.contains(id), tokens[id] == nil else {
        throw FileError(.malformed, "token '\(escaped(token))' has no id of its own below \(ids.count)")
      }
      tokens[id] = token
    }
    return tokens.compactMap { $0 }
  }
}
