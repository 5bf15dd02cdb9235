import Checkpoints

/// The config as metadata of a checkpoint: the same keys in every format; `formats/gguf.md` lists them.
///
/// Where clip.cpp has a key, it is that one, so that its loader reads the file; the rest is under `clipkit.`.
enum MetadataConfig {
  private static let keys: [ConfigField: String] = [
    .visionImageSize: "clip.vision.image_size", .visionPatchSize: "clip.vision.patch_size",
    .visionWidth: "clip.vision.embedding_length", .visionMLPWidth: "clip.vision.feed_forward_length",
    .visionLayers: "clip.vision.block_count", .visionHeads: "clip.vision.attention.head_count",
    .visionEpsilon: "clip.vision.attention.layer_norm_epsilon", .textContextLength: "clip.text.context_length",
    .textWidth: "clip.text.embedding_length", .textMLPWidth: "clip.text.feed_forward_length",
    .textLayers: "clip.text.block_count", .textHeads: "clip.text.attention.head_count",
    .textEpsilon: "clip.text.attention.layer_norm_epsilon",
  ]

  /// clip.cpp's keys for facts that it stores in single precision; clipkit stores the exact numbers beside them.
  private static let singlePrecision: [ConfigField: String] = [
    .imageMean: "clip.vision.image_mean", .imageStd: "clip.vision.image_std",
  ]

  /// Every key under `clip.` that `metadata(_:)` may write: in an output they speak of the output.
  static let writtenKeys: Set<String> = Set(keys.values).union(singlePrecision.values).union([
    "clip.has_text_encoder", "clip.has_vision_encoder", "clip.use_gelu", "clip.vision.projection_dim",
    "clip.text.projection_dim",
  ])

  static func key(_ field: ConfigField) -> String { keys[field] ?? "clipkit.\(field.rawValue)" }

  /// Facts that the metadata states. Text is accepted for numbers: safetensors stores nothing else.
  static func facts(_ metadata: Metadata) -> ConfigFacts {
    var facts: ConfigFacts = [:]
    for field in ConfigField.allCases {
      let stored = metadata[key(field)] ?? singlePrecision[field].flatMap { metadata[$0] }
      if let value = stored.flatMap({ self.value($0, of: field) }) { facts[field] = value }
    }
    if let isGELU = metadata["clip.use_gelu"]?.bool, metadata["clipkit.family"] == nil {
      // clip.cpp has one flag for both towers; clipkit's own files say it for each.
      for field in [ConfigField.visionActivation, .textActivation] where facts[field] == nil {
        facts[field] = .text((isGELU ? Activation.gelu : .quickGELU).rawValue)
      }
    }
    if facts[.embedDim] == nil, let dimension = metadata["clip.vision.projection_dim"]?.integer {
      facts[.embedDim] = .integer(dimension)
    }
    return facts
  }

  private static func value(_ value: MetadataValue, of field: ConfigField) -> ConfigValue? {
    switch field {
    case .visionStages:
      if let numbers = value.numbers { return .integers(numbers.compactMap(Int.init(exactly:))) }
      return json(value)?.array.map { .integers($0.compactMap(\.integer)) }
    case .imageMean, .imageStd:
      if case .floats(let floats) = value { return .numbers(floats.map(shortest)) }
      if case .doubles(let doubles) = value { return .numbers(doubles) }
      return json(value)?.array.map { .numbers($0.compactMap(\.number)) }
    case .visionEpsilon, .textEpsilon:
      if case .float32(let float) = value { return .number(shortest(float)) }
      return (value.number ?? value.string.flatMap(Double.init)).map { .number($0) }
    case .visionActivation, .textActivation, .visionPooling, .textPooling, .textTokenizer, .textCleaning,
      .imageInterpolation, .imageResizeMode, .imagePreprocessing:
      return value.string.map { .text($0) }
    default:
      return (value.integer ?? value.string.flatMap { Int($0) }).map { .integer($0) }
    }
  }

  /// 1e-5 as a float is 9.99999974737875e-06 as a double; the shortest text of the float is what was meant.
  private static func shortest(_ float: Float) -> Double { Double("\(float)") ?? Double(float) }

  private static func json(_ value: MetadataValue) -> JSONValue? {
    value.string.flatMap { try? JSONValue(parsing: Array($0.utf8)) }
  }

  /// The metadata that states the config, in the order of the fields.
  static func metadata(_ config: ModelConfig) -> Metadata {
    var metadata = Metadata()
    metadata["general.architecture"] = .string("clip")
    metadata["clip.has_text_encoder"] = .bool(config.hasText)
    metadata["clip.has_vision_encoder"] = .bool(config.hasVision)
    let activation = config.text(.visionActivation) ?? config.text(.textActivation)
    if let activation { metadata["clip.use_gelu"] = .bool(activation != Activation.quickGELU.rawValue) }
    metadata["clipkit.family"] = .string(config.family.rawValue)
    for field in ConfigField.allCases {
      guard let value = config[field] else { continue }
      metadata[key(field)] = stored(value)
      if let key = singlePrecision[field], case .numbers(let numbers) = value {
        metadata[key] = .floats(numbers.map { Float($0) })
      }
    }
    if let dimension = config.integer(.embedDim).flatMap(UInt32.init(exactly:)) {
      if config.hasVision { metadata["clip.vision.projection_dim"] = .uint32(dimension) }
      if config.hasText { metadata["clip.text.projection_dim"] = .uint32(dimension) }
    }
    return metadata
  }

  /// A learned scalar that is metadata, and the type that its tensor had.
  static func scalar(_ name: String, _ metadata: Metadata) -> (Double, DType)? {
    guard let stored = metadata["clipkit.\(name)"],
      let value = stored.number ?? stored.string.flatMap(Double.init)
    else { return nil }
    let dtype = metadata["clipkit.\(name)_type"]?.string.flatMap(DType.init) ?? .f32
    return dtype.isFloat ? (value, dtype) : nil
  }

  private static func stored(_ value: ConfigValue) -> MetadataValue {
    switch value {
    case .integer(let value): UInt32(exactly: value).map { .uint32($0) } ?? .int64(Int64(value))
    case .integers(let values): .integers(values.map { Int32(clamping: $0) })
    case .number(let value): .float32(Float(value))
    case .numbers(let values): .doubles(values)
    case .text(let value): .string(value)
    }
  }
}
