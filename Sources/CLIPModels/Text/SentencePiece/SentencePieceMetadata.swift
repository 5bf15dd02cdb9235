import Checkpoints

/// A SentencePiece tokenizer inside a GGUF file: llama.cpp's keys for the vocabulary, `tokenizer.huggingface.json` for
/// a `tokenizer.json`, and clipkit's for the recipe. `formats/gguf.md` lists them.
extension SentencePieceFiles {
  /// The tokenizer in a file's metadata, nil when there is none.
  init?(_ metadata: Metadata) throws(FileError) {
    guard let config = metadata["clipkit.tokenizer.config"]?.string else { return nil }
    let text = try JSONValue(parsing: Array(config.utf8))
    self.config = text.object ?? JSONObject()
    if let clean = metadata["clipkit.tokenizer.clean"]?.string {
      guard let known = TextCase(rawValue: clean) else {
        throw FileError(.unsupported, "metadata 'clipkit.tokenizer.clean': '\(escaped(clean))' is not known")
      }
      textCase = known
    }
    if let json = metadata["tokenizer.huggingface.json"]?.string {
      self.json = try TokenizerJSON(Array(json.utf8))
    } else {
      model = try SentencePieceModel(metadata)
    }
  }

  /// Adds the tokenizer to a file's metadata.
  func add(to metadata: inout Metadata) {
    metadata["clipkit.tokenizer.config"] = .string(JSONValue.object(config).text(pretty: false))
    if let textCase { metadata["clipkit.tokenizer.clean"] = .string(textCase.rawValue) }
    // Of two vocabularies the one that the recipe uses.
    if let model, SentencePieceRecipe.usesModel(config) || json == nil {
      model.add(to: &metadata)
    } else if let json {
      metadata["tokenizer.huggingface.json"] = .string(String(decoding: json.text, as: UTF8.self))
    }
  }
}

extension SentencePieceModel {
  /// llama.cpp calls a unigram model t5 and byte pairs llama.
  private static let names: [String: Algorithm] = ["t5": .unigram, "llama": .bytePairs]

  fileprivate init(_ metadata: Metadata) throws(FileError) {
    self.init()
    func missing(_ key: String) -> FileError {
      FileError(.malformed, "metadata '\(key)' is not there, or is no value of a SentencePiece model")
    }
    guard let algorithm = metadata["tokenizer.ggml.model"]?.string.flatMap({ Self.names[$0] }) else {
      throw missing("tokenizer.ggml.model")
    }
    guard let pieces = metadata["tokenizer.ggml.tokens"]?.strings, pieces.count <= Limits.pieces else {
      throw missing("tokenizer.ggml.tokens")
    }
    guard case .floats(let scores) = metadata["tokenizer.ggml.scores"], scores.count == pieces.count else {
      throw missing("tokenizer.ggml.scores")
    }
    guard case .integers(let types) = metadata["tokenizer.ggml.token_type"], types.count == pieces.count else {
      throw missing("tokenizer.ggml.token_type")
    }
    self.algorithm = algorithm
    self.pieces = pieces
    self.scores = scores
    for type in types {
      guard let kind = PieceKind(rawValue: type) else {
        throw FileError(.malformed, "metadata 'tokenizer.ggml.token_type': \(type), allowed 1 to 6")
      }
      kinds.append(kind)
    }
    hasByteFallback = kinds.contains(.byte)
    if case .uint8s(let blob) = metadata["tokenizer.ggml.precompiled_charsmap"], !blob.isEmpty {
      characterMap = try CharacterMap(blob)
    }
    addsDummyPrefix = metadata["tokenizer.ggml.add_space_prefix"]?.bool ?? true
    removesExtraWhitespace = metadata["tokenizer.ggml.remove_extra_whitespaces"]?.bool ?? true
    escapesWhitespace = metadata["clipkit.tokenizer.escape_whitespaces"]?.bool ?? true
    treatsWhitespaceAsSuffix = metadata["clipkit.tokenizer.treat_whitespace_as_suffix"]?.bool ?? false
  }

  fileprivate func add(to metadata: inout Metadata) {
    metadata["tokenizer.ggml.model"] = .string(algorithm == .unigram ? "t5" : "llama")
    metadata["tokenizer.ggml.tokens"] = .strings(pieces)
    metadata["tokenizer.ggml.scores"] = .floats(scores)
    metadata["tokenizer.ggml.token_type"] = .integers(kinds.map(\.rawValue))
    if let characterMap { metadata["tokenizer.ggml.precompiled_charsmap"] = .uint8s(characterMap.blob) }
    metadata["tokenizer.ggml.add_space_prefix"] = .bool(addsDummyPrefix)
    metadata["tokenizer.ggml.remove_extra_whitespaces"] = .bool(removesExtraWhitespace)
    if !escapesWhitespace { metadata["clipkit.tokenizer.escape_whitespaces"] = .bool(false) }
    if treatsWhitespaceAsSuffix { metadata["clipkit.tokenizer.treat_whitespace_as_suffix"] = .bool(true) }
  }
}

extension CLIPModel {
  /// The SentencePiece tokenizer of the model: in the file, or beside it.
  func sentencePieceFiles() throws(FileError) -> SentencePieceFiles? {
    guard let file = checkpoint.files.first else { return nil }
    do throws(FileError) {
      if let files = try SentencePieceFiles(checkpoint.metadata) { return files }
      // The naming of the tensors says whose directory it is.
      return try SentencePieceFiles(
        directory: vocabularyDirectory(of: file.path), isOpenCLIP: dialect.name.hasPrefix("open_clip"))
    } catch {
      throw error.located(file: file.path)
    }
  }
}
