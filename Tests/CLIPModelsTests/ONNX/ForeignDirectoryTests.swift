import Checkpoints
import TestSupport
import Testing

@testable import CLIPModels

/// Directories with a graph for each encoder.
@Suite struct ForeignDirectoryTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// A directory of immich's with the files that are there replaced.
  private func immich(_ files: [(name: String, bytes: [UInt8])]) throws -> String {
    var options = ConversionOptions()
    (options.layout, options.provenance) = (.immich, true)
    let path = directory.file("immich")
    _ = try convert(fixture("checkpoints/openclip-vit"), to: path, options: options)
    for (name, bytes) in files { try directory.write(bytes, to: "immich/\(name)") }
    return path
  }

  private func graph(_ name: String) throws -> [UInt8] { try Bytes(InputFile(fixture("onnx/\(name).onnx"))).load() }

  /// As immich's exporter leaves them: open_clip's `get_model_config` above the graphs, its `get_model_preprocess_cfg`
  /// beside that of pictures. The texts are open_clip 3.3's own.
  @Test func configsOfImmichAreRead() throws {
    let config = """
      {"embed_dim": 12, "text_cfg": {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 2, "layers": 1}, \
      "vision_cfg": {"image_size": 8, "layers": 1, "width": 16, "head_width": 8, "patch_size": 4, "mlp_ratio": 2}}
      """
    let preparation = """
      {"size": [8, 8], "mode": "RGB", "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], \
      "interpolation": "bilinear", "resize_mode": "squash", "fill_color": 0}
      """
    let path = try immich([
      ("config.json", Array(config.utf8)), ("visual/preprocess_cfg.json", Array(preparation.utf8)),
      ("visual/model.onnx", graph("openclip-vit.torchscript")),
      ("textual/model.onnx", graph("openclip-vit.torchscript")),
    ])
    for source in [path, "\(path)/visual/model.onnx"] {
      let model = try #require(try CLIPModel.open(source))
      let expected: ConfigFacts = [
        .imageMean: .numbers([0.5, 0.5, 0.5]), .imageStd: .numbers([0.25, 0.25, 0.25]),
        .imageInterpolation: .text("bilinear"), .imageResizeMode: .text("squash"),
        .imagePreprocessing: .text("open_clip"),
      ]
      for (field, value) in expected {
        #expect(model.config[field] == value)
        #expect(model.config.origins[field] == .file("preprocess_cfg.json"))
      }
      #expect(model.problems.isEmpty && model.config.integer(.visionImageSize) == 8)
      guard source == path else { continue }
      #expect(model.config.integer(.textContextLength) == 8)
      #expect(model.config[.textTokenizer] == .text("open_clip"))
      #expect(model.config.origins[.textTokenizer] == .file("config.json"))
    }
  }

  private func refusal(_ path: String) throws -> FileError {
    let error = #expect(throws: FileError.self) { _ = try CLIPModel.open(path) }
    return try #require(error)
  }

  /// Our exports of one encoder say which model it is of.
  @Test func encodersOfTwoModelsAreRefused() throws {
    var options = ConversionOptions()
    (options.layout, options.towers, options.provenance) = (.immich, .text, true)
    let other = directory.file("other")
    _ = try convert(fixture("checkpoints/openclip-layer-scale"), to: other, options: options)
    let path = try immich([("textual/model.onnx", Bytes(InputFile("\(other)/textual/model.onnx")).load())])
    let error = try refusal(path)
    #expect(error.kind == .mismatch && error.message.hasPrefix("clipkit.model.sha256 is "), "\(error)")
    #expect(error.file == "\(path)/visual/model.onnx")
  }

  /// Exports of other programs are compared by what both files hold.
  @Test func foreignEncodersOfTwoModelsAreRefused() throws {
    let path = try immich([
      ("visual/model.onnx", graph("hf-clip.torchscript")), ("textual/model.onnx", graph("hf-siglip.torchscript")),
    ])
    let error = try refusal(path)
    #expect(error.kind == .mismatch && error.message == "the other encoder's file has another tensor of this name")
  }
}
