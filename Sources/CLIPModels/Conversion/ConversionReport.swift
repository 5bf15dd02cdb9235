public import Checkpoints

/// What a conversion did, tensor by tensor.
public struct ConversionReport: Sendable {
  /// What happened to one tensor of the output.
  public struct Tensor: Sendable {
    /// The name in the output.
    public var name: String
    /// The names in the source that it is made of; none where that is metadata.
    public var sources: [String]
    /// The shape in the output.
    public var shape: [Int]
    /// The type in the source.
    public var from: DType
    /// The type in the output.
    public var to: DType
    /// What the cast did; nil in a dry run, and where nothing was cast.
    public var cast: CastTally.Counts?
  }

  /// The source's path.
  public var input: String
  /// The output's path.
  public var output: String
  /// The source's format.
  public var sourceFormat: String
  /// The source's dialect; nil for a checkpoint that is no CLIP.
  public var sourceDialect: String?
  /// The output's format.
  public var format = ""
  /// The output's dialect.
  public var dialect: String?
  /// The tensors of the output.
  public var tensors: [Tensor] = []
  /// Tensors of the source that are not in the output.
  public var dropped: [String] = []
  /// Tensors of the source that are metadata in the output: learned numbers where no tensor holds them.
  public var asMetadata: [String] = []
  /// Tensors of batch norms that were computed into the convolutions before them.
  public var folded: [String] = []
  /// Tensors that no dialect names, kept under their own name.
  public var extras: [String] = []
  /// The bytes of the output, all files together.
  public var bytes = 0
  /// Files beside the output that only the model it replaced had data in, and that went, or would go, with that.
  public var removed: [String] = []
  /// Whether nothing was written.
  public var isDryRun = false
  /// What a user should know.
  public var warnings: [String]
  /// Tensors of the model that are metadata in the source.
  private let restored: Set<String>

  init(input: String, output: String, source: Checkpoint, model: CLIPModel?) {
    self.input = input
    self.output = output
    sourceFormat = source.format
    sourceDialect = model?.dialect.name
    warnings = source.notes + (model?.notes ?? [])
    if let model, model.checkpoint.notes.contains(FoldedNorms.note), !warnings.contains(FoldedNorms.note) {
      warnings.append(FoldedNorms.note)
    }
    restored = model.map { BatchCounters.restored($0, from: source) } ?? []
  }

  /// What is dropped and what is kept unrenamed stands in the report itself.
  mutating func add(_ findings: Findings) {
    let told: Set = ["leftovers", "extra-tensors"]
    warnings += findings.warnings.filter { !told.contains($0.code) }.map(\.message)
  }

  mutating func add(_ plan: ConversionPlan, isDryRun: Bool) {
    self.isDryRun = isDryRun
    dropped = plan.dropped
    asMetadata = plan.asMetadata
    extras = plan.extras
    for item in plan.items {
      let wasCounted = !isDryRun && (item.sourceType.isFloat || item.sourceType != item.tensor.dtype)
      tensors.append(
        Tensor(
          name: item.name, sources: item.sources.filter { !restored.contains($0) }, shape: item.tensor.shape,
          from: item.sourceType, to: item.tensor.dtype, cast: wasCounted ? item.tally.counts : nil))
    }
    for tensor in tensors {
      guard let cast = tensor.cast else { continue }
      if cast.overflows > 0 {
        warnings.append(
          "\(escaped(tensor.name)): \(cast.overflows) values are too large for \(tensor.to) and became infinite")
      }
      if cast.nonFinite > 0 {
        let place = cast.firstNonFinite.map { ", the first at element \($0)" } ?? ""
        warnings.append("\(escaped(tensor.name)): \(cast.nonFinite) values are NaN or infinite in the source\(place)")
      }
    }
  }

  /// The tensor of which a value moved furthest when it was rounded.
  public var worstRounding: Tensor? {
    tensors.filter { ($0.cast?.maxAbsoluteError ?? 0) > 0 }
      .max { ($0.cast?.maxAbsoluteError ?? 0) < ($1.cast?.maxAbsoluteError ?? 0) }
  }

  /// How many tensors have another name than in the source.
  public var renamed: Int { tensors.count { !$0.sources.isEmpty && $0.sources != [$0.name] } }

  /// How many tensors are made of metadata of the source.
  public var fromMetadata: Int { tensors.count { $0.sources.isEmpty } }
}
