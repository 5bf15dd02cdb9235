public import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Records what a model makes of images and texts, as a golden file.
public struct GoldenRecorder {
  /// What is recorded, and what is said of it.
  public struct Options: Sendable {
    /// The encoders that run.
    public var towers = TowerSelection.both
    /// Whether what is inside the encoders is recorded.
    public var blocks = false
    /// Threads; all cores when nil.
    public var threads: Int?
    /// What the golden file says of who wrote it.
    public var producer = "clipkit"
    /// What it calls the model.
    public var name = ""
    /// Is told how many inputs were encoded just now, and of how many.
    public var onProgress: (@Sendable (Int, Int) -> Void)?

    /// Both encoders, without their inside.
    public init() {}
  }

  private let model: CLIPModel
  private let options: Options
  private var tensors: [String: Tensor] = [:]
  private var metadata = Metadata()
  private var inputCount = 0

  private init(_ model: CLIPModel, _ options: Options) { (self.model, self.options) = (model, options) }

  /// Runs the encoders that are asked for, that the model has and that there is input for.
  ///
  /// Numbers may be infinite or NaN, when the model makes them.
  /// - Throws: what tokenizing, decoding, loading and encoding throw; `missing` when no encoder has input.
  public static func record(
    _ model: CLIPModel, _ inputs: GoldenInputs, options: Options
  ) throws(FileError) -> Golden {
    var recorder = GoldenRecorder(model, options)
    let hasImages = !inputs.images.isEmpty && model.config.hasVision && options.towers != .text
    let hasTexts = inputs.texts.count > 0 && model.config.hasText && options.towers != .image
    guard hasImages || hasTexts else {
      throw FileError(
        .missing, "the model has no encoder for what it is given", file: model.checkpoint.files.first?.path)
    }
    let towers: TowerSelection = hasImages && hasTexts ? .both : hasImages ? .image : .text
    let encoder = try Encoder(model, towers: towers, threads: options.threads ?? processorCount)
    recorder.describe()
    if encoder.isGraph { recorder.metadata["clipkit.partial"] = .string("true") }
    recorder.inputCount = (hasImages ? inputs.images.count : 0) + (hasTexts ? inputs.texts.count : 0)
    if hasImages { try recorder.addImages(inputs.images, encoder) }
    if hasTexts { try recorder.addTexts(inputs.texts, encoder) }
    if hasImages, hasTexts { try recorder.addLogits() }
    if hasTexts, let pairs = inputs.pairs, hasImages { recorder.tensors["pairs"] = pairs }
    return try recorder.golden()
  }

  private mutating func describe() {
    metadata["clipkit.golden"] = .string(Golden.version)
    metadata["clipkit.producer"] = .string(options.producer)
    metadata["clipkit.model"] = .string(options.name)
    metadata["clipkit.family"] = .string(model.config.family.rawValue)
    metadata["clipkit.precision"] = .string("float32")
    var facts = JSONObject()
    for field in ConfigField.allCases { facts[field.rawValue] = model.config[field]?.json }
    metadata["clipkit.config"] = .string(JSONValue.object(facts).text())
  }

  private func golden() throws(FileError) -> Golden {
    var checkpoint = Checkpoint(metadata: metadata)
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) { try checkpoint.add(tensor, named: name) }
    return try Golden(checkpoint)
  }

  private mutating func add(_ name: String, _ values: [Float], _ shape: [Int]) throws(FileError) {
    tensors[name] = try Tensor(dtype: .f32, shape: shape, bytes: Bytes(littleEndian(values.lazy.map(\.bitPattern))))
  }

  private mutating func add(_ name: String, _ values: [Int32], _ shape: [Int]) throws(FileError) {
    tensors[name] = try Tensor(dtype: .i32, shape: shape, bytes: Bytes(littleEndian(values)))
  }

  private func littleEndian<Number: FixedWidthInteger>(_ values: some Collection<Number>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(values.count * MemoryLayout<Number>.size)
    for value in values { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
    return bytes
  }

  /// What the inside of the encoders may take in memory.
  private static let largestInside = 4 << 30

  /// Encodes a few inputs at a time.
  /// - Throws: `unsupported` when what is inside would not fit.
  private func encode<Item>(
    _ items: [Item], _ encode: ([Item], StageObserver?) throws(FileError) -> [Float]
  ) throws(FileError) -> ([Float], StageCollector) {
    var (rows, stages): ([Float], StageCollector) = ([], StageCollector())
    var next = 0
    while next < items.count {
      let batch = Array(items[next..<min(items.count, next + 16)])
      rows += try encode(batch, options.blocks ? { stages.add($0) } : nil)
      next += batch.count
      let (bytes, isOver) = (stages.byteCount / next).multipliedReportingOverflow(by: items.count)
      guard !isOver, bytes <= Self.largestInside else {
        throw FileError(
          .unsupported,
          "what is inside the encoder takes \(stages.byteCount / next) bytes for each of \(items.count) "
            + "inputs, allowed \(Self.largestInside) together", hint: "Give fewer inputs, or leave the blocks out")
      }
      options.onProgress?(batch.count, inputCount)
    }
    return (rows, stages)
  }

  // MARK: Images

  private mutating func addImages(_ images: [(name: String, path: String, file: Bytes)], _ encoder: Encoder)
    throws(FileError)
  {
    let preprocessor = try Preprocessor(model)
    let prepared = try parallelMap(images.count, threads: options.threads ?? processorCount) {
      (index) throws(FileError) in try preprocessor.prepare(images[index].file, name: images[index].path)
    }
    metadata["clipkit.images"] = .string(JSONValue.array(images.map { .string($0.name) }).text())
    for (index, image) in images.enumerated() {
      tensors["images.\(index)"] = try Tensor(dtype: .u8, shape: [image.file.count], bytes: image.file)
    }
    let (count, side) = (images.count, preprocessor.size)
    tensors["pixels"] = try Tensor(
      dtype: .u8, shape: [count, side, side, 3], bytes: Bytes(concatenating: prepared.map { Bytes($0.pixels) }))
    var values = [Float](repeating: 0, count: count * 3 * side * side)
    values.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      for (index, image) in prepared.enumerated() { image.normalized(into: start + index * 3 * side * side) }
    }
    try add("pixel_values", values, [count, 3, side, side])

    let (rows, stages) = try encode(prepared) { (images, observer) throws(FileError) in
      try encoder.encode(images: images, observer: observer)
    }
    try add("image_embeds", rows, [count, encoder.embedDim])
    for (name, stage) in stages.outputs {
      let shape = name == "image.pooled" ? [count, stage.columns] : [count, stage.rows[0], stage.columns]
      try add(name, stage.values, shape)
    }
  }

  // MARK: Texts

  private mutating func addTexts(_ texts: GoldenInputs.Texts, _ encoder: Encoder) throws(FileError) {
    var sequences: [TokenSequence] = []
    switch texts {
    case .prompts(let prompts):
      let tokenizer = try Tokenizer(model)
      for prompt in prompts { sequences.append(try tokenizer.encode(prompt)) }
      metadata["clipkit.prompts"] = .string(JSONValue.array(prompts.map(JSONValue.string)).text())
    case .ids(let ids):
      sequences = ids.map { TokenSequence(ids: $0, count: $0.count, isTruncated: false) }
    }
    let context = sequences[0].ids.count
    try add("input_ids", sequences.flatMap(\.ids), [sequences.count, context])
    try add(
      "token_counts", sequences.map { Int32(clamping: encoder.tokens(of: $0.ids)) }, [sequences.count])

    let (rows, stages) = try encode(sequences) { (texts, observer) throws(FileError) in
      try encoder.encode(texts: texts, observer: observer)
    }
    try add("text_embeds", rows, [sequences.count, encoder.embedDim])
    for (name, stage) in stages.outputs {
      try add(name, stage.values, [stage.values.count / max(1, stage.columns), stage.columns])
    }
  }

  /// Cosines, scaled; none where the model has no scale.
  private mutating func addLogits() throws(FileError) {
    guard let logarithm = try scalar("logit_scale") else { return }
    let scale = exp(logarithm)
    let bias = try scalar("logit_bias")
    guard let images = tensors["image_embeds"], let texts = tensors["text_embeds"] else { return }
    let (rows, columns) = (try images.doubles(), try texts.doubles())
    let width = images.shape[1]
    var logits: [Float] = []
    for image in 0..<images.shape[0] {
      for text in 0..<texts.shape[0] {
        let cosine = (0..<width).reduce(0.0) { $0 + rows[image * width + $1] * columns[text * width + $1] }
        logits.append(Float(cosine * scale + (bias ?? 0)))
      }
    }
    try add("logit_scale", [Float(scale)], [])
    if let bias { try add("logit_bias", [Float(bias)], []) }
    try add("logits_per_image", logits, [images.shape[0], texts.shape[0]])
  }

  private func scalar(_ name: String) throws(FileError) -> Double? {
    guard let tensor = model.tensors[name], tensor.count == 1 else { return nil }
    return try tensor.cast(to: .f64).doubles().first
  }
}

/// What an encoder's stages put out, batch after batch, put together.
private struct StageCollector {
  struct Output {
    var rows: [Int]
    var columns: Int
    var values: [Float]
  }
  private(set) var outputs: [String: Output] = [:]
  private(set) var byteCount = 0

  mutating func add(_ output: StageOutput) {
    guard Stage(output.stage)?.group == .hidden else { return }
    byteCount += output.values.count * MemoryLayout<Float>.size
    if outputs[output.stage] == nil {
      outputs[output.stage] = Output(rows: output.rows, columns: output.columns, values: output.values)
    } else {
      outputs[output.stage]?.rows += output.rows
      outputs[output.stage]?.values += output.values
    }
  }
}
