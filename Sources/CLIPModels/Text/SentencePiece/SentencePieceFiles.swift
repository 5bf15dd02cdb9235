import Checkpoints

/// What is known of a SentencePiece tokenizer, wherever it is stored: a directory, or a GGUF file.
struct SentencePieceFiles: Sendable {
  /// `tokenizer_config.json`, with what older files say beside it.
  var config = JSONObject()
  /// `tokenizer.json`.
  var json: TokenizerJSON?
  /// `spiece.model` or `tokenizer.model`.
  var model: SentencePieceModel?
  /// open_clip's cleaning, nil where the tokenizer is used as transformers does.
  var textCase: TextCase?
}

extension SentencePieceFiles {
  /// The file names of a SentencePiece model.
  static let modelNames = ["spiece.model", "tokenizer.model"]

  /// The files beside a model; nil when there are none.
  /// - Throws: what a file's contents say.
  init?(directory: String, isOpenCLIP: Bool) throws(FileError) {
    func path(_ name: String) -> String? {
      FileIdentity(path: "\(directory)/\(name)").map { _ in "\(directory)/\(name)" }
    }
    if let file = path("tokenizer.json") {
      json = try Self.load(file) { (bytes) throws(FileError) in try TokenizerJSON(bytes) }
    }
    if let file = Self.modelNames.lazy.compactMap(path).first {
      model = try Self.load(file) { (bytes) throws(FileError) in try SentencePieceModel(protobuf: bytes) }
    }
    guard json != nil || model != nil else { return nil }
    if let file = path("tokenizer_config.json") { config = try JSONValue(contentsOf: file).object ?? JSONObject() }
    if config["added_tokens_decoder"] == nil {
      guard path("added_tokens.json") == nil else {
        throw FileError(
          .unsupported, "added tokens beside a tokenizer_config.json that does not list them",
          file: "\(directory)/added_tokens.json", hint: "Load and save the tokenizer with a newer transformers")
      }
      if let file = path("special_tokens_map.json") {
        let map = try JSONValue(contentsOf: file).object ?? JSONObject()
        for key in map.keys { config[key] = map[key] }
      }
    }
    if config["tokenizer_class"] == nil, let file = path("config.json") {
      config["tokenizer_class"] = Self.tokenizerClass(try JSONValue(contentsOf: file))
    }
    if isOpenCLIP { try addOpenCLIP(path("open_clip_config.json")) }
  }

  private static func load<Value>(
    _ path: String, _ parse: ([UInt8]) throws(FileError) -> Value
  ) throws(FileError) -> Value {
    do throws(FileError) {
      let file = try InputFile(path)
      guard file.count <= Limits.json else {
        throw FileError(.malformed, "\(file.count) bytes of vocabulary, allowed \(Limits.json)")
      }
      return try parse(Bytes(file).load())
    } catch {
      throw error.located(file: path)
    }
  }

  /// The class that transformers takes for a model whose tokenizer names none.
  private static func tokenizerClass(_ config: JSONValue) -> JSONValue? {
    switch config["model_type"]?.string {
    case "siglip", "siglip_text_model": "SiglipTokenizer"
    case "siglip2", "siglip2_text_model": "Siglip2Tokenizer"
    default: nil
    }
  }

  /// open_clip's own arguments; the others go to transformers, and win over the tokenizer's config.
  private mutating func addOpenCLIP(_ path: String?) throws(FileError) {
    textCase = .whitespace
    guard let path else { return }
    let text = try JSONValue(contentsOf: path)["model_cfg"]?["text_cfg"]
    let arguments = text?["tokenizer_kwargs"]?.object ?? JSONObject()
    for key in arguments.keys {
      switch key {
      case "clean":
        guard let name = arguments[key]?.string, let known = TextCase(rawValue: name) else {
          throw FileError(.unsupported, "tokenizer_kwargs: this cleaning is not known", file: path)
        }
        textCase = known
      case "strip_sep_token", "language", "tokenizer_mode":
        guard [.null, false, ""].contains(arguments[key] ?? .null) else {
          throw FileError(.unsupported, "tokenizer_kwargs: \(key) is for models that are no SigLIP", file: path)
        }
      default: config[key] = arguments[key]
      }
    }
    guard [nil, .null, ""].contains(text?["tokenizer_mode"]) else {
      throw FileError(.unsupported, "text_cfg: tokenizer_mode is for models that are no SigLIP", file: path)
    }
  }
}
