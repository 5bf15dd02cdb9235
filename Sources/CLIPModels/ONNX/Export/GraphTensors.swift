import Checkpoints

/// The tensors that a graph may take: those of a conversion, under their names in the output.
///
/// What has been taken is remembered, so that the report can say what was left.
final class GraphTensors {
  /// A tensor of the output that a canonical tensor is, or a part of it.
  struct Part: Sendable {
    let name: String
    let form: TensorForm
    /// Which rows of the canonical tensor it has; nil: all.
    let rows: Range<Int>?
  }

  private let dialect: Dialect
  private var items: [String: Tensor]
  private(set) var taken: Set<String> = []
  /// Those that what was put holds.
  private(set) var folded: Set<String> = []

  init(_ plan: ConversionPlan, dialect: Dialect) {
    self.dialect = dialect
    items = Dictionary(plan.items.map { ($0.name, $0.tensor) }) { first, _ in first }
  }

  /// The tensor of that name in the output.
  func take(_ name: String) throws(FileError) -> Tensor {
    guard let tensor = items[name] else { throw FileError(.mismatch, "not in the checkpoint", tensor: name) }
    taken.insert(name)
    return tensor
  }

  /// Puts a tensor that is computed from the checkpoint's, of which `parts` are gone, under a name of the output.
  func put(_ name: String, _ tensor: Tensor, folding parts: [String] = []) {
    items[name] = tensor
    taken.insert(name)
    folded.formUnion(parts)
  }

  /// The parts that hold `rows` of a canonical tensor, in their order.
  func parts(of name: String, rows: Range<Int>?) throws(FileError) -> [Part] {
    let files = dialect.fileNames(name)
    guard let first = files.first else {
      throw FileError(.unsupported, "dialect \(dialect.name) has no name for this tensor", tensor: name)
    }
    guard first.rule.form.part != nil else { return [Part(name: first.name, form: first.rule.form, rows: nil)] }
    var parts: [Part] = []
    var start = 0
    for (name, rule) in files {
      guard let tensor = items[name], let count = tensor.shape.first else {
        throw FileError(.mismatch, "not in the checkpoint", tensor: name)
      }
      let own = start..<start + count
      start += count
      if rows?.overlaps(own) ?? true { parts.append(Part(name: name, form: rule.form, rows: own)) }
    }
    return parts
  }
}

extension String {
  /// A tensor's module: `visual.ln_post` of `visual.ln_post.weight`.
  var tensorModule: String {
    guard let dot = lastIndex(of: ".") else { return self }
    return String(self[..<dot])
  }

  /// The attention that a projection belongs to.
  var attentionModule: String { hasSuffix("attn") || hasSuffix("attention") ? self : tensorModule }
}

extension Tensor {
  /// Numbers in memory.
  init(_ values: [Float], shape: [Int]) throws(FileError) {
    let bytes = values.withUnsafeBufferPointer { Array(UnsafeRawBufferPointer($0)) }
    try self.init(dtype: .f32, shape: shape, bytes: Bytes(bytes))
  }
}
