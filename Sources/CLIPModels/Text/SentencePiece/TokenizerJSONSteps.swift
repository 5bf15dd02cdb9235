import Checkpoints

/// The steps around the model in a `tokenizer.json`. What is not known is refused: a step left out changes ids.
extension TokenizerJSON {
  /// `normalizer`.
  func normalizer() throws(FileError) -> [NormalizerStep] { try Self.normalizer(rest["normalizer"]) }

  private static func normalizer(_ json: JSONValue?) throws(FileError) -> [NormalizerStep] {
    guard let json, json != .null else { return [] }
    switch json["type"]?.string {
    case "Sequence":
      var steps: [NormalizerStep] = []
      for part in json["normalizers"]?.array ?? [] { steps += try normalizer(part) }
      return steps
    case "Lowercase": return [.lowercase]
    case "NFC": return [.nfc]
    case "Precompiled": return try characterMap(json).map { [.precompiled($0)] } ?? []
    case "Strip":
      return [.strip(left: json["strip_left"]?.bool ?? false, right: json["strip_right"]?.bool ?? false)]
    case "Prepend": return [.prepend(scalars(of: json["prepend"]))]
    case "Replace":
      let content = scalars(of: json["content"])
      if json["pattern"]?["Regex"]?.string == " {2,}" { return [.collapseSpaces(content)] }
      guard json["pattern"]?["String"]?.string != nil else { break }
      return [.replace(scalars(of: json["pattern"]?["String"]), with: content)]
    default: break
    }
    throw unknown("normalizer", json)
  }

  private static func characterMap(_ json: JSONValue) throws(FileError) -> CharacterMap? {
    guard let text = json["precompiled_charsmap"]?.string, !text.isEmpty else { return nil }
    guard let blob = base64(text) else {
      throw FileError(.malformed, "tokenizer.json: precompiled_charsmap is not base64")
    }
    return try CharacterMap(blob)
  }

  /// The character map of `normalizer`, the only part of it that transformers' own classes keep.
  func characterMap() throws(FileError) -> CharacterMap? {
    let json = rest["normalizer"]
    let parts = json?["type"]?.string == "Sequence" ? json?["normalizers"]?.array ?? [] : json.map { [$0] } ?? []
    for part in parts where part["type"]?.string == "Precompiled" { return try Self.characterMap(part) }
    return nil
  }

  /// `pre_tokenizer`.
  func splitter() throws(FileError) -> [SplitStep] { try Self.splitter(rest["pre_tokenizer"]) }

  private static func splitter(_ json: JSONValue?) throws(FileError) -> [SplitStep] {
    guard let json, json != .null else { return [] }
    switch json["type"]?.string {
    case "Sequence":
      var steps: [SplitStep] = []
      for part in json["pretokenizers"]?.array ?? [] { steps += try splitter(part) }
      return steps
    case "WhitespaceSplit": return [.whitespace]
    case "Metaspace":
      let mark = scalars(of: json["replacement"])
      let scheme = json["prepend_scheme"]?.string ?? (json["add_prefix_space"]?.bool == false ? "never" : "always")
      guard mark.count == 1, scheme == "always" || scheme == "never" else { break }
      return [.metaspace(mark: mark[0], prepends: scheme == "always", splits: json["split"]?.bool ?? true)]
    case "Split":
      let pattern = scalars(of: json["pattern"]?["String"])
      guard pattern.count == 1, json["behavior"]?.string == "MergedWithPrevious", json["invert"]?.bool != true else {
        break
      }
      return [.after(pattern[0])]
    default: break
    }
    throw unknown("pre_tokenizer", json)
  }

  /// `post_processor` of one text: the tokens before and behind it.
  func template() throws(FileError) -> (before: [Int32], after: [Int32]) {
    guard var json = rest["post_processor"], json != .null else { return ([], []) }
    if json["type"]?.string == "Sequence", let parts = json["processors"]?.array, parts.count == 1 { json = parts[0] }
    guard json["type"]?.string == "TemplateProcessing" else { throw Self.unknown("post_processor", json) }
    var before: [Int32] = []
    var after: [Int32] = []
    var isBehind = false
    for part in json["single"]?.array ?? [] {
      if part["Sequence"] != nil {
        isBehind = true
      } else {
        let name = part["SpecialToken"]?["id"]?.string ?? ""
        let ids = json["special_tokens"]?[name]?["ids"]?.array?.compactMap { $0.integer.flatMap(Int32.init(exactly:)) }
        guard let ids else { throw Self.unknown("post_processor", part) }
        if isBehind { after += ids } else { before += ids }
      }
    }
    guard isBehind else { throw Self.unknown("post_processor", json) }
    return (before, after)
  }

  /// `added_tokens`, in their order.
  func addedTokens() throws(FileError) -> [AddedToken] {
    var tokens: [AddedToken] = []
    for json in rest["added_tokens"]?.array ?? [] { tokens.append(try AddedToken(json)) }
    return tokens
  }

  private static func scalars(of json: JSONValue?) -> [UInt32] { json?.string?.unicodeScalars.map(\.value) ?? [] }

  private static func unknown(_ part: String, _ json: JSONValue) -> FileError {
    let text = json.text(pretty: false)
    return FileError(.unsupported, "tokenizer.json: \(part) \(escaped(String(text.prefix(200)))) is not known")
  }
}

extension AddedToken {
  /// As in `tokenizer.json` and `tokenizer_config.json`.
  init(_ json: JSONValue) throws(FileError) {
    guard let content = json["content"]?.string else {
      throw FileError(.malformed, "added token \(escaped(json.text(pretty: false))) has no content")
    }
    self.init(
      content: content, stripsLeft: json["lstrip"]?.bool ?? false, stripsRight: json["rstrip"]?.bool ?? false,
      isSingleWord: json["single_word"]?.bool ?? false,
      isNormalized: json["normalized"]?.bool ?? !(json["special"]?.bool ?? false))
  }
}

/// The bytes that a text in base64 stands for, nil when it is none.
private func base64(_ text: String) -> [UInt8]? {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(text.utf8.count / 4 * 3)
  var bits: UInt32 = 0
  var count = 0
  let digits = text.utf8.reversed().drop { $0 == UInt8(ascii: "=") }.reversed()
  for digit in digits {
    let value: UInt8
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = digit - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): value = digit - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"): value = 62
    case UInt8(ascii: "/"): value = 63
    default: return nil
    }
    bits = bits << 6 | UInt32(value)
    count += 6
    if count >= 8 {
      count -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
    }
  }
  return bytes
}
