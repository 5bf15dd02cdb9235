import Checkpoints

/// A model that is encoded by evaluating its ONNX files, as they are.
final class GraphEncoder: Sendable {
  private let image: GraphTower?
  private let text: GraphTower?
  private let embedDim: Int
  private let path: String

  /// Whether a checkpoint is ONNX files that hold graphs, and not tensors alone.
  static func holdsGraph(_ checkpoint: Checkpoint) throws(FileError) -> Bool {
    guard checkpoint.format == ONNX.name, let file = checkpoint.files.first else { return false }
    return try !ONNX.readModel(file).graph.nodes.isEmpty
  }

  /// Loads the encoders that are asked for from the files.
  /// - Throws: `missing` when one of them is in no file, and what preparing a graph throws.
  init(_ checkpoint: Checkpoint, embedDim: Int, image wantsImage: Bool, text wantsText: Bool, threads: Int)
    throws(FileError)
  {
    path = checkpoint.files.first?.path ?? ""
    self.embedDim = embedDim
    var (image, text): (GraphTower?, GraphTower?)
    for (file, model) in try checkpoint.graphFiles() {
      do throws(FileError) {
        if let unreadable = model.graph.unreadable.first { throw unreadable }
        if wantsImage, image == nil { image = try GraphTower(model, tower: "image", threads: threads) }
        if wantsText, text == nil { text = try GraphTower(model, tower: "text", threads: threads) }
      } catch {
        throw error.located(file: file.path)
      }
    }
    guard (image != nil) == wantsImage, (text != nil) == wantsText else {
      throw FileError(
        .unsupported,
        "no graph with an output that depends on \(wantsImage && image == nil ? "pictures" : "texts") alone",
        file: path)
    }
    (self.image, self.text) = (image, text)
  }

  /// How many items are given to a graph at a time where it takes any number.
  private static let itemsAtOnce = 8

  /// The embeddings of pictures of `side`, which `fill` writes one by one.
  func encode(
    pictures count: Int, side: Int, observer: StageObserver?, fill: (Int, UnsafeMutablePointer<Float>) -> Void
  ) throws(FileError) -> [Float] {
    guard let image else { throw FileError(.unsupported, "no image encoder is loaded") }
    let size = 3 * side * side
    return try encode(count, at: observer == nil ? image.batch : 1) { (items) throws(FileError) in
      let values = [Float](unsafeUninitializedCapacity: items.count * size) { buffer, initialized in
        if let start = buffer.baseAddress {
          for (index, item) in items.enumerated() { fill(item, start + index * size) }
        }
        initialized = items.count * size
      }
      let bytes = values.withUnsafeBytes { Array($0) }
      let pixels = try Tensor(dtype: .f32, shape: [items.count, 3, side, side], bytes: Bytes(bytes))
      return try image.embed(pictures: pixels, observe: observer.map { Self.observe($0, tokens: nil) })
    }
  }

  /// The embeddings of texts of ids; `tokens` is how many ids of each say something.
  func encode(
    texts: [[Int32]], tokens: [Int], observer: StageObserver?
  ) throws(FileError) -> [Float] {
    guard let text else { throw FileError(.unsupported, "no text encoder is loaded") }
    for ids in texts where text.length.map({ $0 != ids.count }) ?? false {
      throw FileError(.mismatch, "a text of \(ids.count) ids, the graph takes \(text.length ?? 0)", file: path)
    }
    // Texts that are given at once are of one length.
    let isEven = texts.allSatisfy { $0.count == texts[0].count }
    return try encode(texts.count, at: observer == nil && isEven ? text.batch : 1) { (items) throws(FileError) in
      try text.embed(
        texts: Array(texts[items]), observe: observer.map { Self.observe($0, tokens: tokens[items.lowerBound]) })
    }
  }

  private func encode(
    _ count: Int, at batch: Int?, _ embed: (Range<Int>) throws(FileError) -> [Float]
  ) throws(FileError) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(count * embedDim)
    let step = batch ?? Self.itemsAtOnce
    for first in stride(from: 0, to: count, by: step) {
      // A graph that takes so many and no fewer is given the last ones again.
      let last = min(first + step, count)
      let items = batch.map { max(0, last - $0)..<last } ?? first..<last
      guard batch == nil || items.count == step else {
        throw FileError(.unsupported, "the graph takes \(step) items at a time, \(count) are given", file: path)
      }
      let rows = try embed(items)
      guard rows.count == items.count * embedDim else {
        throw FileError(
          .mismatch, "\(rows.count) numbers for \(items.count) items, an embedding has \(embedDim)", file: path)
      }
      result += rows.suffix((last - first) * embedDim)
    }
    return result
  }

  /// Hands stages on, of texts those tokens that say something.
  private static func observe(_ observer: @escaping StageObserver, tokens: Int?) -> (GraphStage) -> Void {
    { stage in
      var rows = stage.rows
      if let tokens, rows.count > tokens, !stage.stage.hasSuffix(".pooled") {
        (rows.count, rows.values) = (tokens, Array(rows.values.prefix(tokens * rows.columns)))
      }
      observer(StageOutput(stage: stage.stage, rows: [rows.count], columns: rows.columns, values: rows.values))
    }
  }
}
