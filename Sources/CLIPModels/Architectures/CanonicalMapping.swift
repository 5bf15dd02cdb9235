import Checkpoints

/// A checkpoint's tensors under canonical names, and what did not map.
struct CanonicalMapping: Sendable {
  /// One tensor of the file that makes up a canonical tensor or a part of it.
  struct Source: Sendable {
    let name: String
    let tensor: Tensor
    let form: TensorForm
  }

  /// The tensors by canonical name, in canonical layout.
  private(set) var canonical = Checkpoint()
  /// The file's tensors behind each canonical one, in the order of the parts.
  private(set) var sources: [String: [Source]] = [:]
  /// Tensors that carry nothing a model needs.
  private(set) var dropped: [String] = []
  /// Tensors that the dialect does not name.
  private(set) var extras: [String] = []
  /// Tensors that do not fit together.
  private(set) var problems: [FileError] = []

  init(_ checkpoint: Checkpoint, dialect: Dialect) throws(FileError) {
    var found: [String: [Source]] = [:]
    var order: [String] = []
    for name in checkpoint.sortedNames {
      guard let tensor = checkpoint[name] else { continue }
      if let (canonicalName, rule) = dialect.canonical(name) {
        if found[canonicalName] == nil { order.append(canonicalName) }
        found[canonicalName, default: []].append(Source(name: name, tensor: tensor, form: rule.form))
      } else if dialect.isDropped(name) {
        dropped.append(name)
      } else {
        extras.append(name)
      }
    }
    for module in dialect.refused {
      guard let name = extras.first(where: { $0.hasPrefix(module.prefix) }) else { continue }
      problems.append(FileError(.unsupported, module.reason, tensor: name, hint: module.hint))
    }
    for name in order {
      let parts = found[name]?.sorted { ($0.form.part?.index ?? 0) < ($1.form.part?.index ?? 0) } ?? []
      do throws(FileError) {
        try add(parts, named: name)
      } catch {
        problems.append(error.located(tensor: parts.first?.name ?? name))
      }
    }
  }

  private mutating func add(_ parts: [Source], named name: String) throws(FileError) {
    guard let first = parts.first else { return }
    var tensor: Tensor
    if let expected = first.form.part?.sizes.count {
      guard parts.count == expected else {
        throw FileError(
          .missing, "\(parts.count) of the \(expected) parts of '\(name)' are there", tensor: first.name)
      }
      var pieces: [Tensor] = []
      for part in parts { pieces.append(try part.form.canonical(part.tensor)) }
      tensor = try Tensor(concatenating: pieces)
    } else {
      tensor = try first.form.canonical(first.tensor)
    }
    // A learned number is a scalar, whether the file says [] or [1].
    if ["logit_scale", "logit_bias"].contains(name), tensor.count == 1 { tensor = try tensor.reshaped([]) }
    try canonical.add(tensor, named: name)
    sources[name] = parts
  }

  /// Adds a learned scalar that the file holds as metadata, because its dialect has no tensor for it.
  mutating func addScalar(_ name: String, _ value: Double, dtype: DType) throws(FileError) {
    let bytes = withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
    try canonical.add(Tensor(dtype: .f64, shape: [], bytes: Bytes(bytes)).cast(to: dtype), named: name)
  }

  /// Removes tensors by canonical name; the names in the file of what went.
  mutating func remove(where isRemoved: (String) -> Bool) throws(FileError) -> [String] {
    var kept = Checkpoint()
    var removed: [String] = []
    for name in canonical.names {
      guard let tensor = canonical[name] else { continue }
      if isRemoved(name) {
        removed += sources.removeValue(forKey: name)?.map(\.name) ?? []
      } else {
        try kept.add(tensor, named: name)
      }
    }
    canonical = kept
    return removed
  }

  /// The tensors of one canonical tensor in another dialect. Where both dialects hold it in the same form, the file's
  /// own tensors are passed on untouched.
  func tensors(of name: String, in dialect: Dialect) throws(FileError) -> [(name: String, tensor: Tensor)] {
    guard let tensor = canonical[name] else { return [] }
    let targets = dialect.fileNames(name)
    guard !targets.isEmpty else {
      let others = Dialect.all.filter { $0.family == dialect.family && $0.isWritable && !$0.fileNames(name).isEmpty }
      let names = others.map(\.name).joined(separator: ", ")
      throw FileError(
        .unsupported, "dialect \(dialect.name) has no name for this tensor", tensor: name,
        hint: others.isEmpty ? nil : "Dialects that have one: \(names)")
    }
    if let expected = targets[0].rule.form.part?.sizes.count, targets.count != expected {
      throw FileError(.unsupported, "dialect \(dialect.name) does not name all parts", tensor: name)
    }
    let own = sources[name] ?? []
    var result: [(name: String, tensor: Tensor)] = []
    for (fileName, rule) in targets {
      if let source = own.first(where: { $0.form == rule.form && rule.form != .same }), !isScalar(rule.form) {
        result.append((fileName, source.tensor))
      } else {
        do throws(FileError) {
          result.append((fileName, try rule.form.file(tensor)))
        } catch {
          throw error.located(tensor: name)
        }
      }
    }
    return result
  }

  /// Leading ones vary between files of one dialect; the table's are written.
  private func isScalar(_ form: TensorForm) -> Bool { if case .leadingOnes = form { true } else { false } }
}
