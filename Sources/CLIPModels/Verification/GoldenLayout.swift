import Checkpoints

/// The gate of golden files: what metadata and headers say, checked against one another.
struct GoldenLayout {
  private let checkpoint: Checkpoint
  private(set) var imageNames: [String] = []
  private(set) var prompts: [String]?
  private(set) var tokenCounts: [Int] = []
  private(set) var pairs: [Int?] = []
  private(set) var family = ModelFamily.clip
  private(set) var logitScale = 0.0
  private var textRows = 0

  init(_ checkpoint: Checkpoint) throws(FileError) {
    self.checkpoint = checkpoint
    if let error = checkpoint.unreadable.first { throw error }
    let version = checkpoint.metadata["clipkit.golden"]?.string
    guard version == Golden.version else {
      throw FileError(
        .unsupported, "golden file of version '\(escaped(version ?? "none"))', known is \(Golden.version)")
    }
    guard let family = checkpoint.metadata["clipkit.family"]?.string.flatMap(ModelFamily.init) else {
      throw FileError(.malformed, "clipkit.family is not one of clip, siglip")
    }
    self.family = family
    try readTexts()
    try readImages()
    guard !imageNames.isEmpty || !tokenCounts.isEmpty else {
      throw FileError(.malformed, "neither images nor texts")
    }
    try checkStages()
    try readScores()
    try readPairs()
    try checkNames()
  }

  // MARK: Inputs

  private func strings(_ key: String) throws(FileError) -> [String]? {
    guard let text = checkpoint.metadata[key]?.string else { return nil }
    guard let array = try? JSONValue(parsing: Array(text.utf8)).array else {
      throw FileError(.malformed, "\(key) is not a JSON array")
    }
    let strings = array.compactMap(\.string)
    guard strings.count == array.count else { throw FileError(.malformed, "\(key) holds more than texts") }
    return strings
  }

  private mutating func readTexts() throws(FileError) {
    prompts = try strings("clipkit.prompts")
    guard let ids = checkpoint["input_ids"] else {
      guard prompts ?? [] == [], checkpoint["token_counts"] == nil else {
        throw FileError(.malformed, "not in the golden file", tensor: "input_ids")
      }
      prompts = nil
      return
    }
    try check("input_ids", [.i32], [nil, nil])
    let (count, context) = (ids.shape[0], ids.shape[1])
    guard prompts.map({ $0.count == count }) ?? true else {
      throw FileError(.mismatch, "\(count) rows for \(prompts?.count ?? 0) prompts", tensor: "input_ids")
    }
    if let negative = try ids.integers().first(where: { $0 < 0 }) {
      throw FileError(.malformed, "id \(negative) is negative", tensor: "input_ids")
    }
    try check("token_counts", [.i32], [count])
    for number in try checkpoint["token_counts"]?.integers() ?? [] {
      guard number >= 1, Int(number) <= context else {
        throw FileError(.malformed, "count \(number), allowed 1 to \(context)", tensor: "token_counts")
      }
      tokenCounts.append(Int(number))
      textRows += Int(number)
    }
  }

  private mutating func readImages() throws(FileError) {
    imageNames = try strings("clipkit.images") ?? []
    for index in imageNames.indices { try check("images.\(index)", [.u8], [nil]) }
  }

  // MARK: Stages

  private static let floats: [DType] = [.f32, .f64]

  private func checkStages() throws(FileError) {
    let (images, texts) = (imageNames.count, tokenCounts.count)
    if images > 0 {
      try check("pixels", [.u8], [images, nil, nil, 3])
      let side = checkpoint["pixels"]?.shape[1] ?? 0
      try check("pixels", [.u8], [images, side, side, 3])
      try check("pixel_values", Self.floats, [images, 3, side, side])
      try check("image_embeds", Self.floats, [images, nil])
      try checkEncoder("image", [images, nil, nil], pooled: [images, nil])
    }
    if texts > 0 {
      try check("text_embeds", Self.floats, [texts, nil])
      try checkEncoder("text", [textRows, nil], pooled: [texts, nil])
    }
    if images > 0, texts > 0 {
      guard checkpoint["image_embeds"]?.shape[1] == checkpoint["text_embeds"]?.shape[1] else {
        throw FileError(.mismatch, "images' embeddings have another length", tensor: "text_embeds")
      }
    }
  }

  /// Stem, blocks and pooled: all of them or none.
  private func checkEncoder(_ encoder: String, _ shape: [Int?], pooled: [Int?]) throws(FileError) {
    if checkpoint.metadata["clipkit.partial"]?.string == "true" {
      for name in checkpoint.names where name.hasPrefix("\(encoder).") && Stage(tensor: name)?.group == .hidden {
        try check(name, Self.floats, name.hasSuffix(".pooled") ? pooled : shape)
      }
      return
    }
    let blocks = checkpoint.names.count { $0.hasPrefix("\(encoder).blocks.") }
    let ends = [checkpoint["\(encoder).stem"], checkpoint["\(encoder).pooled"]]
    guard blocks > 0 || ends.contains(where: { $0 != nil }) else { return }
    try check("\(encoder).stem", Self.floats, shape)
    for block in 0..<max(1, blocks) { try check("\(encoder).blocks.\(block)", Self.floats, shape) }
    try check("\(encoder).pooled", Self.floats, pooled)
  }

  private mutating func readScores() throws(FileError) {
    guard !imageNames.isEmpty, !tokenCounts.isEmpty else { return }
    // A model without a scale has no logits.
    guard checkpoint["logits_per_image"] != nil || checkpoint["logit_scale"] != nil else { return }
    try check("logits_per_image", Self.floats, [imageNames.count, tokenCounts.count])
    try check("logit_scale", Self.floats, [])
    logitScale = try checkpoint["logit_scale"]?.doubles().first ?? 0
    guard logitScale > 0, logitScale.isFinite else {
      throw FileError(.malformed, "\(logitScale) is not a positive factor", tensor: "logit_scale")
    }
    guard checkpoint["logit_bias"] != nil else { return }
    try check("logit_bias", Self.floats, [])
    guard let bias = try checkpoint["logit_bias"]?.doubles().first, bias.isFinite else {
      throw FileError(.malformed, "not finite", tensor: "logit_bias")
    }
  }

  private mutating func readPairs() throws(FileError) {
    let (images, texts) = (imageNames.count, tokenCounts.count)
    guard let tensor = checkpoint["pairs"] else {
      pairs = (0..<texts).map { images == texts ? $0 : nil }
      return
    }
    try check("pairs", [.i32], [texts])
    pairs = []
    for number in try tensor.integers() {
      guard number >= -1, Int(number) < images else {
        throw FileError(.malformed, "image \(number), allowed -1 to \(images - 1)", tensor: "pairs")
      }
      pairs.append(number < 0 ? nil : Int(number))
    }
  }

  /// Throws unless the tensor is there, of one of these types and of this shape, whose open sizes are positive.
  private func check(_ name: String, _ dtypes: [DType], _ shape: [Int?]) throws(FileError) {
    guard let tensor = checkpoint[name] else { throw FileError(.malformed, "not in the golden file", tensor: name) }
    guard dtypes.contains(tensor.dtype) else {
      let list = dtypes.map(\.rawValue).joined(separator: " or ")
      throw FileError(.malformed, "\(tensor.dtype) numbers, expected \(list)", tensor: name)
    }
    let fits =
      tensor.shape.count == shape.count
      && zip(tensor.shape, shape).allSatisfy { size, expected in expected.map { size == $0 } ?? (size > 0) }
    guard fits else {
      let list = shape.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
      throw FileError(.mismatch, "shape \(tensor.shape), expected [\(list)]", tensor: name)
    }
  }

  private func checkNames() throws(FileError) {
    let others: Set<String> = ["token_counts", "pairs", "logit_scale", "logit_bias"]
    let images = Set(imageNames.indices.map { "images.\($0)" })
    for name in checkpoint.names {
      let isKnown =
        if let stage = Stage(tensor: name) {
          stage.isAboutImages ? !imageNames.isEmpty : stage.isAboutText ? !tokenCounts.isEmpty : logitScale > 0
        } else {
          others.contains(name) || images.contains(name)
        }
      guard isKnown else { throw FileError(.malformed, "has no place in this golden file", tensor: name) }
    }
  }
}
