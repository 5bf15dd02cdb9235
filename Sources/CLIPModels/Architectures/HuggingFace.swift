// Names of the models of Hugging Face's transformers library.

extension [NameRule] {
  /// The blocks of one encoder: projections apart, `fc1` and `fc2`.
  fileprivate static func huggingFaceBlocks(_ canonical: String, _ file: String) -> [NameRule] {
    let (block, layer) = ("\(canonical).resblocks.{}", "\(file).encoder.layers.{}")
    return table(
      module("\(block).ln_1", "\(layer).layer_norm1"), module("\(block).ln_2", "\(layer).layer_norm2"),
      module("\(block).attn.out_proj", "\(layer).self_attn.out_proj"),
      module("\(block).mlp.c_fc", "\(layer).mlp.fc1"), module("\(block).mlp.c_proj", "\(layer).mlp.fc2"),
      fused("\(block).attn.in_proj_", ["q", "k", "v"].map { "\(layer).self_attn.\($0)_proj" }, sizes: [1, 1, 1]))
  }

  fileprivate static func huggingFaceTowers() -> [NameRule] {
    table(
      huggingFaceBlocks("visual.transformer", "vision_model"), huggingFaceBlocks("transformer", "text_model"),
      module("visual.ln_post", "vision_model.post_layernorm"), module("ln_final", "text_model.final_layer_norm"),
      [
        NameRule("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"),
        NameRule("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
        NameRule("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
        NameRule("positional_embedding", "text_model.embeddings.position_embedding.weight"),
      ])
  }
}

extension Dialect {
  private static let droppedByHuggingFace = [
    "text_model.embeddings.position_ids", "vision_model.embeddings.position_ids",
  ]

  /// `CLIPModel`, and its towers alone.
  static let huggingFaceCLIP = Dialect(
    "hf", .clip,
    rules: .table(
      .huggingFaceTowers(), .module("visual.ln_pre", "vision_model.pre_layrnorm"), .scalars,
      [
        NameRule("visual.class_embedding", "vision_model.embeddings.class_embedding"),
        NameRule("visual.proj", "visual_projection.weight", .transposed),
        NameRule("text_projection", "text_projection.weight", .transposed),
      ]),
    dropped: droppedByHuggingFace)

  /// `SiglipModel`, which SigLIP 2 of fixed resolution shares.
  static let huggingFaceSigLIP = Dialect(
    "hf", .siglip,
    rules: .table(
      .huggingFaceTowers(), siglipHead, .module("text_projection", "text_model.head"),
      [
        NameRule("visual.conv1.bias", "vision_model.embeddings.patch_embedding.bias"),
        NameRule("logit_scale", "logit_scale", .leadingOnes(1)),
        NameRule("logit_bias", "logit_bias", .leadingOnes(1)),
      ]),
    dropped: droppedByHuggingFace)

  private static let siglipHead: [NameRule] = {
    let (pool, head) = ("visual.attn_pool", "vision_model.head")
    return .table(
      [NameRule("\(pool).probe", "\(head).probe")],
      ["in_proj_weight", "in_proj_bias"].map { NameRule("\(pool).attn.\($0)", "\(head).attention.\($0)") },
      .module("\(pool).attn.out_proj", "\(head).attention.out_proj"), .module("\(pool).ln", "\(head).layernorm"),
      .module("\(pool).mlp.c_fc", "\(head).mlp.fc1"), .module("\(pool).mlp.c_proj", "\(head).mlp.fc2"))
  }()
}
