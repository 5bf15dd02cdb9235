import Checkpoints

/// Facts that names and shapes of canonical tensors tell.
struct ShapeFacts {
  private let model: Checkpoint
  private let family: ModelFamily
  private(set) var facts: ConfigFacts = [:]

  init(_ canonical: Checkpoint, family: ModelFamily) {
    model = canonical
    self.family = family
    if isPresent("visual.layer1.0.conv1.weight") {
      addResNet()
    } else if isPresent("visual.conv1.weight") {
      addVisionTransformer()
    }
    if isPresent("token_embedding.weight") { addText() }
    let embedDim =
      size("visual.proj", 1) ?? size("visual.proj.weight", 0) ?? size("visual.attnpool.c_proj.weight", 0)
      ?? size("text_projection", 1) ?? size("text_projection.weight", 0)
    if let embedDim {
      facts[.embedDim] = .integer(embedDim)
    } else if isPresent("visual.attn_pool.probe"), let width = size("visual.conv1.weight", 0) {
      facts[.embedDim] = .integer(width)
    }
  }

  private func isPresent(_ name: String) -> Bool { model[name] != nil }

  private func size(_ name: String, _ dimension: Int) -> Int? {
    guard let shape = model[name]?.shape, shape.indices.contains(dimension),
      (1...ConfigField.largest).contains(shape[dimension])
    else { return nil }
    return shape[dimension]
  }

  /// One more than the largest block number.
  private func count(_ template: String) -> Int {
    let template = NameTemplate(template)
    return 1 + model.names.reduce(-1) { max($0, template.match($1)?.first ?? -1) }
  }

  private mutating func set(_ field: ConfigField, _ value: Int?) {
    if let value { facts[field] = .integer(value) }
  }

  private mutating func addVisionTransformer() {
    set(.visionWidth, size("visual.conv1.weight", 0))
    set(.visionPatchSize, size("visual.conv1.weight", 3))
    set(.visionLayers, count("visual.transformer.resblocks.{}.ln_1.weight"))
    set(.visionMLPWidth, size("visual.transformer.resblocks.0.mlp.c_fc.weight", 0))
    let hasClassToken = isPresent("visual.class_embedding")
    // timm's trunks may have a class token and pool otherwise.
    let hasPool = model.names.contains { $0.hasPrefix("visual.attn_pool.") }
    let pooling: VisionPooling? = hasPool ? .attention : hasClassToken && family == .clip ? .classToken : nil
    if let pooling { facts[.visionPooling] = .text(pooling.rawValue) }
    if let positions = size("visual.positional_embedding", 0), let patch = size("visual.conv1.weight", 3),
      let side = (hasClassToken ? squareRoot(positions - 1) : nil)
        ?? (family == .siglip || !hasClassToken ? squareRoot(positions) : nil)
    {
      set(.visionImageSize, side.multipliedReportingOverflow(by: patch).partialValue)
    }
  }

  private mutating func addResNet() {
    let width = size("visual.layer1.0.conv1.weight", 0) ?? 0
    set(.visionWidth, width)
    facts[.visionStages] = .integers((1...4).map { count("visual.layer\($0).{}.conv1.weight") })
    facts[.visionPooling] = .text(VisionPooling.attention2D.rawValue)
    if let positions = size("visual.attnpool.positional_embedding", 0), let side = squareRoot(positions - 1) {
      set(.visionImageSize, side * 32)
    }
  }

  private mutating func addText() {
    set(.textVocabSize, size("token_embedding.weight", 0))
    set(.textWidth, size("token_embedding.weight", 1))
    set(.textContextLength, size("positional_embedding", 0))
    set(.textLayers, count("transformer.resblocks.{}.ln_1.weight"))
    set(.textMLPWidth, size("transformer.resblocks.0.mlp.c_fc.weight", 0))
  }

  private func squareRoot(_ square: Int) -> Int? {
    guard square > 0 else { return nil }
    let root = Int(Double(square).squareRoot().rounded())
    return root.multipliedReportingOverflow(by: root).partialValue == square ? root : nil
  }
}
