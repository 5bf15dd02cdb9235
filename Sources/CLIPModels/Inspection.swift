public import Checkpoints

/// What a file is: format, tensors, and for a CLIP its config, towers and findings. Read from the header alone, unless
/// statistics are asked for.
public struct Inspection: Sendable {
  /// A group of tensors.
  public struct Group: Sendable, Equatable {
    /// What they have in common: a type, a tower.
    public var name: String
    /// How many tensors there are.
    public var tensors = 0
    /// How many numbers they hold.
    public var elements = 0
    /// How many bytes they take.
    public var bytes = 0
  }

  /// One tensor.
  public struct Entry: Sendable {
    /// The name in the file.
    public var name: String
    /// The tensor.
    public var tensor: Tensor
    /// The canonical name of what it is, or is a part of.
    public var canonicalName: String?
    /// Statistics of its values, when they were asked for.
    public var statistics: TensorStatistics?
  }

  /// The checkpoint.
  public let checkpoint: Checkpoint
  /// The model, when it is a CLIP.
  public let model: CLIPModel?
  /// The tensors, in the order of their names' bytes.
  public private(set) var entries: [Entry]
  /// The tensors by type, the largest group first.
  public let types: [Group]
  /// The tensors by tower; empty for a checkpoint that is no CLIP.
  public let towers: [Group]
  /// The graphs of ONNX files, in order.
  public let graphs: [GraphSummary]
  /// What encoding costs; nil for a checkpoint that is no CLIP.
  public let cost: EncodingCost?
  /// What a user should look at.
  public private(set) var warnings: [Findings.Finding]

  /// The bytes of all files.
  public var fileBytes: Int { checkpoint.files.reduce(0) { $0 + $1.count } }

  /// How many numbers a training would learn: running statistics, counters and buffers do not count.
  public var parameters: Int {
    guard let model else { return entries.reduce(0) { $0 + $1.tensor.count } }
    let buffers = ["running_mean", "running_var", "num_batches_tracked"]
    return model.tensors.names.reduce(0) { sum, name in
      buffers.contains { name.hasSuffix($0) } ? sum : sum + (model.tensors[name]?.count ?? 0)
    }
  }

  /// Inspects a checkpoint.
  public init(_ opened: Checkpoint, options: ConfigOptions = ConfigOptions()) throws(FileError) {
    model = try CLIPModel(opened, options: options)
    let checkpoint = model?.checkpoint ?? opened
    self.checkpoint = checkpoint
    let dialect = model?.dialect
    entries = checkpoint.sortedNames.compactMap { name in
      checkpoint[name].map { Entry(name: name, tensor: $0, canonicalName: dialect?.canonical(name)?.name) }
    }
    types = Self.group(entries) { $0.tensor.dtype.rawValue }.sorted { $0.bytes > $1.bytes }
    towers = model == nil ? [] : Self.group(entries) { Self.tower($0.canonicalName) }
    cost = model.map(EncodingCost.init)
    graphs = try GraphSummary.summaries(of: checkpoint)
    let unreadable = checkpoint.unreadable.map { Findings.Finding(code: "unreadable-tensor", message: $0.description) }
    warnings = unreadable + (model.map { Findings($0).warnings } ?? [])
  }

  /// Reads every tensor and adds statistics, and a warning for each that holds NaN or infinities or nothing but zeros.
  public mutating func addStatistics(threads: Int? = nil, onProgress: (@Sendable (Int, Int) -> Void)? = nil)
    throws(FileError)
  {
    let entries = entries
    let total = checkpoint.byteCount
    let statistics = try parallelMap(over: entries.map(\.tensor.bytes), threads: threads) {
      (index) throws(FileError) -> TensorStatistics in
      do throws(FileError) {
        let statistics = try TensorStatistics(entries[index].tensor)
        onProgress?(entries[index].tensor.bytes.count, total)
        return statistics
      } catch {
        throw error.located(tensor: entries[index].name)
      }
    }
    for (index, value) in statistics.enumerated() {
      self.entries[index].statistics = value
      let name = escaped(entries[index].name)
      let nonFinite = value.nanCount + value.positiveInfinities + value.negativeInfinities
      if nonFinite > 0 {
        warnings.append(.init(code: "non-finite", message: "\(name): \(nonFinite) values are NaN or infinite"))
      } else if value.zeros == value.count, value.count > 1, entries[index].tensor.dtype.isFloat,
        !name.hasSuffix("bias"), !name.hasSuffix("running_mean")
      {
        warnings.append(.init(code: "all-zero", message: "\(name): every value is zero"))
      }
    }
  }

  private static func tower(_ canonicalName: String?) -> String {
    guard let canonicalName else { return "other" }
    if canonicalName.hasPrefix("visual.") { return "image encoder" }
    return canonicalName.hasPrefix("logit_") ? "shared" : "text encoder"
  }

  private static func group(_ entries: [Entry], by key: (Entry) -> String) -> [Group] {
    var groups: [Group] = []
    for entry in entries {
      let name = key(entry)
      let index = groups.firstIndex { $0.name == name } ?? groups.count
      if index == groups.count { groups.append(Group(name: name)) }
      groups[index].tensors += 1
      groups[index].elements += entry.tensor.count
      groups[index].bytes += entry.tensor.bytes.count
    }
    return groups
  }
}
