import Checkpoints

/// What is wrong or doubtful about a model, from its header and config alone.
public struct Findings: Sendable {
  /// One finding.
  public struct Finding: Sendable, Equatable {
    /// A stable word for programs: `activation-unknown`.
    public var code: String
    /// One line for people.
    public var message: String
  }

  /// What a user should look at.
  public private(set) var warnings: [Finding] = []

  /// Looks at a model.
  public init(_ model: CLIPModel) {
    addUnknownFacts(model.config)
    addFileType(model)
    if model.notes.contains(where: { $0.contains("eos_token_id 2") }) {
      add("eos-token-2", "config.json says eos_token_id 2, as old files wrongly do")
    }
    if model.dialect == .clipCpp {
      add("ffn-swapped", "ffn_down is the first linear layer and ffn_up the second, as clip.cpp writes them")
    }
    if model.config.hasVision, model.config.hasText, model.tensors["logit_scale"] == nil {
      let value = model.checkpoint.metadata["clipkit.logit_scale"]?.number
      if value == nil {
        add("logit-scale-missing", "no logit_scale: probabilities need one (most models learned ln 100)")
      }
    }
    if !model.mapping.dropped.isEmpty {
      add("leftovers", "buffers that no model needs: \(list(model.mapping.dropped))")
    }
    if !model.mapping.extras.isEmpty {
      add("extra-tensors", "tensors that dialect \(model.dialect.name) does not name: \(list(model.mapping.extras))")
    }
    for problem in model.problems.prefix(20) { add("inconsistent", problem.description) }
    if model.problems.count > 20 { add("inconsistent", "and \(model.problems.count - 20) more of this kind") }
  }

  private mutating func add(_ code: String, _ message: String) {
    warnings.append(Finding(code: code, message: message))
  }

  private func list(_ names: [String]) -> String {
    let shown = names.prefix(3).map { escaped($0) }.joined(separator: ", ")
    return names.count > 3 ? "\(shown) and \(names.count - 3) more" : shown
  }

  private mutating func addUnknownFacts(_ config: ModelConfig) {
    let unknown = Set(config.unknown)
    if !unknown.isDisjoint(with: [.visionActivation, .textActivation]) {
      add(
        "activation-unknown", "nothing states the activation: quick_gelu (OpenAI) or gelu (LAION)? They are not alike")
    }
    if !unknown.isDisjoint(with: [.visionHeads, .textHeads]) {
      add("heads-unknown", "nothing states the number of attention heads")
    }
    for field in [ConfigField.visionHeads, .textHeads] {
      if case .assumed(let why) = config.origins[field], let value = config[field] {
        add("heads-assumed", "\(field.rawValue) \(value) is assumed: \(why)")
      }
    }
    let rest = config.unknown.filter { ![.visionActivation, .textActivation, .visionHeads, .textHeads].contains($0) }
    if !rest.isEmpty {
      add("config-unknown", "nothing states \(rest.map(\.rawValue).joined(separator: ", "))")
    }
  }

  /// clip.cpp writes ggml's tensor type where llama.cpp's readers expect another numbering.
  private mutating func addFileType(_ model: CLIPModel) {
    guard let stated = model.checkpoint.metadata["general.file_type"]?.integer else { return }
    let main = FileType.main(of: model.checkpoint.names.compactMap { model.checkpoint[$0] })
    if let main, FileType.dtype(stated) != main {
      let meaning = FileType.dtype(stated).map { "\($0)" } ?? "nothing known"
      add("file-type-wrong", "general.file_type \(stated) means \(meaning), most tensors are \(main)")
    }
  }
}
