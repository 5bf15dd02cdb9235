import Checkpoints

/// Which ONNX files a layout has, and what lies beside them.
struct ONNXLayout {
  /// One file.
  struct File {
    /// Its path in the directory; empty for the output itself.
    var name = ""
    var towers: TowerSelection
    var normalizes: Bool
    var names = GraphNames.huggingFace
    /// Whether ids are of 32 bits.
    var takesShortIDs = false
  }

  private(set) var files: [File] = []
  /// Whether the output is a directory.
  let isDirectory: Bool
  private let model: CLIPModel
  private let config: ModelConfig
  private let dialect: Dialect
  private let layout: DirectoryLayout
  private let dtype: DType

  init(_ model: CLIPModel, dialect: Dialect, options: ConversionOptions) throws(FileError) {
    self.model = model
    self.dialect = dialect
    config = model.config.without(vision: options.towers == .text, text: options.towers == .image)
    layout = options.layout ?? .flat
    dtype = options.dtype == .f16 ? .f16 : .f32
    isDirectory = layout != .flat
    let (hasText, hasImage) = (config.hasText, config.hasVision)
    let whole: TowerSelection = hasText && hasImage ? .both : hasText ? .text : .image
    func normalizes(_ towers: TowerSelection, _ usual: Bool) -> Bool { options.onnx.normalizes ?? usual }
    switch layout {
    case .hf:
      throw FileError(.usage, "--layout hf has no ONNX files", hint: "Use --layout optimum or transformers.js")
    case .flat, .optimum:
      var usual = whole == .both
      // A graph of ours that is copied gives what it gave.
      if layout == .flat, model.checkpoint.format == ONNX.name,
        let said = model.checkpoint.metadata["clipkit.onnx.normalized"]?.string
      {
        usual = said == "true"
      }
      files = [File(name: isDirectory ? "model.onnx" : "", towers: whole, normalizes: normalizes(whole, usual))]
    case .transformersJS:
      let suffix = options.dtype == .f16 ? "_fp16" : ""
      if whole == .both {
        files.append(File(name: "onnx/model\(suffix).onnx", towers: .both, normalizes: normalizes(.both, true)))
      }
      for (tower, stem) in towers(["text_model", "vision_model"]) {
        var file = File(name: "onnx/\(stem)\(suffix).onnx", towers: tower, normalizes: normalizes(tower, false))
        // transformers' SigLIP calls what its towers end with so.
        if config.family == .siglip { (file.names.text, file.names.image) = ("pooler_output", "pooler_output") }
        files.append(file)
      }
    case .immich, .openCLIP:
      let isImmich = layout == .immich
      for (tower, stem) in towers(isImmich ? ["textual/model", "visual/model"] : ["textual", "visual"]) {
        files.append(
          File(
            name: "\(stem).onnx", towers: tower, normalizes: normalizes(tower, isImmich), names: .openCLIP,
            takesShortIDs: isImmich))
      }
    }
  }

  private func towers(_ names: [String]) -> [(TowerSelection, String)] {
    (config.hasText ? [(.text, names[0])] : []) + (config.hasVision ? [(.image, names[1])] : [])
  }

  /// The files beside the graphs that the layout's consumers read.
  /// - Parameter external: The graphs whose tensors' data lies beside them.
  /// - Throws: `unsupported` when the consumers have no such model, or need a fact that nothing states.
  func sideCars(external: [String]) throws(FileError) -> SideCars {
    do throws(FileError) {
      return try contents(external: external)
    } catch {
      var error = error
      // The remedies of other formats are none for ONNX.
      if let hint = error.hint, hint.contains("--layout") || hint.contains("--dialect") {
        error.hint = "Use --layout flat, which has nothing beside the graph"
      }
      throw error
    }
  }

  private func contents(external: [String]) throws(FileError) -> SideCars {
    var files = SideCars()
    switch layout {
    case .hf, .flat: break
    case .transformersJS, .optimum:
      let projections = ["visual.proj", "visual.proj.weight", "text_projection", "text_projection.weight"]
      let huggingFace = try HuggingFaceLayout(
        config, hasProjection: projections.contains { model.tensors[$0] != nil })
      var json = try huggingFace.config(dtype: dtype).object ?? JSONObject()
      if layout == .transformersJS, !external.isEmpty {
        // In a browser no file can be looked for.
        var places = JSONObject()
        for name in external { places[name] = true }
        json["transformers.js_config"] = ["use_external_data_format": .object(places)]
      }
      files.add("config.json", .object(json))
      if config.hasVision { files.add("preprocessor_config.json", try huggingFace.preprocessor()) }
      if config.hasText { try files.addFastTokenizer(model, config) }
    case .immich:
      // One config for both, whichever is written.
      let openCLIP = try OpenCLIPLayout(model.config, model: model, dialect: dialect)
      files.add("config.json", try openCLIP.json()["model_cfg"] ?? .null)
      if config.hasVision { files.add("visual/preprocess_cfg.json", try openCLIP.imagePreparation()) }
      if config.hasText {
        var tokenizer = SideCars()
        try tokenizer.addFastTokenizer(model, config)
        files.add(tokenizer.within("textual"))
      }
    case .openCLIP:
      files.add("open_clip_config.json", try OpenCLIPLayout(model.config, model: model, dialect: dialect).json())
      if config.hasText { try files.addFastTokenizer(model, config) }
    }
    return files
  }

  /// What a user should know of them.
  func notes(_ sideCars: SideCars) -> [String] {
    guard isDirectory else { return [] }
    var notes: [String] = []
    let isTransformers = layout == .transformersJS || layout == .optimum
    if isTransformers, model.tensors.names.contains(where: { $0.hasSuffix(".ls_1.gamma") }) {
      notes.append("the graphs have the model's layer scale, of which transformers' config.json has no word")
    }
    // open_clip finds SentencePiece's by the name in its config.
    let isRead = config.hasText && (layout != .openCLIP || config.family == .clip)
    if isRead, !sideCars.files.contains(where: { lastComponent(of: $0.name) == "tokenizer.json" }) {
      notes.append("no tokenizer.json lies beside the source: \(layout.rawValue) cannot read texts without one")
    }
    return notes
  }
}
