import Checkpoints

/// Where a model's config may be found, besides its tensors.
public struct ConfigOptions: Sendable {
  /// A config file: Hugging Face's `config.json` or open_clip's.
  public var file: String?
  /// Whose conventions hold for what nothing else states.
  public var conventions: Conventions?

  /// By default only what lies beside and inside the checkpoint.
  public init(file: String? = nil, conventions: Conventions? = nil) {
    self.file = file
    self.conventions = conventions
  }
}

/// Collects the facts about a model from every source, the strongest first.
struct ConfigResolver {
  private(set) var config: ModelConfig
  /// Sources that contradict a stronger one.
  private(set) var conflicts: [FileError] = []
  /// What a user should know.
  private(set) var notes: [String] = []
  /// What a config asks of the preprocessing of images that is not done.
  private(set) var unsupportedPreprocessing: [String] = []
  /// What a config asks of an encoder that is not computed.
  private(set) var unsupportedEncoding: [ConfigLimits.Statement] = []
  /// The config files that were read.
  private(set) var files: [FileIdentity] = []
  /// Of what a graph's nodes do in several ways no source knows one.
  private var contradicted: Set<ConfigField> = []
  private let dialect: Dialect

  /// Begins with what the tensors tell, in canonical form and as the file has them.
  init(canonical: Checkpoint, checkpoint: Checkpoint, dialect: Dialect) {
    self.dialect = dialect
    config = ModelConfig(family: dialect.family)
    config.add(ShapeFacts(canonical, family: dialect.family).facts, from: .shapes)
    if dialect == .bigVision { config.add(Dialect.bigVisionShapes(checkpoint), from: .shapes) }
  }

  private mutating func add(_ facts: ConfigFacts, from origin: ConfigOrigin, path: String? = nil) {
    let facts = bounded(facts, path: path).filter { !contradicted.contains($0.key) }
    for field in config.add(facts, from: origin) {
      guard let found = facts[field], let known = config[field], let by = config.origins[field] else { continue }
      let message = "\(field.rawValue) is \(found), but \(known) by \(by)"
      if by == .shapes { conflicts.append(FileError(.mismatch, message, file: path)) }
      // Whose preparation it is follows from whose config lies there, and says nothing against what the file states.
      if by == .metadata, field == .textTokenizer || field == .imagePreprocessing { continue }
      notes.append("\(origin): \(message)")
    }
  }

  /// The facts whose numbers are allowed.
  private mutating func bounded(_ facts: ConfigFacts, path: String? = nil) -> ConfigFacts {
    var facts = facts
    for (field, value) in facts {
      guard case .integer(let number) = value, !(0...ConfigField.largest).contains(number) else { continue }
      let message = "\(field.rawValue) is \(number), allowed 0 to \(ConfigField.largest)"
      conflicts.append(FileError(.malformed, message, file: path))
      facts[field] = nil
    }
    return facts
  }

  /// Adds what the nodes of a graph compute: of what the shapes leave open, nothing knows it better.
  mutating func addGraph(_ graph: GraphFacts) {
    let resolved = graph.resolved { attentionWidth($0) }
    fill(bounded(resolved.facts), from: .graph)
    for contradiction in resolved.contradictions where config.applies(contradiction.field) {
      guard config[contradiction.field] == nil else { continue }
      contradicted.insert(contradiction.field)
      unsupportedEncoding.append(contradiction.statement)
      notes.append("\(contradiction.statement.text), which no config says")
    }
  }

  /// Adds what a user gave, what lies inside and beside the checkpoint, what is known, and at last conventions.
  mutating func resolve(
    checkpoint: Checkpoint, directory: String, isOpenAIRelease: Bool, options: ConfigOptions
  ) throws(FileError) {
    if let file = options.file {
      try addFile(file, isRequired: true)
      // The given config's own, or else the model's.
      let paths = [CLIPModels.directory(of: file), directory].flatMap { directory in
        ["preprocessor_config.json", "visual/preprocess_cfg.json"].map { "\(directory)/\($0)" }
      }
      if let path = paths.first(where: { FileIdentity(path: $0) != nil }) { try addFile(path, isRequired: false) }
    }
    add(MetadataConfig.facts(checkpoint.metadata), from: .metadata)
    if options.file == nil {
      for name in configNames {
        let path = "\(directory)/\(name)"
        if FileIdentity(path: path) != nil { try addFile(path, isRequired: false) }
      }
    }
    if isOpenAIRelease {
      let release = ConfigOrigin.known("OpenAI's release")
      add(Conventions.openai.facts, from: release)
      fill(headsOf64(), from: release)
    }
    if let conventions = options.conventions {
      add(conventions.facts, from: .option("--assume \(conventions.rawValue)"))
    }
    if dialect == .bigVision { fill(Dialect.bigVisionConventions, from: .known("every model of big_vision")) }
    addKnownHeads()
    addConventions()
  }

  private mutating func addFile(_ path: String, isRequired: Bool) throws(FileError) {
    let json = try JSONValue(contentsOf: path)
    if let identity = FileIdentity(path: path) { files.append(identity) }
    let origin = ConfigOrigin.file(lastComponent(of: path))
    unsupportedEncoding += ConfigLimits.encoding(json)
    unsupportedPreprocessing += ConfigLimits.preprocessing(json)
    for statement in ConfigLimits.notCarried(json) {
      notes.append("\(origin): \(statement), which clipkit does not carry over: outputs will not say so")
    }
    if lastComponent(of: path) == "preprocess_cfg.json" {
      add(OpenCLIPConfig.preparation(json), from: origin, path: path)
    } else if let facts = HuggingFaceConfig.facts(json) {
      noteEndOfText(json)
      add(facts, from: origin, path: path)
    } else if let facts = OpenCLIPConfig.facts(json) {
      // A timm tower's config has no numbers for the vision transformer; the shapes have them.
      add(facts, from: origin, path: path)
    } else {
      let facts = HuggingFaceConfig.preprocessingFacts(json)
      guard !facts.isEmpty || !isRequired else {
        throw FileError(
          .malformed, "not a config of Hugging Face (model_type clip or siglip) or of open_clip", file: path)
      }
      add(facts, from: origin, path: path)
    }
  }

  private mutating func noteEndOfText(_ json: JSONValue) {
    // What clipkit writes for a vocabulary that is not CLIP's, and means.
    let isMeant = config.origins[.textPooling] == .metadata && config.text(.textPooling) == TextPooling.argmax.rawValue
    if !isMeant, (json["text_config"] ?? json)["eos_token_id"]?.integer == 2 {
      notes.append(
        "config.json says eos_token_id 2, as old files wrongly do: transformers pools at the largest id instead")
    }
  }

  private mutating func addKnownHeads() {
    guard let model = KnownModel.matching(config) else { return }
    fill([.visionHeads: .integer(model.heads)], from: .known(model.name))
  }

  /// What every implementation of the family does; stated as assumed, so that nobody takes it for a fact of the file.
  private mutating func addConventions() {
    fill(headsOf64(), from: .assumed("heads are 64 wide"))
    let epsilon = ConfigValue.number(config.family == .clip ? 1e-5 : 1e-6)
    let always = ConfigOrigin.assumed("every \(config.family.title) has it")
    fill([.visionEpsilon: epsilon, .textEpsilon: epsilon], from: always)
    if config.family == .siglip { fill([.textPooling: .text(TextPooling.last.rawValue)], from: always) }
  }

  /// Heads of 64, as all of OpenAI's models and most others have.
  private func headsOf64() -> ConfigFacts {
    var facts: ConfigFacts = [:]
    for heads in [ConfigField.visionHeads, .textHeads] {
      if let total = attentionWidth(heads), total >= 64, total % 64 == 0 { facts[heads] = .integer(total / 64) }
    }
    return facts
  }

  /// How wide the attention is whose heads a field counts.
  private func attentionWidth(_ heads: ConfigField) -> Int? {
    guard heads == .visionHeads else { return config.integer(.textWidth) }
    // A ResNet's heads are those of its pooling, which is 32 times as wide as the first stage.
    return config.integer(.visionWidth).map { config.isResNet ? $0 &* 32 : $0 }
  }

  /// Adds what is not known, without a word about what is known otherwise.
  private mutating func fill(_ facts: ConfigFacts, from origin: ConfigOrigin) {
    config.add(facts.filter { config[$0.key] == nil && !contradicted.contains($0.key) }, from: origin)
  }
}
