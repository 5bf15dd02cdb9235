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

  init(_ model: CLIPModel, dialect: Dialect, options: ConversionOptions) throws(FileError) {
    self.model = model
    self.dialect = dialect
    config = model.config.without(vision: options.towers == .text, text: options.towers == .image)
    layout = options.layout ?? .flat
    isDirectory = layout != .flat
    let (hasText, hasImage) = (config.hasText, config.hasVision)
    let whole: TowerSelection = hasText && hasImage ? .both : hasText ? .text : .image
    func normalizes(_ towers: TowerSelection, _ usual: Bool) -> Bool { options.onnx.normalizes ?? usual }
    switch layout {
    case .hf:
      throw FileError(.usage, "--layout hf has no ONNX files", hint: "Use --layout optimum or transformers.js")
    case .flat, .optimum:
      files = [
        File(name: isDirectory ? "model.onnx" : "", towers: whole, normalizes: normalizes(whole, whole == .both))
      ]
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
  func sideCars() throws(FileError) -> SideCars { SideCars() }
}
