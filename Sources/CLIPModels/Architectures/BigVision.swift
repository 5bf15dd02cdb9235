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
    isWritable: false)

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
