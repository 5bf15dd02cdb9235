import Checkpoints

/// The tokens that Hugging Face's tokenizers take out of text, where they are spelled out, and the one for padding.
struct SpecialTokens: Sendable, Equatable {
  struct Token: Sendable, Equatable {
    let token: AddedToken
    /// The id that the file states.
    let id: Int?
  }

  /// Those that files name.
  private(set) var tokens: [Token] = []
  /// The token that fills the positions after the text, when a file names it.
  private(set) var padding: String?

  init(padding: String? = nil) {
    self.padding = padding
    if let padding { add(Token(token: AddedToken(content: padding), id: nil)) }
  }

  /// What `tokenizer.json` and `tokenizer_config.json` say.
  init(directory: String) throws(FileError) {
    let path = "\(directory)/tokenizer.json"
    if FileIdentity(path: path) != nil {
      for entry in try JSONValue(contentsOf: path)["added_tokens"]?.array ?? [] { try add(entry, file: path) }
    }
    let configPath = "\(directory)/tokenizer_config.json"
    guard FileIdentity(path: configPath) != nil else { return }
    let config = try JSONValue(contentsOf: configPath)
    if let decoder = config["added_tokens_decoder"]?.object {
      for id in decoder.keys { if let entry = decoder[id] { try add(entry, id: Int(id), file: configPath) } }
    }
    for key in ["bos_token", "eos_token", "unk_token", "pad_token"] {
      if let entry = config[key], entry != .null { try add(entry, file: configPath) }
    }
    padding = config["pad_token"]?.string ?? config["pad_token"]?["content"]?.string
  }

  private mutating func add(_ entry: JSONValue, id: Int? = nil, file: String) throws(FileError) {
    do throws(FileError) {
      let token = if let content = entry.string { AddedToken(content: content) } else { try AddedToken(entry) }
      add(Token(token: token, id: entry["id"]?.integer ?? id))
    } catch {
      throw error.located(file: file)
    }
  }

  /// The first to name a token says what it is.
  private mutating func add(_ token: Token) {
    let content = token.token.content
    if !content.isEmpty, !tokens.contains(where: { $0.token.content == content }) { tokens.append(token) }
  }
}
