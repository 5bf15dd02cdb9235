public import Checkpoints
import Synchronization

/// A model that is loaded to encode: pictures and texts in, embeddings out.
///
/// Embeddings are the same bits whatever the number of threads and whatever is encoded together.
public final class Encoder: Sendable {
  /// The length of an embedding.
  public let embedDim: Int
  /// The side of the pictures that the image encoder takes, in pixels; nil without one.
  public let imageSize: Int?
  /// The number of ids of a text; nil without a text encoder.
  public let contextLength: Int?

  /// Evaluates the model's own files, where they are graphs; then nothing else is loaded.
  private let graphs: GraphEncoder?
  private let image: ImageEncoder<CPUOps>?
  private let text: TextTransformer<CPUOps>?
  private let pooling: TextPooledPosition?
  private let ops: CPUOps
  /// The team works on one batch at a time.
  private let turn = Mutex(())

  /// Whether the model's own graphs are evaluated, which show of their inside what their writer named.
  var isGraph: Bool { graphs != nil }

  /// Loads the towers that are asked for, of those that the model has.
  ///
  /// - Throws: what does not fit in the checkpoint, `unsupported` when the config leaves open how to compute or asks
  ///   for what is not computed here, and what reading throws.
  public init(
    _ model: CLIPModel, towers: TowerSelection = .both, threads: Int = processorCount
  ) throws(FileError) {
    let file = model.checkpoint.files.first?.path
    let isGraph = try GraphEncoder.holdsGraph(model.checkpoint)
    // What a graph computes it says itself: no tensor need fit, and nothing of a config be computed here.
    if !isGraph { try Self.check(model, towers: towers) }
    ops = CPUOps(threads: max(1, threads))
    do throws(FileError) {
      let config = model.config
      let loader = WeightLoader(tensors: model.tensors, ops: ops)
      let hasImage = config.hasVision && towers != .text
      let hasText = config.hasText && towers != .image
      image = hasImage && !isGraph ? try ImageEncoder(loader, config) : nil
      text = hasText && !isGraph ? try TextTransformer(loader, config) : nil
      // A graph pools by itself; only of its stages one wants to know which tokens say something.
      pooling = !hasText ? nil : isGraph ? try? TextPooledPosition(config) : try TextPooledPosition(config)
      imageSize = hasImage ? try config.encoderInteger(.visionImageSize) : nil
      contextLength = hasText ? try config.encoderInteger(.textContextLength) : nil
      guard let embedDim = config.integer(.embedDim) ?? config.integer(hasImage ? .visionWidth : .textWidth) else {
        throw FileError(.mismatch, "neither an image nor a text encoder")
      }
      self.embedDim = embedDim
      graphs =
        isGraph
        ? try GraphEncoder(
          model.checkpoint, embedDim: embedDim, image: hasImage, text: hasText, threads: max(1, threads)) : nil
    } catch {
      throw error.located(file: file)
    }
  }

  /// Throws for what does not fit in a model, and for what its config asks and no forward pass here computes.
  static func check(_ model: CLIPModel, towers: TowerSelection) throws(FileError) {
    let (file, config) = (model.checkpoint.files.first?.path, model.config)
    if let problem = model.checkpoint.unreadable.first ?? model.problems.first { throw problem.located(file: file) }
    for statement in model.unsupportedEncoding where towers == .both || towers == statement.tower {
      throw FileError(.unsupported, "\(statement.text), which is not computed here", file: file)
    }
    let width = config.integer(config.hasVision && towers != .text ? .visionWidth : .textWidth)
    guard let embedDim = config.integer(.embedDim) ?? width else { return }
    do throws(FileError) {
      if config.hasVision, towers != .text, !config.isResNet {
        try checkWidth(model, "visual.proj", .visionWidth, embedDim)
      }
      if config.hasText, towers != .image { try checkWidth(model, "text_projection", .textWidth, embedDim) }
    } catch {
      throw error.located(file: file)
    }
  }

  /// Throws for an encoder without a projection whose tokens are not as long as an embedding.
  private static func checkWidth(
    _ model: CLIPModel, _ projection: String, _ field: ConfigField, _ embedDim: Int
  ) throws(FileError) {
    let isProjected = model.tensors[projection] != nil || model.tensors["\(projection).weight"] != nil
    let width = try model.config.encoderInteger(field)
    guard isProjected || width == embedDim else {
      throw FileError(
        .mismatch, "not in the checkpoint, and tokens of \(width) numbers are no embeddings of \(embedDim)",
        tensor: projection)
    }
  }

  /// The embeddings of pictures.
  ///
  /// - Parameters:
  ///   - images: Pictures of `imageSize`, from the model's `Preprocessor`.
  ///   - normalize: Whether each row is divided by its length.
  ///   - observer: Sees the output of every stage; all tokens are then computed to the end.
  /// - Returns: `images.count` rows of `embedDim` numbers.
  /// - Throws: `unsupported` without an image encoder, `mismatch` for a picture of another size.
  public func encode(
    images: [PreparedImage], normalize: Bool = true, observer: StageObserver? = nil
  ) throws(FileError) -> [Float] {
    for picture in images where picture.size != imageSize ?? picture.size {
      throw FileError(.mismatch, "a picture of \(picture.size) pixels, the encoder takes \(imageSize ?? 0)")
    }
    return try encode(pictures: images.count, normalize: normalize, observer: observer) { item, target in
      images[item].normalized(into: target)
    }
  }

  /// The embeddings of pictures that are normalised already, `[count, 3, imageSize, imageSize]`.
  /// - Throws: `unsupported` without an image encoder, `mismatch` when that is no whole number of pictures.
  package func encode(
    pixelValues: [Float], normalize: Bool = true, observer: StageObserver? = nil
  ) throws(FileError) -> [Float] {
    let length = 3 * (imageSize ?? 1) * (imageSize ?? 1)
    guard pixelValues.count % length == 0 else {
      throw FileError(.mismatch, "\(pixelValues.count) numbers, a picture has \(length)")
    }
    return try encode(pictures: pixelValues.count / length, normalize: normalize, observer: observer) { item, target in
      pixelValues.withUnsafeBufferPointer { target.update(from: $0.baseAddress! + item * length, count: length) }
    }
  }

  private func encode(
    pictures count: Int, normalize: Bool, observer: StageObserver?,
    fill: (Int, UnsafeMutablePointer<Float>) -> Void
  ) throws(FileError) -> [Float] {
    if let graphs, let imageSize {
      let rows = try graphs.encode(pictures: count, side: imageSize, observer: observer, fill: fill)
      return unit(rows, "image_embeds", normalize: normalize, observer)
    }
    guard let image, let imageSize else { throw FileError(.unsupported, "no image encoder is loaded") }
    return turn.withLock { _ in
      var result: [Float] = []
      result.reserveCapacity(count * embedDim)
      for first in stride(from: 0, to: count, by: Self.imagesAtOnce) {
        let items = min(Self.imagesAtOnce, count - first)
        let batch = PictureBatch(
          buffer: ops.pool.buffer(items * 3 * imageSize * imageSize), count: items, side: imageSize)
        ops.team.run(items) { item in fill(first + item, batch.line(item, channel: 0, 0)) }
        let embeddings = image.forward(batch, ops, observe: observer.map { Self.observe("image", $0) })
        result += Self.rows(embeddings, normalize: normalize)
        observer?(StageOutput(stage: "image_embeds", embeddings, normalize: normalize))
      }
      return result
    }
  }

  /// The embeddings of texts.
  ///
  /// A text is not computed beyond the token that stands for it where no earlier token can see what follows.
  /// - Parameters:
  ///   - texts: Ids from the model's `Tokenizer`.
  ///   - normalize: Whether each row is divided by its length.
  ///   - observer: Sees the output of every stage; all tokens are then computed to the end.
  /// - Returns: `texts.count` rows of `embedDim` numbers.
  /// - Throws: `unsupported` without a text encoder, `mismatch` for ids that do not fit the model.
  public func encode(
    texts: [TokenSequence], normalize: Bool = true, observer: StageObserver? = nil
  ) throws(FileError) -> [Float] {
    guard let contextLength else { throw FileError(.unsupported, "no text encoder is loaded") }
    for sequence in texts where sequence.ids.count > contextLength || sequence.ids.isEmpty {
      throw FileError(.mismatch, "a text of \(sequence.ids.count) tokens, allowed 1 to \(contextLength)")
    }
    if let graphs {
      let rows = try graphs.encode(
        texts: texts.map(\.ids), tokens: texts.map { tokens(of: $0.ids) }, observer: observer)
      return unit(rows, "text_embeds", normalize: normalize, observer)
    }
    guard let text, let pooling else { throw FileError(.unsupported, "no text encoder is loaded") }
    return try turn.withLock { (_) throws(FileError) in
      var result: [Float] = []
      result.reserveCapacity(texts.count * embedDim)
      var next = 0
      while next < texts.count {
        var (ids, starts): ([Int32], [Int]) = ([], [0])
        while next < texts.count, ids.count < Self.tokensAtOnce {
          ids += texts[next].ids.prefix(pooling.tokens(of: texts[next].ids))
          starts.append(ids.count)
          next += 1
        }
        let observe = observer.map { Self.observe("text", $0) }
        let embeddings = try text.forward(
          TextBatch(ids: ids, starts: starts), pooling: pooling.row, ops, observe: observe)
        result += Self.rows(embeddings, normalize: normalize)
        observer?(StageOutput(stage: "text_embeds", embeddings, normalize: normalize))
      }
      return result
    }
  }

  /// How many tokens of a text matter to its embedding; all of them where a graph does not say.
  func tokens(of ids: [Int32]) -> Int { pooling?.tokens(of: ids) ?? ids.count }

  /// The embeddings of a graph, divided by their length unless they are to be left as they are.
  private func unit(_ rows: [Float], _ stage: String, normalize: Bool, _ observer: StageObserver?) -> [Float] {
    var rows = rows
    let count = rows.count / max(1, embedDim)
    if normalize {
      rows.withUnsafeMutableBufferPointer { buffer in
        if let start = buffer.baseAddress { normalizeRows(start, rows: count, columns: embedDim) }
      }
    }
    observer?(StageOutput(stage: stage, rows: [Int](repeating: 1, count: count), columns: embedDim, values: rows))
    return rows
  }

  /// How much is computed together: enough to keep all cores at work, little enough to stay in the caches.
  private static let imagesAtOnce = 16
  private static let tokensAtOnce = 1024

  private static func observe(_ tower: String, _ observer: @escaping StageObserver) -> EncoderObserver<CPUOps> {
    { stage, value in observer(StageOutput(stage: "\(tower).\(stage)", value, normalize: false)) }
  }

  fileprivate static func rows(_ embeddings: Activations, normalize: Bool) -> [Float] {
    var values = embeddings.values()
    guard normalize else { return values }
    values.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      normalizeRows(start, rows: embeddings.rows, columns: embeddings.columns)
    }
    return values
  }
}

/// Sees the outputs of an encoder's stages, batch after batch.
public typealias StageObserver = (StageOutput) -> Void

/// What a stage of an encoder puts out for some pictures or texts.
///
/// Stages are `image.stem` (what goes into the first block), `image.blocks.N`, `image.pooled` (what goes into the
/// projection), `image_embeds`, and the same with `text`. The blocks of a ResNet are its bottlenecks.
public struct StageOutput: Sendable {
  /// The stage.
  public let stage: String
  /// The number of tokens of each item.
  public let rows: [Int]
  /// The numbers of a token.
  public let columns: Int
  /// The numbers, token after token, item after item.
  public let values: [Float]

  init(stage: String, rows: [Int], columns: Int, values: [Float]) {
    (self.stage, self.rows, self.columns, self.values) = (stage, rows, columns, values)
  }

  init(stage: String, _ value: Activations, normalize: Bool) {
    self.stage = stage
    rows = (0..<value.items).map { value.starts[$0 + 1] - value.starts[$0] }
    columns = value.columns
    values = Encoder.rows(value, normalize: normalize)
  }
}

extension EncoderStage: CustomStringConvertible {
  package var description: String {
    switch self {
    case .stem: "stem"
    case .block(let index): "blocks.\(index)"
    case .pooled: "pooled"
    }
  }
}
