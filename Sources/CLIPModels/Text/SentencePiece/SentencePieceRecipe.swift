import Checkpoints

/// How transformers uses a SentencePiece vocabulary, by the class that the tokenizer's files name: `formats/tokenizer.md`.
struct SentencePieceRecipe: Sendable {
  /// The classes of transformers 5 that SigLIP models name.
  enum Kind: String, Sendable {
    case siglip = "SiglipTokenizer"
    case t5 = "T5Tokenizer"
    case gemma = "GemmaTokenizer"
    case siglip2 = "Siglip2Tokenizer"
    /// `tokenizer.json` as it is.
    case backend = "TokenizersBackend"

    /// - Parameter name: with or without the `Fast` of older versions.
    init?(className name: String) {
      let plain = name.hasSuffix("Fast") ? String(name.dropLast(4)) : name
      self.init(rawValue: plain == "PreTrainedTokenizer" ? Self.backend.rawValue : plain)
    }

    /// The special tokens that the class has where no file says otherwise.
    var specialTokens: [(key: String, content: String)] {
      switch self {
      case .siglip: [("unk_token", "<unk>"), ("eos_token", "</s>"), ("pad_token", "</s>")]
      case .t5: [("unk_token", "<unk>"), ("eos_token", "</s>"), ("pad_token", "<pad>")]
      case .gemma, .siglip2:
        [
          ("bos_token", "<bos>"), ("eos_token", "<eos>"), ("unk_token", "<unk>"), ("pad_token", "<pad>"),
          ("mask_token", "<mask>"),
        ]
      case .backend: []
      }
    }

    /// Gemma's classes pad in front unless a file says otherwise.
    var padsLeft: Bool { self == .gemma || self == .siglip2 }
  }

  let pipeline: any TextPipeline
  /// Tokens by id, added ones behind the vocabulary's.
  let tokens: [String]
  let before: [Int32]
  let after: [Int32]
  let endID: Int32?
  let paddingID: Int32
  let padsLeft: Bool
  let truncatesLeft: Bool
  /// SiglipTokenizer puts no end behind a text that already ends with one.
  let endsOnce: Bool

  /// Whether the class that a config names reads the SentencePiece model, not `tokenizer.json`.
  static func usesModel(_ config: JSONObject) -> Bool {
    config["tokenizer_class"]?.string.flatMap(Kind.init(className:)) == .siglip
  }

  /// - Throws: `unsupported` when no file names a class that is known, `missing` when the class's file is not there,
  ///   `malformed` for what its library refuses.
  init(_ files: SentencePieceFiles) throws(FileError) {
    let builder = try RecipeBuilder(files)
    self = try builder.kind == .siglip ? builder.siglip() : builder.tokenizers()
  }

  init(
    pipeline: any TextPipeline, tokens: [String], before: [Int32], after: [Int32], endID: Int32?, paddingID: Int32,
    padsLeft: Bool, truncatesLeft: Bool, endsOnce: Bool
  ) {
    self.pipeline = pipeline
    self.tokens = tokens
    self.before = before
    self.after = after
    self.endID = endID
    self.paddingID = paddingID
    self.padsLeft = padsLeft
    self.truncatesLeft = truncatesLeft
    self.endsOnce = endsOnce
  }
}

/// Puts a recipe together.
private struct RecipeBuilder {
  let files: SentencePieceFiles
  let kind: SentencePieceRecipe.Kind

  init(_ files: SentencePieceFiles) throws(FileError) {
    self.files = files
    guard let name = files.config["tokenizer_class"]?.string else {
      throw FileError(
        .unsupported, "nothing says which class of transformers uses the SentencePiece vocabulary",
        hint: "Put tokenizer_config.json with its tokenizer_class beside it")
    }
    guard let kind = SentencePieceRecipe.Kind(className: name) else {
      throw FileError(.unsupported, "tokenizer_class '\(escaped(name))' is none that SigLIP models have")
    }
    self.kind = kind
    for key in ["split_special_tokens", "sp_model_kwargs"] {
      guard let value = files.config[key], value != .null, value != false, value != .object(JSONObject()) else {
        continue
      }
      throw FileError(.unsupported, "tokenizer_config.json: \(key) is not followed")
    }
  }

  private func side(_ key: String, _ section: String) -> String? {
    files.config[key]?.string ?? (kind == .siglip ? nil : files.json?.rest[section]?["direction"]?.string?.lowercased())
  }

  /// The text of a special token, which files give as a string or as an object.
  private func content(_ key: String) -> String? {
    let value = files.config[key]
    return value == .null
      ? nil
      : value?.string ?? value?["content"]?.string
        ?? kind.specialTokens.first { $0.key == key }?.content
  }

  /// Every token that is taken out of texts: those that files list, then special ones.
  private func addedTokens() throws(FileError) -> [AddedToken] {
    var tokens: [AddedToken] = []
    if let listed = files.config["added_tokens_decoder"]?.object {
      let keys = listed.keys.sorted { (Int($0) ?? 0, $0) < (Int($1) ?? 0, $1) }
      for key in keys { tokens.append(try AddedToken(listed[key] ?? .null)) }
    }
    if files.config["added_tokens_decoder"] == nil || kind == .backend {
      for token in try files.json?.addedTokens() ?? [] where !tokens.contains(where: { $0.content == token.content }) {
        tokens.append(token)
      }
    }
    let keys = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]
    for content in keys.compactMap(content) { add(AddedToken(content: content, strips: kind == .siglip), to: &tokens) }
    for key in ["extra_special_tokens", "additional_special_tokens"] {
      for value in files.config[key]?.array ?? [] {
        let token = if let content = value.string { AddedToken(content: content) } else { try AddedToken(value) }
        add(token, to: &tokens)
      }
    }
    if kind == .t5 {
      for index in 0..<min(max(files.config["extra_ids"]?.integer ?? 100, 0), 1_000) {
        add(AddedToken(content: "<extra_id_\(index)>"), to: &tokens)
      }
    }
    return tokens
  }

  private func add(_ token: AddedToken, to tokens: inout [AddedToken]) {
    if !token.content.isEmpty, !tokens.contains(where: { $0.content == token.content }) { tokens.append(token) }
  }

  /// Gives added tokens their ids: those of the vocabulary, new ones behind it.
  private func ids(_ added: [AddedToken], _ tokens: inout [String]) -> [(token: AddedToken, id: Int32)] {
    let table = TokenTable(tokens)
    return added.map { token in
      if let id = table.id(of: token.content) { return (token, id) }
      tokens.append(token.content)
      return (token, Int32(truncatingIfNeeded: tokens.count - 1))
    }
  }

  private func recipe(
    _ pipeline: any TextPipeline, tokens: [String], template: (before: [Int32], after: [Int32])
  ) throws(FileError) -> SentencePieceRecipe {
    let table = TokenTable(tokens)
    guard let padding = content("pad_token").flatMap({ table.id(of: $0) }) else {
      throw FileError(
        .unsupported, "nothing says which token fills the rest of the context",
        hint: "Put tokenizer_config.json with its pad_token beside the vocabulary")
    }
    return SentencePieceRecipe(
      pipeline: pipeline, tokens: tokens, before: template.before, after: template.after,
      endID: content("eos_token").flatMap { table.id(of: $0) }, paddingID: padding,
      padsLeft: side("padding_side", "padding").map { $0 == "left" } ?? kind.padsLeft,
      truncatesLeft: side("truncation_side", "truncation") == "left", endsOnce: kind == .siglip)
  }
}

extension RecipeBuilder {
  /// `SiglipTokenizer`: sentencepiece itself.
  func siglip() throws(FileError) -> SentencePieceRecipe {
    guard var model = files.model else {
      throw FileError(
        .missing, "no spiece.model, which SiglipTokenizer reads", hint: "A tokenizer.json does not say the same")
    }
    if files.config["legacy"]?.bool == false { model.addsDummyPrefix = false }
    let processor = try SentencePieceProcessor(model)
    var tokens = model.pieces
    let added = ids(try addedTokens(), &tokens)
    let pipeline = SiglipPipeline(
      processor,
      added: AddedTokens(
        added.map { ($0.token, pattern: $0.token.content.unicodeScalars.map(\.value), id: $0.id) },
        isSpace: PythonText.isSpace),
      unknownToken: content("unk_token") ?? "<unk>", lowersCase: files.config["do_lower_case"]?.bool ?? true)
    let end = TokenTable(tokens).id(of: content("eos_token") ?? "")
    return try recipe(pipeline, tokens: tokens, template: ([], end.map { [$0] } ?? []))
  }

  /// The classes over the tokenizers library. transformers 5 builds those of T5 and Gemma anew: of the file's steps it
  /// keeps the character map and the template.
  func tokenizers() throws(FileError) -> SentencePieceRecipe {
    guard let json = files.json else { return try plain() }
    var tokens = json.model.tokens
    let added = ids(try addedTokens(), &tokens)
    let mark: UInt32 = 0x2581
    var normalizer: [NormalizerStep]
    var splitter: [SplitStep] = []
    switch kind {
    case .t5:
      normalizer = try json.characterMap().map { [.precompiled($0)] } ?? []
      splitter = [.whitespace, .metaspace(mark: mark, prepends: true, splits: true)]
    case .gemma, .siglip2:
      normalizer = [.replace([0x20], with: [mark])]
      if kind == .siglip2 { normalizer.insert(.lowercase, at: 0) }
    case .siglip, .backend:
      normalizer = try json.normalizer()
      splitter = try json.splitter()
    }
    let pipeline = TokenizersPipeline(
      normalizer: normalizer, splitter: splitter, model: try model(json.model), added: added)
    return try recipe(pipeline, tokens: tokens, template: template(TokenTable(tokens)))
  }

  private func model(_ model: TokenizerJSON.Model) throws(FileError) -> any PieceModel {
    switch model {
    case .unigram(let model):
      guard kind == .t5 || kind == .backend else { throw otherModel("Unigram") }
      guard let unknown = kind == .t5 ? 2 : model.unknownID, model.pieces.indices.contains(unknown) else {
        throw FileError(.malformed, "tokenizer.json: no unknown token among the \(model.pieces.count) pieces")
      }
      return try TokenizersUnigram(
        model.pieces, scores: model.scores, unknownID: Int32(unknown),
        hasByteFallback: model.hasByteFallback && kind != .t5)
    case .bytePairs(var model):
      guard kind != .t5 else { throw otherModel("BPE") }
      if kind != .backend {
        model.unknownToken = content("unk_token")
        model.hasByteFallback = true
        model.joinsUnknown = true
        model.ignoresMerges = false
      }
      return try TokenizersBytePairs(model)
    }
  }

  private func otherModel(_ type: String) -> FileError {
    FileError(.mismatch, "tokenizer.json has a \(type) model, which \(kind.rawValue) has not")
  }

  /// What stands before and behind a text: what the config asks for, or else the file's template.
  private func template(_ table: TokenTable) throws(FileError) -> (before: [Int32], after: [Int32]) {
    func id(_ key: String) -> [Int32] { content(key).flatMap { table.id(of: $0) }.map { [$0] } ?? [] }
    if kind == .t5 { return ([], id("eos_token")) }
    let flags = (start: files.config["add_bos_token"]?.bool, end: files.config["add_eos_token"]?.bool)
    guard flags.start != nil || flags.end != nil || (files.json?.rest["post_processor"] ?? .null) == .null else {
      return try files.json?.template() ?? ([], [])
    }
    return (flags.start == true ? id("bos_token") : [], flags.end == true ? id("eos_token") : [])
  }

  /// Without `tokenizer.json`: the SentencePiece model by itself, which transformers turns into one.
  private func plain() throws(FileError) -> SentencePieceRecipe {
    throw FileError(
      .missing, "no tokenizer.json, which \(kind.rawValue) reads", hint: "Save the tokenizer with transformers")
  }
}

extension AddedToken {
  init(content: String, strips: Bool) { self.init(content: content, stripsLeft: strips, stripsRight: strips) }
}
