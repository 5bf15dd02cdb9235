import Checkpoints

/// The metadata that makes an output describe itself: config, tokenizer, learned scalars, provenance.
struct SelfDescription {
  let model: CLIPModel
  let config: ModelConfig
  let dialect: Dialect
  let options: ConversionOptions

  /// The metadata, computed before anything is written.
  ///
  /// - Parameter holdsScalars: Whether the learned scalars are among the tensors.
  func metadata(
    isGGUF: Bool, holdsScalars: Bool, items: [ConversionPlan.Item]
  ) throws(FileError) -> Metadata {
    var metadata = MetadataConfig.metadata(config)
    metadata["general.name"] = .string(baseName(of: sourcePath))
    // clip.cpp's programs print a description and leave without one.
    if dialect == .clipCpp { metadata["general.description"] = .string("written by clipkit") }
    metadata["clipkit.dialect"] = .string(dialect.name)
    metadata["clipkit.version"] = .string(options.toolVersion)
    if isGGUF || !holdsScalars { try addScalars(to: &metadata) }
    if isGGUF { addFileType(items, to: &metadata) }
    if config.hasText { try addTokenizer(to: &metadata, isGGUF: isGGUF) }
    try addProvenance(to: &metadata)
    for key in model.checkpoint.metadata.keys where metadata[key] == nil && isCarried(key, isGGUF: isGGUF) {
      metadata[key] = model.checkpoint.metadata[key]
    }
    return metadata
  }

  private var sourcePath: String { model.checkpoint.files.first?.path ?? "" }

  private func baseName(of path: String) -> String {
    let name = lastComponent(of: path)
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return name }
    return String(name[..<dot])
  }

  /// Keys of the source that say nothing about the output are left behind; others go along.
  private func isCarried(_ key: String, isGGUF: Bool) -> Bool {
    if MetadataConfig.writtenKeys.contains(key) { return false }
    let own = ["clipkit.", "general.file_type", "general.quantization_version", "general.alignment", "split."]
    if own.contains(where: key.hasPrefix) { return false }
    if ["input_resolution", "context_length", "vocab_size"].contains(key) { return false }
    return isGGUF ? key != "format" : !key.hasPrefix("tokenizer.")
  }

  private func addFileType(_ items: [ConversionPlan.Item], to metadata: inout Metadata) {
    let number = FileType.main(of: items.lazy.map(\.tensor)).flatMap(FileType.number)
    if let number { metadata["general.file_type"] = .uint32(UInt32(number)) }
    if items.contains(where: { $0.tensor.dtype.isBlock }) { metadata["general.quantization_version"] = .uint32(2) }
  }

  /// A classifier needs them before it reads any tensor, and clip.cpp's dialect has no tensor for them.
  private func addScalars(to metadata: inout Metadata) throws(FileError) {
    for name in ["logit_scale", "logit_bias"] {
      guard let tensor = model.tensors[name], tensor.dtype.isFloat else { continue }
      let bytes = try tensor.cast(to: .f64).bytes.load()
      let value = bytes.withUnsafeBytes { $0.loadUnaligned(as: Double.self) }
      metadata["clipkit.\(name)"] = tensor.dtype == .f64 ? .float64(value) : .float32(Float(value))
      if tensor.dtype != .f32 { metadata["clipkit.\(name)_type"] = .string(tensor.dtype.rawValue) }
    }
  }

  /// llama.cpp expects every vocabulary in a GGUF. Elsewhere one that a reader would not know by its size goes along;
  /// Hugging Face has files for it, and SentencePiece's, of megabytes, stay files.
  private func addTokenizer(to metadata: inout Metadata, isGGUF: Bool) throws(FileError) {
    if config.family == .siglip {
      if isGGUF { try model.sentencePieceFiles()?.add(to: &metadata) }
      return
    }
    // Only CLIP's own kind: byte pairs that end words, and texts that it begins and ends.
    guard isGGUF || options.layout?.hasTokenizer != true, let vocabulary = try model.vocabulary(),
      vocabulary.tokens.contains("<|endoftext|>"), isGGUF || !vocabulary.isStandard
    else { return }
    vocabulary.add(to: &metadata)
  }

  private func addProvenance(to metadata: inout Metadata) throws(FileError) {
    let files = model.checkpoint.files
    metadata["clipkit.source.name"] = .string(lastComponent(of: sourcePath))
    metadata["clipkit.source.size"] = .uint64(UInt64(files.reduce(0) { $0 + $1.count }))
    metadata["clipkit.source.format"] = .string(model.checkpoint.format)
    metadata["clipkit.source.dialect"] = .string(model.dialect.name)
    guard options.provenance else { return }
    var hashes: [String] = []
    for file in files { hashes.append(SHA256.hex(try SHA256.hash(of: Bytes(file)))) }
    metadata["clipkit.source.sha256"] = hashes.count == 1 ? .string(hashes[0]) : .strings(hashes)
    let manifest = try Manifest(model, threads: options.threads)
    metadata["clipkit.model.sha256"] = .string(manifest.modelHash)
  }
}

extension CLIPModel {
  /// The vocabulary of the text encoder: in the file, beside it, or CLIP's own where the size says so.
  func vocabulary() throws(FileError) -> BytePairVocabulary? {
    do throws(FileError) {
      if let vocabulary = try BytePairVocabulary(checkpoint.metadata) { return vocabulary }
    } catch {
      throw error.located(file: checkpoint.files.first?.path)
    }
    if let file = checkpoint.files.first,
      let found = try BytePairVocabulary(directory: vocabularyDirectory(of: file.path)),
      found.tokens.count == config.integer(.textVocabSize)
    {
      return found
    }
    return config.family == .clip && config.integer(.textVocabSize) == 49408 ? .standard : nil
  }
}
