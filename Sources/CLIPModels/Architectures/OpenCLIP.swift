// Names of OpenAI's released models and of open_clip's own classes.

extension [NameRule] {
  /// The canonical names of one transformer's blocks, also open_clip's.
  static func openCLIPBlocks(_ canonical: String, _ file: String) -> [NameRule] {
    let (from, to) = ("\(canonical).resblocks.{}", "\(file).resblocks.{}")
    return table(
      ["ln_1", "ln_2", "attn.out_proj", "mlp.c_fc", "mlp.c_proj"].flatMap { module("\(from).\($0)", "\(to).\($0)") },
      ["attn.in_proj_weight", "attn.in_proj_bias", "ls_1.gamma", "ls_2.gamma"].map {
        NameRule("\(from).\($0)", "\(to).\($0)")
      })
  }

  /// The text tower, its names prefixed in open_clip's custom-text class.
  static func openCLIPText(prefix: String) -> [NameRule] {
    let plain = [
      "token_embedding.weight", "positional_embedding", "cls_emb", "text_projection", "text_projection.weight",
      "text_projection.bias",
    ]
    return table(
      openCLIPBlocks("transformer", "\(prefix)transformer"), module("ln_final", "\(prefix)ln_final"),
      plain.map { NameRule($0, "\(prefix)\($0)") })
  }

  /// The vision transformer of OpenAI and open_clip.
  static let openCLIPVisionTransformer: [NameRule] = .table(
    openCLIPBlocks("visual.transformer", "visual.transformer"),
    ["visual.ln_pre", "visual.ln_post"].flatMap { module($0, $0) },
    ["visual.class_embedding", "visual.positional_embedding", "visual.proj", "visual.conv1.weight"].map {
      NameRule($0, $0)
    })

  /// ModifiedResNet: stem, four stages of bottlenecks, attention pooling.
  static let modifiedResNet: [NameRule] = {
    var names = ["visual.attnpool.positional_embedding"]
    func add(_ convolution: String, _ norm: String) {
      names.append("\(convolution).weight")
      names += ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"].map { "\(norm).\($0)" }
    }
    for number in 1...3 { add("visual.conv\(number)", "visual.bn\(number)") }
    for stage in 1...4 {
      let block = "visual.layer\(stage).{}"
      for number in 1...3 { add("\(block).conv\(number)", "\(block).bn\(number)") }
      add("\(block).downsample.0", "\(block).downsample.1")
    }
    for name in ["q_proj", "k_proj", "v_proj", "c_proj"] {
      names += ["visual.attnpool.\(name).weight", "visual.attnpool.\(name).bias"]
    }
    // The vision transformer's table has conv1 already.
    return names.filter { $0 != "visual.conv1.weight" }.map { NameRule($0, $0) }
  }()

  /// The learned temperature and, for sigmoid losses, bias.
  static let scalars = [NameRule("logit_scale", "logit_scale"), NameRule("logit_bias", "logit_bias")]
}

extension Dialect {
  /// OpenAI's names, which open_clip's plain class shares.
  static let openAI = Dialect(
    "openai", .clip,
    rules: .table(.openCLIPText(prefix: ""), .openCLIPVisionTransformer, .modifiedResNet, .scalars),
    dropped: ["input_resolution", "context_length", "vocab_size", "attn_mask"])

  /// open_clip's custom-text class: the text tower under `text.`.
  static let openCLIPCustom = Dialect(
    "open_clip-custom", .clip,
    rules: .table(.openCLIPText(prefix: "text."), .openCLIPVisionTransformer, .modifiedResNet, .scalars),
    dropped: ["text.attn_mask", "text.transformer.embeddings.position_ids"])

  /// open_clip's SigLIP: timm's vision transformer under `visual.trunk.`, the text tower under `text.`.
  static let openCLIPSigLIP = Dialect(
    "open_clip-custom", .siglip, rules: .table(.openCLIPText(prefix: "text."), timmSigLIP, .scalars),
    dropped: ["text.attn_mask"],
    refused: [
      RefusedModule(prefix: "visual.trunk.fc_norm.", reason: "a trunk that normalises after pooling: not known"),
      RefusedModule(prefix: "visual.trunk.reg_token", reason: "a trunk with register tokens: not known"),
      RefusedModule(prefix: "visual.head.mlp.", reason: "a projection of two layers (timm_proj mlp): not known"),
    ])

  private static let timmSigLIP: [NameRule] = {
    let (block, trunk) = ("visual.transformer.resblocks.{}", "visual.trunk.blocks.{}")
    let blocks: [NameRule] = .table(
      .module("\(block).ln_1", "\(trunk).norm1"), .module("\(block).ln_2", "\(trunk).norm2"),
      .module("\(block).attn.out_proj", "\(trunk).attn.proj"), .module("\(block).mlp.c_fc", "\(trunk).mlp.fc1"),
      .module("\(block).mlp.c_proj", "\(trunk).mlp.fc2"),
      ["weight", "bias"].map { NameRule("\(block).attn.in_proj_\($0)", "\(trunk).attn.qkv.\($0)") })
    let (pool, timmPool) = ("visual.attn_pool", "visual.trunk.attn_pool")
    let pooling: [NameRule] = .table(
      [NameRule("\(pool).probe", "\(timmPool).latent")],
      .fused("\(pool).attn.in_proj_", ["\(timmPool).q", "\(timmPool).kv"], sizes: [1, 2]),
      .module("\(pool).attn.out_proj", "\(timmPool).proj"), .module("\(pool).ln", "\(timmPool).norm"),
      .module("\(pool).mlp.c_fc", "\(timmPool).mlp.fc1"), .module("\(pool).mlp.c_proj", "\(timmPool).mlp.fc2"))
    return .table(
      blocks, pooling, .module("visual.conv1", "visual.trunk.patch_embed.proj"),
      .module("visual.ln_post", "visual.trunk.norm"), .module("visual.proj", "visual.head.proj"),
      [
        NameRule("visual.positional_embedding", "visual.trunk.pos_embed", .leadingOnes(1)),
        NameRule("visual.class_embedding", "visual.trunk.cls_token", .leadingOnes(2)),
      ])
  }()
}
