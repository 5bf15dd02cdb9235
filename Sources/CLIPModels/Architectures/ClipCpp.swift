import Checkpoints

// Names of GGUF files for clip.cpp and llama.cpp.

extension Dialect {
  /// clip.cpp: `ffn_down` is the first linear layer and `ffn_up` the second, the other way round than their names say.
  static let clipCpp = Dialect(
    "clip.cpp", .clip, rules: ggmlNames(first: "ffn_down", second: "ffn_up"), hasScalars: false,
    accepts: { ffnDownIsFirst($0) != false })

  /// llama.cpp: the same names, `ffn_up` the first.
  static let llamaCpp = Dialect(
    "llama.cpp", .clip, rules: .table(ggmlNames(first: "ffn_up", second: "ffn_down"), .scalars),
    accepts: { ffnDownIsFirst($0) != true })

  private static func ggmlNames(first: String, second: String) -> [NameRule] {
    func blocks(_ canonical: String, _ file: String) -> [NameRule] {
      let (from, to) = ("\(canonical).resblocks.{}", "\(file).blk.{}")
      return .table(
        .module("\(from).ln_1", "\(to).ln1"), .module("\(from).ln_2", "\(to).ln2"),
        .module("\(from).attn.out_proj", "\(to).attn_out"), .module("\(from).mlp.c_fc", "\(to).\(first)"),
        .module("\(from).mlp.c_proj", "\(to).\(second)"),
        .fused("\(from).attn.in_proj_", ["q", "k", "v"].map { "\(to).attn_\($0)" }, sizes: [1, 1, 1]))
    }
    return .table(
      blocks("visual.transformer", "v"), blocks("transformer", "t"), .module("visual.ln_pre", "v.pre_ln"),
      .module("visual.ln_post", "v.post_ln"), .module("ln_final", "t.post_ln"),
      [
        NameRule("visual.class_embedding", "v.class_embd"),
        NameRule("visual.conv1.weight", "v.patch_embd.weight"),
        NameRule("visual.positional_embedding", "v.position_embd.weight"),
        NameRule("token_embedding.weight", "t.token_embd.weight"),
        NameRule("positional_embedding", "t.position_embd.weight"),
        NameRule("visual.proj", "visual_projection.weight", .transposed),
        NameRule("text_projection", "text_projection.weight", .transposed),
      ])
  }

  /// Whether `ffn_down` widens, as the first layer does; nil when the file does not tell. Rows are outputs.
  private static func ffnDownIsFirst(_ checkpoint: Checkpoint) -> Bool? {
    for tower in ["v", "t"] {
      let shape = checkpoint["\(tower).blk.0.ffn_down.weight"]?.shape ?? []
      if shape.count == 2, shape[0] != shape[1] { return shape[0] > shape[1] }
    }
    return nil
  }
}

/// What the loader of clip.cpp refuses, found by running it (clip_cpp 0.5.0).
enum ClipCppLoader {
  /// The numbers of tensors that it knows: 12 or 24 or 32 layers, one tower or both.
  private static let tensorCounts: Set = [197, 200, 389, 392, 397, 520, 589, 909]

  /// Why it would not load the output; empty when it will.
  static func objections(to plan: ConversionPlan) -> [String] {
    var objections: [String] = []
    if !tensorCounts.contains(plan.items.count) {
      objections.append(
        "clip.cpp loads towers of 12, 24 or 32 layers only, known by the number of tensors: not \(plan.items.count)")
    }
    let isFit = plan.items.allSatisfy { item in
      switch item.tensor.shape.count {
      case 4: item.tensor.dtype == .f16
      case 2: item.tensor.dtype.isBlock || item.tensor.dtype == .f16 || item.tensor.dtype == .f32
      default: item.tensor.dtype == .f32
      }
    }
    if !isFit {
      objections.append(
        "clip.cpp reads vectors in f32, the convolution in f16 and matrices in f32, f16 or blocks: use --dtype f16")
    }
    return objections
  }
}
