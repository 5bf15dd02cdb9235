import Checkpoints

/// What becomes of each tensor, before any byte of it is read.
struct ConversionPlan {
  /// One tensor of the output.
  struct Item {
    var name: String
    var tensor: Tensor
    /// The names in the source that it is made of.
    var sources: [String]
    /// The type before the cast.
    var sourceType: DType
    /// Counts what the cast did, once the tensor has been written.
    var tally: CastTally
  }

  private(set) var items: [Item] = []
  /// Tensors of the source that are not in the output.
  private(set) var dropped: [String] = []
  /// Tensors of the source that the dialect has no place for and that metadata holds.
  private(set) var asMetadata: [String] = []
  /// Tensors that the dialect does not name and that are kept under their own name.
  private(set) var extras: [String] = []

  /// The source's path, for errors.
  private let path: String?
  private let allowsNonFinite: Bool

  /// A plain copy: every tensor keeps its name.
  init(copying checkpoint: Checkpoint, options: ConversionOptions) throws(FileError) {
    path = checkpoint.files.first?.path
    allowsNonFinite = options.allowNonFinite
    for name in checkpoint.sortedNames {
      guard let tensor = checkpoint[name] else { continue }
      try add(tensor, named: name, from: [name], dtype: DType.target(of: tensor, named: name, wanted: options.dtype))
    }
  }

  /// The tensors of a model in `dialect`.
  init(_ model: CLIPModel, dialect: Dialect, options: ConversionOptions) throws(FileError) {
    path = model.checkpoint.files.first?.path
    allowsNonFinite = options.allowNonFinite
    var mapping = model.mapping
    // transformers' classes of one tower have no temperature.
    let isTowerOfHuggingFace = options.layout == .hf && options.towers != .both
    if !dialect.hasScalars { asMetadata = try mapping.remove { $0.hasPrefix("logit_") } }
    dropped =
      mapping.dropped
      + (try mapping.remove { name in
        !options.towers.keeps(name) || isTowerOfHuggingFace && name.hasPrefix("logit_")
      })
    for name in mapping.canonical.sortedNames {
      let sources = mapping.sources[name] ?? []
      for (fileName, tensor) in try mapping.tensors(of: name, in: dialect) {
        let dtype = dialect.dtype(of: tensor, canonicalName: name, wanted: options.dtype)
        let own =
          sources.count > 1 ? sources.filter { $0.tensor.shape == tensor.shape && $0.name == fileName } : sources
        try add(tensor, named: fileName, from: (own.isEmpty ? sources : own).map(\.name), dtype: dtype)
      }
    }
    guard options.towers == .both else {
      dropped += mapping.extras
      return
    }
    for name in mapping.extras {
      guard let tensor = model.checkpoint[name] else { continue }
      extras.append(name)
      try add(tensor, named: name, from: [name], dtype: DType.target(of: tensor, named: name, wanted: options.dtype))
    }
  }

  private mutating func add(_ tensor: Tensor, named name: String, from sources: [String], dtype: DType)
    throws(FileError)
  {
    let isQuantized = dtype.isBlock && dtype != tensor.dtype
    let refusal = isQuantized && !allowsNonFinite ? refusal(of: sources.count == 1 ? sources[0] : name, dtype) : nil
    let tally = CastTally(nonFiniteError: refusal)
    do throws(FileError) {
      // A float that keeps its type is read through the same tally: it counts what is not finite.
      let cast = tensor.dtype.isFloat || tensor.dtype != dtype ? try tensor.cast(to: dtype, tally: tally) : tensor
      items.append(Item(name: name, tensor: cast, sources: sources, sourceType: tensor.dtype, tally: tally))
    } catch {
      throw error.located(tensor: sources.first ?? name)
    }
  }

  /// One NaN makes 32 values NaN when it is quantized, and an infinity too.
  private func refusal(of tensor: String, _ dtype: DType) -> @Sendable (Int) -> FileError {
    { [path] index in
      FileError(
        .malformed, "element \(index) is NaN or infinite, which would spoil its block of \(dtype)", file: path,
        tensor: tensor, hint: "Use --allow-nonfinite to quantize it nevertheless, or another --dtype")
    }
  }

  /// Leaves out what an output has no place for.
  mutating func keep(_ names: Set<String>) {
    for item in items where !names.contains(item.name) { dropped += item.sources }
    items.removeAll { !names.contains($0.name) }
    extras = []
  }

  /// The output as a checkpoint.
  func checkpoint(metadata: Metadata) throws(FileError) -> Checkpoint {
    var checkpoint = Checkpoint(metadata: metadata)
    for item in items { try checkpoint.add(item.tensor, named: item.name) }
    return checkpoint
  }
}

extension DType {
  /// The type that a tensor is cast to: integers and learned scalars keep theirs, and only matrices whose rows fill
  /// whole blocks become blocks.
  static func target(of tensor: Tensor, named name: String, wanted: DType?) -> DType {
    guard let wanted, tensor.dtype.isFloat || tensor.dtype.isBlock, tensor.count > 1 else { return tensor.dtype }
    guard wanted.isBlock else { return wanted }
    let isMatrix = tensor.shape.count == 2 && tensor.shape[1] % wanted.blockElements == 0
    return isMatrix && !name.contains("positional_embedding") && !name.contains("position_emb")
      ? wanted : (tensor.dtype.isBlock ? .f32 : tensor.dtype)
  }
}

extension Dialect {
  /// ggml's loaders want vectors in f32 and the convolution in f16 whatever the matrices are; everybody else's choice
  /// is the user's.
  func dtype(of tensor: Tensor, canonicalName: String, wanted: DType?) -> DType {
    let isGGML = self == .clipCpp || self == .llamaCpp
    if isGGML, wanted != nil, tensor.dtype.isFloat {
      if tensor.shape.count < 2 { return .f32 }
      if tensor.shape.count == 4 { return .f16 }
    }
    return DType.target(of: tensor, named: canonicalName, wanted: wanted)
  }
}
