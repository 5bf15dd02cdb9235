public import Checkpoints

/// A naming of the tensors of one family of models: a table between file names and canonical names.
///
/// Canonical names are those of OpenAI and open_clip's native class; for what that class has not (SigLIP's pooling
/// head, linear text projection) the same style. See `formats/dialects.md`.
public struct Dialect: Sendable {
  /// The name on the command line; two families may share it.
  public let name: String
  /// What the table names.
  public let family: ModelFamily
  /// Tensors that carry nothing a model needs: buffers that every library makes anew.
  let dropped: [NameTemplate]
  /// Modules that change what a model computes and that no canonical name stands for.
  let refused: [RefusedModule]
  /// Whether checkpoints can be written in it.
  public let isWritable: Bool
  /// Whether the tensors agree with the table beyond their names; tells clip.cpp's order from llama.cpp's.
  let accepts: @Sendable (Checkpoint) -> Bool
  /// Whether the learned scalars are tensors. clip.cpp knows a model by the number of its tensors, and has none for
  /// them: there they are metadata.
  let hasScalars: Bool
  package let rules: [NameRule]
  private let byFileShape: [String: [NameRule]]
  private let byCanonicalShape: [String: [NameRule]]

  init(
    _ name: String, _ family: ModelFamily, rules: [NameRule], dropped: [String] = [],
    refused: [RefusedModule] = [], isWritable: Bool = true, hasScalars: Bool = true,
    accepts: @escaping @Sendable (Checkpoint) -> Bool = { _ in true }
  ) {
    self.name = name
    self.family = family
    self.rules = rules
    self.dropped = dropped.map(NameTemplate.init)
    self.refused = refused
    self.isWritable = isWritable
    self.hasScalars = hasScalars
    self.accepts = accepts
    byFileShape = Dictionary(grouping: rules, by: \.file.shape)
    byCanonicalShape = Dictionary(grouping: rules, by: \.canonical.shape)
  }

  /// The canonical name and form of a file's tensor.
  package func canonical(_ fileName: String) -> (name: String, rule: NameRule)? {
    for rule in byFileShape[NameTemplate.shape(of: fileName)] ?? [] {
      if let numbers = rule.file.match(fileName) { return (rule.canonical.name(numbers), rule) }
    }
    return nil
  }

  /// The file's names for a canonical tensor, one for each part.
  package func fileNames(_ canonicalName: String) -> [(name: String, rule: NameRule)] {
    (byCanonicalShape[NameTemplate.shape(of: canonicalName)] ?? []).compactMap { rule in
      rule.canonical.match(canonicalName).map { (rule.file.name($0), rule) }
    }
  }

  func isDropped(_ fileName: String) -> Bool { dropped.contains { $0.match(fileName) != nil } }
}

/// A module by the beginning of its tensors' names.
struct RefusedModule: Sendable {
  let prefix: String
  /// What it is, and who has it.
  let reason: String
  var hint: String?
}

extension Dialect: Equatable {
  /// Names are unique within a family.
  public static func == (a: Dialect, b: Dialect) -> Bool { a.name == b.name && a.family == b.family }

  /// Whether it is that of open_clip's custom-text class, for either family.
  var isCustomText: Bool { self == .openCLIPCustom || self == .openCLIPSigLIP }

  /// Whether it is one of ggml's, which ONNX files are not written in.
  var isGGML: Bool { self == .clipCpp || self == .llamaCpp }

  /// The library's directory that holds tensors in it.
  var layout: DirectoryLayout? {
    switch self {
    case .huggingFaceCLIP, .huggingFaceSigLIP: .hf
    case .openAI, .openCLIPCustom, .openCLIPSigLIP: .openCLIP
    default: nil
    }
  }
}

extension Dialect {
  /// Every dialect. Where two tables match a file equally well, the first is taken.
  public static let all: [Dialect] = [
    openAI, openCLIPCustom, openCLIPSigLIP, huggingFaceCLIP, huggingFaceSigLIP, clipCpp, llamaCpp, bigVision,
  ]

  /// The names that a checkpoint can be written in.
  public static let writableNames: [String] = all.filter(\.isWritable).map(\.name).uniqued() + ["open_clip"]

  /// The dialect of that name for a family; `open_clip` is what open_clip itself would write.
  public static func named(_ name: String, for family: ModelFamily) throws(FileError) -> Dialect {
    var wanted = name
    if name == "open_clip" { wanted = family == .clip ? openAI.name : openCLIPSigLIP.name }
    guard let dialect = all.first(where: { $0.name == wanted && $0.family == family && $0.isWritable }) else {
      throw FileError(
        .usage, "\(family.title) has no dialect '\(name)'",
        hint: "Dialects: \(all.filter { $0.family == family && $0.isWritable }.map(\.name).joined(separator: ", "))")
    }
    return dialect
  }

  /// The dialect whose table names most of the tensors, or nil when none names a third of them. Of two that name as
  /// many, that of the family which the metadata states, or which has a bias beside its text projection.
  static func recognise(_ checkpoint: Checkpoint) -> Dialect? {
    var best: (dialect: Dialect, count: Int)?
    let hasBias = checkpoint.names.contains { $0.hasSuffix("text_projection.bias") }
    let family = checkpoint.metadata["clipkit.family"]?.string.flatMap(ModelFamily.init) ?? (hasBias ? .siglip : .clip)
    for dialect in all.filter({ $0.family == family }) + all.filter({ $0.family != family }) {
      let count = checkpoint.names.count { dialect.canonical($0) != nil }
      guard count > (best?.count ?? 0), dialect.accepts(checkpoint) else { continue }
      best = (dialect, count)
    }
    guard let best, best.count >= 4, best.count * 3 >= checkpoint.names.count else { return nil }
    return best.dialect
  }
}

extension Sequence where Element: Hashable {
  fileprivate func uniqued() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
