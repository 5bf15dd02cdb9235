import Checkpoints

/// One run of `embed`, from the checks before the work to the report.
struct EmbeddingRun {
  private let model: CLIPModel
  private let options: EmbeddingOptions
  private let images: ArraySlice<String>?
  private let prompts: ArraySlice<String>?
  private let encoder: Encoder
  private let preprocessor: Preprocessor?
  private let tokenizer: Tokenizer?
  private var writer: any EmbeddingWriter
  private var report: EmbeddingReport
  private let modelHash: String?
  private var nonFinite = 0

  /// Checks everything that can be checked before the first input is encoded.
  init(
    _ model: CLIPModel, path: String, images: ImageList?, prompts: PromptList?, format: EmbeddingFormat,
    target: EmbeddingTarget, options: EmbeddingOptions
  ) throws(FileError) {
    self.model = model
    self.options = options
    self.images = images.map { $0.paths[options.shard.range(of: $0.paths.count)] }
    self.prompts = prompts.map { $0.prompts[options.shard.range(of: $0.prompts.count)] }
    guard images == nil || model.config.hasVision, prompts == nil || model.config.hasText else {
      throw FileError(
        .usage, "the model has no \(images == nil || model.config.hasVision ? "text" : "image") encoder", file: path)
    }
    guard options.normalizes || model.checkpoint.metadata["clipkit.onnx.normalized"]?.string != "true" else {
      throw FileError(
        .usage, "the graph divides embeddings by their length: there are none as the projection leaves them",
        file: path,
        hint: "Convert it with --no-normalize, or leave out --raw")
    }
    guard let dimension = model.config.integer(.embedDim) else {
      throw FileError(.mismatch, "nothing states the length of the embeddings", file: path)
    }
    var inputs: [EmbeddingSource: ArraySlice<String>] = [:]
    inputs[.images] = self.images
    inputs[.prompts] = self.prompts
    var output: String?
    switch target {
    case .lines(let put): writer = EmbeddingLines(dimension: dimension, to: put)
    case .file(let file):
      output = file
      var policy = options.policy
      policy.inputs += model.checkpoint.files.map(\.identity) + model.configFiles
      policy.inputs += [FileIdentity(path: path)].compactMap(\.self)
      policy.inputs += Self.inputs(at: file, among: self.images ?? [])
      writer =
        format == .jsonl
        ? try EmbeddingLines(file, policy: policy, dimension: dimension)
        : try EmbeddingArrays(file, format: format, policy: policy, dimension: dimension, inputs: inputs)
    }
    report = EmbeddingReport(
      model: path, dialect: model.dialect.name, dimension: dimension, isNormalized: options.normalizes,
      shard: options.shard, output: output, format: format.rawValue)
    report.images = self.images.map { EmbeddingReport.Tally(inputs: $0.count) }
    report.prompts = self.prompts.map { EmbeddingReport.Tally(inputs: $0.count) }
    report.skipped = images?.skipped ?? 0
    report.warnings = Self.warnings(model, prompts: prompts)
    preprocessor = images == nil ? nil : try Preprocessor(model, decoding: options.decoding)
    tokenizer = prompts == nil ? nil : try Tokenizer(model)
    encoder = try Encoder(
      model, towers: images == nil ? .text : prompts == nil ? .image : .both, threads: options.threads ?? processorCount
    )
    modelHash = options.provenance ? try Manifest(model, threads: options.threads).modelHash : nil
  }

  /// The images that are the file at `output`, which therefore must not be replaced.
  private static func inputs(at output: String, among images: ArraySlice<String>) -> [FileIdentity] {
    guard let identity = FileIdentity(path: output) else { return [] }
    return images.contains { FileIdentity(path: $0) == identity } ? [identity] : []
  }

  private static func warnings(_ model: CLIPModel, prompts: PromptList?) -> [String] {
    // What bears on the numbers, or on the inputs.
    let codes = ["heads-assumed", "config-unknown", "eos-token-2"]
    var warnings = model.checkpoint.notes + model.notes
    warnings += Findings(model).warnings.filter { codes.contains($0.code) }.map(\.message)
    if let duplicates = prompts?.duplicates, duplicates > 0 {
      warnings.append(
        "\(duplicates) of the prompts \(duplicates == 1 ? "is the same as one" : "are the same as ones") before")
    }
    return warnings
  }

  mutating func run() throws(FileError) -> EmbeddingReport {
    let (encoder, normalizes) = (encoder, options.normalizes)
    if let images, let preprocessor {
      var notes = ImageNotes()
      try embed(
        images, .images,
        prepare: { (path) throws(FileError) in
          (path: path, image: try preprocessor.prepare(Bytes(InputFile(path)), name: path))
        },
        encode: { (items) throws(FileError) in
          for item in items { notes.add(item.image.notes, of: item.path) }
          return try encoder.encode(images: items.map(\.image), normalize: normalizes)
        })
      report.warnings += notes.warnings
    }
    if let prompts, let tokenizer {
      var truncated = 0
      try embed(
        prompts, .prompts, prepare: { (prompt) throws(FileError) in try tokenizer.encode(prompt) },
        encode: { (texts) throws(FileError) in
          truncated += texts.count(where: \.isTruncated)
          return try encoder.encode(texts: texts, normalize: normalizes)
        })
      report.truncated = truncated
      if truncated > 0 {
        report.warnings.append("prompts of more tokens than the model takes, which were cut: \(truncated)")
      }
    }
    if nonFinite > 0 { report.warnings.append("rows that hold NaN or infinity: \(nonFinite)") }
    report.bytes = try writer.finish(metadata: metadata())
    return report
  }

  /// While one batch is encoded, the next is prepared.
  private mutating func embed<Item: Sendable>(
    _ inputs: ArraySlice<String>, _ source: EmbeddingSource,
    prepare: @escaping @Sendable (String) throws(FileError) -> Item,
    encode: ([Item]) throws(FileError) -> [Float]
  ) throws(FileError) {
    let starts = Array(stride(from: inputs.startIndex, to: inputs.endIndex, by: options.batch))
    let (size, threads) = (options.batch, options.threads ?? processorCount)
    try forEachPrepared(
      starts.count,
      prepare: { (index) throws(FileError) in
        try PreparedBatch(inputs[starts[index]...].prefix(size), threads: threads, prepare: prepare)
      },
      use: { (batch) throws(FileError) in
        try tell(batch.failures)
        let rows = batch.items.isEmpty ? [] : try encode(batch.items)
        try write(EmbeddedBatch(source, inputs: batch.inputs, failures: batch.failures, rows: rows))
      })
  }

  private mutating func tell(_ failures: [Int: FileError]) throws(FileError) {
    for (_, failure) in failures.sorted(by: { $0.key < $1.key }) {
      if options.failsFast { throw failure }
      options.onFailure?(failure)
      report.failures.append(failure)
    }
  }

  private mutating func write(_ batch: EmbeddedBatch) throws(FileError) {
    for start in stride(from: 0, to: batch.rows.count, by: report.dimension)
    where !batch.rows[start..<start + report.dimension].allSatisfy(\.isFinite) {
      nonFinite += 1
    }
    try writer.write(batch)
    let embedded = batch.inputs.count - batch.failures.count
    switch batch.source {
    case .images: report.images?.embedded += embedded
    case .prompts: report.prompts?.embedded += embedded
    }
    options.onProgress?(batch.inputs.count, (images?.count ?? 0) + (prompts?.count ?? 0))
  }

  /// What the output says about the model and the run.
  private func metadata() throws(FileError) -> Metadata {
    var metadata = Metadata()
    let files = model.checkpoint.files
    metadata["clipkit.embeddings"] = .string("1")
    metadata["clipkit.version"] = .string(options.toolVersion)
    metadata["clipkit.normalized"] = .bool(options.normalizes)
    if options.shard != .whole { metadata["clipkit.shard"] = .string("\(options.shard)") }
    metadata["clipkit.config"] = .string(model.config.json.text())
    metadata["clipkit.source.name"] = .string(lastComponent(of: files.first?.path ?? ""))
    metadata["clipkit.source.size"] = .uint64(UInt64(files.reduce(0) { $0 + $1.count }))
    metadata["clipkit.source.format"] = .string(model.checkpoint.format)
    metadata["clipkit.source.dialect"] = .string(model.dialect.name)
    if let modelHash { metadata["clipkit.model.sha256"] = .string(modelHash) }
    return metadata
  }
}

/// The inputs of a batch as an encoder takes them.
private struct PreparedBatch<Item: Sendable>: Sendable {
  let inputs: ArraySlice<String>
  /// What became of the inputs that did not fail, in order.
  private(set) var items: [Item] = []
  /// Why the others did, by their index in `inputs`.
  private(set) var failures: [Int: FileError] = [:]

  init(_ inputs: ArraySlice<String>, threads: Int, prepare: @Sendable (String) throws(FileError) -> Item)
    throws(FileError)
  {
    self.inputs = inputs
    let results = try parallelMap(inputs.count, threads: threads) {
      (index) throws(FileError) -> Result<Item, FileError> in
      do throws(FileError) {
        return .success(try prepare(inputs[inputs.startIndex + index]))
      } catch {
        return .failure(error)
      }
    }
    for (index, result) in zip(inputs.indices, results) {
      switch result {
      case .success(let item): items.append(item)
      case .failure(let error): failures[index] = error
      }
    }
  }
}

/// What decoders noticed, said once for all images that have it.
private struct ImageNotes {
  private var texts: [String] = []
  private var images: [String: (count: Int, first: String)] = [:]

  mutating func add(_ notes: [String], of path: String) {
    for note in notes {
      if images[note] == nil { texts.append(note) }
      images[note, default: (0, path)].count += 1
    }
  }

  var warnings: [String] {
    texts.compactMap { text in
      images[text].map { "\($0.first): \(text)" + ($0.count > 1 ? ", and so \($0.count - 1) more" : "") }
    }
  }
}
