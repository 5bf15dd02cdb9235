import Checkpoints

/// What a graph of a model is like.
struct ONNXExportOptions {
  /// The version of ONNX's operators.
  var opset = 17
  /// The type that is computed in.
  var dtype = DType.f32
  /// Whether embeddings are divided by their length.
  var normalizes = false
  /// Whether batch norms are computed into the convolutions before them.
  var foldsNorms = false
  /// The names of inputs and outputs.
  var names = GraphNames.huggingFace
  /// The type of the ids.
  var idType = DType.i64

  /// Versions whose operators the nodes are written for.
  static let opsets = 17...23

  /// The version of the container that came with a version of the operators.
  var irVersion: Int64 {
    switch opset {
    case ...18: 8
    case ...20: 9
    case ...22: 10
    default: 11
    }
  }
}

/// What a graph's inputs and outputs are called.
struct GraphNames {
  var ids = "input_ids"
  var pixels = "pixel_values"
  var image = "image_embeds"
  var text = "text_embeds"

  /// transformers', which Optimum and transformers.js go by.
  static let huggingFace = GraphNames()
  /// immich's, and those of open_clip's models elsewhere.
  static let openCLIP = GraphNames(ids: "text", pixels: "image", image: "embedding", text: "embedding")
}

/// Records a model's graphs: each encoder alone, or both and what compares them.
struct ONNXExport {
  let model: CLIPModel
  let tensors: GraphTensors
  let options: ONNXExportOptions

  /// A graph of the encoders that are asked for: each takes its input, in transformers' order.
  func graph(_ towers: TowerSelection) throws(FileError) -> ONNXGraph {
    let builder = GraphBuilder(opset: options.opset, dtype: options.dtype)
    let (hasText, hasImage) = (model.config.hasText && towers != .image, model.config.hasVision && towers != .text)
    let isPair = hasText && hasImage
    builder.graph.name = isPair ? "clip" : hasText ? "text" : "image"
    var embeddings: [Embedding] = []
    if hasText {
      let batch = isPair ? "text_batch_size" : "batch_size"
      embeddings.append(Embedding(value: try text(builder, batch), name: options.names.text, batch: batch))
    }
    if hasImage {
      let batch = isPair ? "image_batch_size" : "batch_size"
      embeddings.append(Embedding(value: try image(builder, batch), name: options.names.image, batch: batch))
    }
    if isPair {
      let (text, image) = try compare(builder, text: embeddings[0], image: embeddings[1])
      embeddings = [text, image]
    }
    for embedding in embeddings {
      let value =
        options.normalizes ? embedding.unit ?? normalized(builder, embedding.value) : embedding.value
      output(builder, value, embedding.name, [.named(embedding.batch), dimension])
    }
    return builder.graph
  }

  /// What an encoder made of a batch.
  private struct Embedding {
    var value: String
    /// Divided by its length, where something else takes it.
    var unit: String?
    var name: String
    var batch: String
  }

  // MARK: Towers

  private func image(_ builder: GraphBuilder, _ batch: String) throws(FileError) -> String {
    let side = try model.config.encoderInteger(.visionImageSize)
    let shape: [ONNXValue.Dimension] = [.named(batch), .size(3), .size(Int64(side)), .size(Int64(side))]
    builder.graph.inputs.append(ONNXValue(options.names.pixels, .f32, shape))
    var pixels = options.names.pixels
    if options.dtype != .f32 { pixels = builder.cast(pixels, to: options.dtype, in: "image") }
    let recorder = GraphRecorder(builder: builder, tensors: tensors, tower: "image", foldsNorms: options.foldsNorms)
    let encoder = try ImageEncoder(WeightLoader(tensors: model.tensors, ops: recorder), model.config)
    let value = encoder.forward(GraphPictures(name: pixels, side: side), recorder, observe: nil)
    return single(value.name, builder, in: "image")
  }

  /// How many ids a text has: what follows the token that stands for a text changes nothing where no token sees those
  /// after it; elsewhere a text has its whole length.
  private func textRows() throws(FileError) -> GraphValue.Rows {
    let pooling: TextPooling = try model.config.encoderChoice(.textPooling)
    let length = try model.config.encoderInteger(.textContextLength)
    return model.config.hasCausalText && pooling != .last ? .ids : .fixed(length)
  }

  private func text(_ builder: GraphBuilder, _ batch: String) throws(FileError) -> String {
    let rows = try textRows()
    var length = ONNXValue.Dimension.named("sequence_length")
    if case .fixed(let count) = rows { length = .size(Int64(count)) }
    builder.graph.inputs.append(ONNXValue(options.names.ids, options.idType, [.named(batch), length]))
    // Ids of 64 bits are more than some runtimes compare.
    var ids = options.names.ids
    if options.idType != .i32 { ids = builder.cast(ids, to: .i32, in: "text") }
    var texts = GraphTexts(ids: ids, rows: rows)
    var recorder = GraphRecorder(builder: builder, tensors: tensors, tower: "text", texts: texts)
    let pooling = try TextPooledPosition(model.config)
    if rows == .ids { try locate(&texts, recorder) }
    recorder.texts = texts
    let encoder = try TextTransformer(WeightLoader(tensors: model.tensors, ops: recorder), model.config)
    let value = try encoder.forward(texts, pooling: pooling.row, recorder, observe: nil)
    return single(value.name, builder, in: "text")
  }

  /// The row that stands for each text, from its ids.
  private func locate(_ texts: inout GraphTexts, _ recorder: GraphRecorder) throws(FileError) {
    let builder = recorder.builder
    func node(_ kind: String, _ inputs: String..., attributes: [String: ONNXAttribute] = [:]) -> String {
      builder.add(kind, inputs, attributes, in: "text/position")
    }
    let pooling: TextPooling = try model.config.encoderChoice(.textPooling)
    var searched = texts.ids
    switch pooling {
    case .first:
      // No token that follows is seen: the first is all there is to compute.
      let (start, end) = (builder.integers([0]), builder.integers([1]))
      texts.ids = node("Slice", texts.ids, start, end, end)
      texts.rows = .fixed(1)
      return
    case .endOfText:
      let end = Int32(clamping: try model.config.encoderInteger(.textEndID))
      searched = builder.cast(node("Equal", texts.ids, builder.id(end)), to: .i32, in: "text/position")
    case .argmax, .last: break
    }
    let position = node("ArgMax", searched, attributes: ["axis": .integer(1), "keepdims": .integer(0)])
    func length(_ start: Int64) -> String {
      let part = node("Shape", texts.ids, attributes: ["start": .integer(start), "end": .integer(start + 1)])
      return node("Squeeze", part, builder.integers([0]))
    }
    let items = node("Range", builder.integer(0), length(0), builder.integer(1))
    texts.position = position
    texts.flatPosition = node("Add", node("Mul", items, length(1)), position)
  }

  /// An encoder's result in f32, whatever it was computed in.
  private func single(_ name: String, _ builder: GraphBuilder, in scope: String) -> String {
    options.dtype == .f32 ? name : builder.cast(name, to: .f32, in: scope)
  }

  // MARK: Outputs

  private var dimension: ONNXValue.Dimension { model.config.integer(.embedDim).map { .size(Int64($0)) } ?? .unknown }

  private func normalized(_ builder: GraphBuilder, _ x: String) -> String {
    builder.add("Div", [x, builder.reduce("ReduceL2", x, axis: -1, in: "normalize")], in: "normalize")
  }

  private func output(_ builder: GraphBuilder, _ x: String, _ name: String, _ shape: [ONNXValue.Dimension]) {
    // A tower that ends without a projection: the stage keeps its name.
    let x = x.hasSuffix(".pooled") ? builder.add("Identity", [x], in: x) : x
    builder.rename(x, to: name)
    builder.graph.outputs.append(ONNXValue(name, .f32, shape))
  }

  /// The logits of every pair; without a temperature there are none.
  private func compare(
    _ builder: GraphBuilder, text: Embedding, image: Embedding
  ) throws(FileError) -> (text: Embedding, image: Embedding) {
    guard model.tensors["logit_scale"] != nil else { return (text, image) }
    var (text, image) = (text, image)
    let (ofText, ofImage) = (normalized(builder, text.value), normalized(builder, image.value))
    (text.unit, image.unit) = (ofText, ofImage)
    let scope = "similarity"
    let scale = builder.add("Exp", [try scalar("logit_scale", builder)], in: scope)
    let columns = builder.add("Transpose", [ofImage], ["perm": .integers([1, 0])], in: scope)
    var logits = builder.add("Mul", [builder.add("MatMul", [ofText, columns], in: scope), scale], in: scope)
    if model.tensors["logit_bias"] != nil {
      logits = builder.add("Add", [logits, try scalar("logit_bias", builder)], in: scope)
    }
    let transposed = builder.add("Transpose", [logits], ["perm": .integers([1, 0])], in: scope)
    output(builder, transposed, "logits_per_image", [.named(image.batch), .named(text.batch)])
    output(builder, logits, "logits_per_text", [.named(text.batch), .named(image.batch)])
    return (text, image)
  }

  /// A learned number, in f32.
  private func scalar(_ canonical: String, _ builder: GraphBuilder) throws(FileError) -> String {
    let name = try tensors.parts(of: canonical, rows: nil)[0].name
    let tensor = try tensors.take(name)
    builder.initializer(name, tensor)
    return tensor.dtype == .f32 ? name : builder.cast(name, to: .f32, in: name)
  }
}
