import Checkpoints

/// The files beside the weights in a library's directory.
struct SideCars {
  private(set) var files: [(name: String, bytes: Bytes)] = []

  /// None: a file, or shards without a layout.
  init() {}

  /// The files of `layout`, from the config; the tokenizer's from the source where it has them.
  /// - Throws: `unsupported` when the layout's library has no such model, or needs a fact that nothing states.
  init(_ layout: DirectoryLayout, model: CLIPModel, config: ModelConfig, dialect: Dialect, items: [ConversionPlan.Item])
    throws(FileError)
  {
    switch layout {
    case .hf:
      let main = items.max { $0.tensor.count < $1.tensor.count }?.tensor.dtype ?? .f32
      let hasProjection = items.contains { $0.name.hasSuffix("_projection.weight") }
      let layout = try HuggingFaceLayout(config, hasProjection: hasProjection)
      add("config.json", try layout.config(dtype: main))
      if config.hasVision { add("preprocessor_config.json", try layout.preprocessor()) }
      if config.hasText { try addTokenizer(model, config) }
    case .transformersJS, .optimum, .immich, .flat: break
    case .openCLIP:
      add("open_clip_config.json", try OpenCLIPLayout(config, model: model, dialect: dialect).json())
      if config.family == .siglip { try copyTokenizer(model) }
    }
  }

  /// Whether there is a file of that name.
  func has(_ name: String) -> Bool { files.contains { $0.name == name } }

  /// The same files in a folder.
  func within(_ folder: String) -> SideCars {
    var copy = self
    copy.files = files.map { ("\(folder)/\($0.name)", $0.bytes) }
    return copy
  }

  mutating func add(_ other: SideCars) { files += other.files }

  mutating func add(_ name: String, _ json: JSONValue) {
    files.append((name, Bytes(Array(json.text(pretty: true).utf8))))
  }

  private static let tokenizerNames = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt", "spiece.model", "tokenizer.model",
  ]

  /// Copies the tokenizer's files that lie beside the source.
  mutating func copyTokenizer(_ model: CLIPModel) throws(FileError) {
    guard let source = model.checkpoint.files.first else { return }
    for name in Self.tokenizerNames {
      let path = "\(directory(of: source.path))/\(name)"
      if FileIdentity(path: path) != nil { files.append((name, Bytes(try InputFile(path)))) }
    }
  }

  /// A tokenizer for programs that read `tokenizer.json` only. SentencePiece's is there if the source has it.
  mutating func addFastTokenizer(_ model: CLIPModel, _ config: ModelConfig) throws(FileError) {
    try addTokenizer(model, config)
    guard config.family == .clip, !has("tokenizer.json"), let vocabulary = try model.vocabulary() else { return }
    files.append(("tokenizer.json", Bytes(Array(try vocabulary.fastTokenizer().text().utf8))))
  }

  mutating func addTokenizer(_ model: CLIPModel, _ config: ModelConfig) throws(FileError) {
    let before = files.count
    try copyTokenizer(model)
    guard files.count == before, let vocabulary = try model.vocabulary(), !vocabulary.merges.isEmpty else { return }
    var ids = JSONObject()
    for (id, token) in vocabulary.tokens.enumerated() { ids[token] = JSONValue(id) }
    add("vocab.json", .object(ids))
    let merges = "#version: 0.2\n" + vocabulary.merges.map { $0 + "\n" }.joined()
    files.append(("merges.txt", Bytes(Array(merges.utf8))))
    let end = vocabulary.tokens.last ?? "<|endoftext|>"
    let start = vocabulary.tokens.dropLast().last ?? "<|startoftext|>"
    add(
      "tokenizer_config.json",
      [
        "tokenizer_class": "CLIPTokenizer", "bos_token": .string(start), "eos_token": .string(end),
        "unk_token": .string(end), "pad_token": .string(end), "do_lower_case": true,
        "model_max_length": JSONValue(config.integer(.textContextLength) ?? 77),
      ])
    add(
      "special_tokens_map.json",
      [
        "bos_token": .string(start), "eos_token": .string(end), "unk_token": .string(end), "pad_token": .string(end),
      ])
  }
}

extension ModelConfig {
  /// The value of a fact that an output cannot do without.
  func required(_ field: ConfigField, for what: String) throws(FileError) -> JSONValue {
    guard let value = self[field] else {
      let conventions = Conventions.allCases.filter { $0.facts[field] != nil }.map(\.rawValue)
      throw FileError(
        .unsupported, "\(what) needs \(field.rawValue), which nothing states",
        hint: "Use --config FILE" + (conventions.isEmpty ? "" : ", or --assume \(conventions.joined(separator: "|"))"))
    }
    return value.json
  }
}
