import Checkpoints

/// A tensor that a model of some config has.
package struct CanonicalTensor: Sendable {
  package let name: String
  package let shape: [Int]
  /// Another shape that it may have.
  package var otherShape: [Int]?
  /// Whether the model cannot do without it.
  package let isRequired: Bool
}

/// The tensors of a model, from its config alone: what a checkpoint is checked against.
package struct CanonicalTensors {
  package private(set) var list: [CanonicalTensor] = []
  private let config: ModelConfig

  package init(_ config: ModelConfig) {
    self.config = config
    if config.isResNet { addResNet() } else if config.hasVision { addVisionTransformer() }
    if config.hasText { addText() }
    if config.hasVision && config.hasText {
      add("logit_scale", [], isRequired: false)
      add("logit_bias", [], isRequired: false)
    }
  }

  private mutating func add(_ name: String, _ shape: [Int], isRequired: Bool = true) {
    list.append(CanonicalTensor(name: name, shape: shape, isRequired: isRequired))
  }

  private mutating func addModule(_ name: String, _ shape: [Int], isRequired: Bool = true) {
    add("\(name).weight", shape, isRequired: isRequired)
    add("\(name).bias", [shape.first ?? 0], isRequired: isRequired)
  }

  private mutating func addBlocks(_ prefix: String, _ count: Int, _ width: Int, _ mlpWidth: Int) {
    for block in 0..<min(count, 10_000) {
      let name = "\(prefix).resblocks.\(block)"
      addModule("\(name).ln_1", [width])
      addModule("\(name).ln_2", [width])
      add("\(name).attn.in_proj_weight", [3 * width, width])
      add("\(name).attn.in_proj_bias", [3 * width])
      addModule("\(name).attn.out_proj", [width, width])
      addModule("\(name).mlp.c_fc", [mlpWidth, width])
      addModule("\(name).mlp.c_proj", [width, mlpWidth])
      add("\(name).ls_1.gamma", [width], isRequired: false)
      add("\(name).ls_2.gamma", [width], isRequired: false)
    }
  }

  private mutating func addVisionTransformer() {
    guard let width = config.integer(.visionWidth), let patch = config.integer(.visionPatchSize),
      let mlpWidth = config.integer(.visionMLPWidth), let layers = config.integer(.visionLayers)
    else { return }
    let isCLIP = config.family == .clip
    add("visual.conv1.weight", [width, 3, patch, patch])
    add("visual.conv1.bias", [width], isRequired: !isCLIP)
    if let size = config.integer(.visionImageSize), patch > 0 {
      let patches = (size / patch) * (size / patch)
      add("visual.positional_embedding", [isCLIP ? patches + 1 : patches, width])
      // big_vision's class token has a position only in old files.
      if !isCLIP { list[list.count - 1].otherShape = [patches + 1, width] }
    }
    // Without a class token there is no position for it.
    add("visual.class_embedding", [width], isRequired: isCLIP)
    addBlocks("visual.transformer", layers, width, mlpWidth)
    addModule("visual.ln_pre", [width], isRequired: isCLIP)
    addModule("visual.ln_post", [width])
    // A tower alone may end before the projection, as LLaVA's does.
    if let embedDim = config.integer(.embedDim) {
      if isCLIP {
        add("visual.proj", [width, embedDim], isRequired: config.hasText)
      } else {
        add("visual.proj.weight", [embedDim, width], isRequired: false)
        add("visual.proj.bias", [embedDim], isRequired: false)
      }
    }
    guard config.text(.visionPooling) == VisionPooling.attention.rawValue else { return }
    let pool = "visual.attn_pool"
    add("\(pool).probe", [1, 1, width])
    add("\(pool).attn.in_proj_weight", [3 * width, width])
    add("\(pool).attn.in_proj_bias", [3 * width])
    addModule("\(pool).attn.out_proj", [width, width])
    addModule("\(pool).ln", [width])
    addModule("\(pool).mlp.c_fc", [mlpWidth, width])
    addModule("\(pool).mlp.c_proj", [width, mlpWidth])
  }

  private mutating func addNorm(_ name: String, _ width: Int) {
    for part in ["weight", "bias", "running_mean", "running_var"] { add("\(name).\(part)", [width]) }
    add("\(name).num_batches_tracked", [], isRequired: false)
  }

  private mutating func addResNet() {
    guard let width = config.integer(.visionWidth), let stages = config.integers(.visionStages),
      let embedDim = config.integer(.embedDim)
    else { return }
    for (index, (input, output)) in [(3, width / 2), (width / 2, width / 2), (width / 2, width)].enumerated() {
      add("visual.conv\(index + 1).weight", [output, input, 3, 3])
      addNorm("visual.bn\(index + 1)", output)
    }
    var input = width
    for (index, count) in stages.enumerated() {
      let planes = width << index
      for block in 0..<min(count, 10_000) {
        addBottleneck("visual.layer\(index + 1).\(block)", input, planes, hasDownsample: block == 0)
        input = planes * 4
      }
    }
    let pooled = width * 32
    if let size = config.integer(.visionImageSize) {
      add("visual.attnpool.positional_embedding", [(size / 32) * (size / 32) + 1, pooled])
    }
    for name in ["q_proj", "k_proj", "v_proj"] { addModule("visual.attnpool.\(name)", [pooled, pooled]) }
    addModule("visual.attnpool.c_proj", [embedDim, pooled])
  }

  private mutating func addBottleneck(_ name: String, _ input: Int, _ planes: Int, hasDownsample: Bool) {
    add("\(name).conv1.weight", [planes, input, 1, 1])
    addNorm("\(name).bn1", planes)
    add("\(name).conv2.weight", [planes, planes, 3, 3])
    addNorm("\(name).bn2", planes)
    add("\(name).conv3.weight", [planes * 4, planes, 1, 1])
    addNorm("\(name).bn3", planes * 4)
    if hasDownsample {
      add("\(name).downsample.0.weight", [planes * 4, input, 1, 1])
      addNorm("\(name).downsample.1", planes * 4)
    }
  }

  private mutating func addText() {
    guard let width = config.integer(.textWidth), let mlpWidth = config.integer(.textMLPWidth),
      let layers = config.integer(.textLayers), let vocabulary = config.integer(.textVocabSize)
    else { return }
    let isCLIP = config.family == .clip
    add("token_embedding.weight", [vocabulary, width])
    if let context = config.integer(.textContextLength) { add("positional_embedding", [context, width]) }
    addBlocks("transformer", layers, width, mlpWidth)
    addModule("ln_final", [width])
    guard let embedDim = config.integer(.embedDim) else { return }
    // A linear layer with a bias stands in for the matrix in SigLIP, and in CLIP where its config asks for it.
    add("text_projection", [width, embedDim], isRequired: false)
    add("text_projection.weight", [embedDim, width], isRequired: !isCLIP)
    add("text_projection.bias", [embedDim], isRequired: !isCLIP)
    add("cls_emb", [width], isRequired: false)
  }
}
