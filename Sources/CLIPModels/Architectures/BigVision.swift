import Checkpoints

// Names of big_vision's npz files: Flax modules, kernels stored [in, out].

extension Dialect {
  /// big_vision's two towers. Read only: nothing loads it but big_vision, which starts from its own checkpoints.
  static let bigVision = Dialect(
    "big_vision", .siglip,
    rules: .table(
      blocks("visual.transformer", "img/Transformer"), blocks("transformer", "txt/Encoder_0"),
      norm("visual.ln_post", "img/Transformer/encoder_norm"), norm("ln_final", "txt/Encoder_0/encoder_norm"),
      pooling, dense("visual.proj", "img/head"), dense("text_projection", "txt/head"),
      [
        NameRule("visual.conv1.weight", "img/embedding/kernel", .flaxConvolution),
        NameRule("visual.conv1.bias", "img/embedding/bias"),
        NameRule("visual.positional_embedding", "img/pos_embedding", .leadingOnes(1)),
        NameRule("visual.class_embedding", "img/cls", .leadingOnes(2)),
        NameRule("token_embedding.weight", "txt/Embed_0/embedding"),
        NameRule("positional_embedding", "txt/pos_embedding", .leadingOnes(1)),
        NameRule("logit_scale", "t", .leadingOnes(1)), NameRule("logit_bias", "b", .leadingOnes(1)),
      ]),
    refused: [
      RefusedModule(
        prefix: "img/pre_logits/",
        reason: "a tanh layer before the image's projection (rep_size), which nobody else has"),
      RefusedModule(prefix: "txt/MAPHead_0/", reason: "texts pooled by attention, which nobody else does"),
      RefusedModule(prefix: "txt/BertEncoder_0/", reason: "a BERT as text encoder, as LiT has: not known"),
      old("img/Transformer/posembed_input/"), old("img/Transformer/pos_embedding"), old("img/probe"),
      RefusedModule(
        prefix: "txt/Encoder_0/pos_embedding",
        reason: "a second position embedding, which big_vision adds to the first",
        hint: "Add it to txt/pos_embedding"),
    ],
    isWritable: false)

  private static func old(_ prefix: String) -> RefusedModule {
    RefusedModule(
      prefix: prefix, reason: "a name from before 2022, which big_vision renames when it loads",
      hint: "Load and save it with big_vision")
  }

  /// What a file's own shapes tell, since heads stand apart there.
  static func bigVisionShapes(_ checkpoint: Checkpoint) -> ConfigFacts {
    var facts: ConfigFacts = [:]
    for (field, tower) in [(ConfigField.visionHeads, "img/Transformer"), (.textHeads, "txt/Encoder_0")] {
      let shape = checkpoint["\(tower)/encoderblock_0/MultiHeadDotProductAttention_0/query/bias"]?.shape ?? []
      if shape.count == 2, (1...ConfigField.largest).contains(shape[0]) { facts[field] = .integer(shape[0]) }
    }
    // Without a class token and without a pooling head, tokens may be averaged or the first one taken.
    if checkpoint["img/cls"] != nil { facts[.visionPooling] = .text(VisionPooling.classToken.rawValue) }
    return facts
  }

  /// What every vision and text transformer of big_vision does.
  static let bigVisionConventions: ConfigFacts = [
    .visionActivation: .text(Activation.geluTanh.rawValue), .textActivation: .text(Activation.geluTanh.rawValue),
    .visionEpsilon: .number(1e-6), .textEpsilon: .number(1e-6),
  ]

  private static func norm(_ canonical: String, _ file: String) -> [NameRule] {
    [NameRule("\(canonical).weight", "\(file)/scale"), NameRule("\(canonical).bias", "\(file)/bias")]
  }

  private static func dense(_ canonical: String, _ file: String) -> [NameRule] {
    [
      NameRule("\(canonical).weight", "\(file)/kernel", .flaxKernel(outputs: 1)),
      NameRule("\(canonical).bias", "\(file)/bias"),
    ]
  }

  private static func attention(_ canonical: String, _ file: String) -> [NameRule] {
    let parts = ["query", "key", "value"].enumerated().flatMap { index, name in
      [
        NameRule("\(canonical).in_proj_weight", "\(file)/\(name)/kernel", .flaxKernelRows(part: index, of: [1, 1, 1])),
        NameRule("\(canonical).in_proj_bias", "\(file)/\(name)/bias", .flaxBiasRows(part: index, of: [1, 1, 1])),
      ]
    }
    return parts + [
      NameRule("\(canonical).out_proj.weight", "\(file)/out/kernel", .flaxKernel(outputs: 1)),
      NameRule("\(canonical).out_proj.bias", "\(file)/out/bias"),
    ]
  }

  private static func blocks(_ canonical: String, _ file: String) -> [NameRule] {
    let (from, to) = ("\(canonical).resblocks.{}", "\(file)/encoderblock_{}")
    return .table(
      norm("\(from).ln_1", "\(to)/LayerNorm_0"), norm("\(from).ln_2", "\(to)/LayerNorm_1"),
      attention("\(from).attn", "\(to)/MultiHeadDotProductAttention_0"),
      dense("\(from).mlp.c_fc", "\(to)/MlpBlock_0/Dense_0"), dense("\(from).mlp.c_proj", "\(to)/MlpBlock_0/Dense_1"))
  }

  private static let pooling: [NameRule] = {
    let (pool, head) = ("visual.attn_pool", "img/MAPHead_0")
    return .table(
      [NameRule("\(pool).probe", "\(head)/probe")],
      attention("\(pool).attn", "\(head)/MultiHeadDotProductAttention_0"), norm("\(pool).ln", "\(head)/LayerNorm_0"),
      dense("\(pool).mlp.c_fc", "\(head)/MlpBlock_0/Dense_0"),
      dense("\(pool).mlp.c_proj", "\(head)/MlpBlock_0/Dense_1"))
  }()
}
