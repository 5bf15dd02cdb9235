import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// Which facts about images a model's files state, and which are refused.
@Suite struct PreprocessingConfigTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func model(_ name: String, preprocessor json: String? = nil) throws -> CLIPModel {
    let source = fixture("checkpoints/\(name)")
    for entry in try OutputDirectory.entries(of: source) {
      try directory.write(Bytes(InputFile("\(source)/\(entry)")).load(), to: entry)
    }
    if let json { try directory.write(Array(json.utf8), to: "preprocessor_config.json") }
    return try #require(try CLIPModel.open(directory.path))
  }

  @Test(arguments: [
    ("hf-clip", PreprocessingDialect.huggingFace), ("hf-siglip", .huggingFace), ("openclip-vit", .openCLIP),
    ("openai-vit.pt", .openAI), ("openclip-siglip", .openCLIP),
  ])
  func dialectFollowsFromTheConfig(_ name: String, _ dialect: PreprocessingDialect) throws {
    let model = try #require(try CLIPModel.open(fixture("checkpoints/\(name)")))
    let preprocessor = try Preprocessor(model)
    #expect(preprocessor.dialect == dialect)
    #expect(preprocessor.size == model.config.integer(.visionImageSize))
    #expect(try Preprocessor(model, dialect: .openAI).dialect == .openAI)
  }

  @Test func missingFactsAreAskedFor() throws {
    let model = try #require(try CLIPModel.open(fixture("checkpoints/openclip-vit-mixed-f16.safetensors")))
    #expect {
      try Preprocessor(model)
    } throws: { error in
      let error = error as? FileError
      return error?.message == "preprocessing of images needs image.mean, which nothing states"
        && error?.hint?.contains("--assume") == true
    }
  }

  private static let normal = #""image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5],"resample":2"#

  @Test func sizesOfResizeAndCropAreKept() throws {
    let json = #"{"size":{"shortest_edge":20},"crop_size":{"height":16,"width":16},\#(Self.normal)}"#
    let model = try model("hf-clip", preprocessor: json)
    #expect(model.problems.isEmpty)
    #expect(model.config.integer(.imageResizeSize) == 20)
    #expect(model.config.text(.imageInterpolation) == "bilinear")
    for format in ["gguf", "safetensors"] {
      let path = directory.file("converted.\(format)")
      _ = try convert(directory.path, to: path)
      let converted = try #require(try CLIPModel.open(path))
      #expect(converted.config.integer(.imageResizeSize) == 20)
      #expect(try Preprocessor(converted).dialect == .huggingFace)
    }
    var options = ConversionOptions()
    options.layout = .hf
    _ = try convert(directory.path, to: directory.file("layout"), options: options)
    let again = try #require(try CLIPModel.open(directory.file("layout")))
    #expect(again.config.integer(.imageResizeSize) == 20)
    options.layout = .openCLIP
    #expect {
      _ = try convert(directory.path, to: directory.file("other"), options: options)
    } throws: {
      ($0 as? FileError)?.message == "open_clip cannot resize to 20 pixels before the crop"
    }
  }

  @Test(arguments: [
    (#"{"size":{"shortest_edge":16},"crop_size":16,"do_resize":false,NORMAL}"#, "do_resize is false"),
    (#"{"size":{"shortest_edge":16},"do_center_crop":false,NORMAL}"#, "do_center_crop is false"),
    (#"{"size":16,"crop_size":16,"do_rescale":false,NORMAL}"#, "do_rescale is false"),
    (#"{"size":16,"crop_size":16,"rescale_factor":0.0078125,NORMAL}"#, "rescale_factor is 0.0078125"),
    (#"{"size":{"shortest_edge":16,"longest_edge":32},"crop_size":16,NORMAL}"#, "size has a longest_edge"),
    (#"{"size":{"height":16,"width":24},NORMAL}"#, "size is 16 × 24"),
  ])
  func whatIsNotDoneIsRefused(_ json: String, _ statement: String) throws {
    let json = json.split(separator: "NORMAL").joined(separator: Self.normal)
    let model = try model("hf-clip", preprocessor: json)
    #expect(model.notes.contains { $0.contains(statement) })
    #expect {
      try Preprocessor(model)
    } throws: {
      ($0 as? FileError)?.message == "preprocessing of images where \(statement) is not done"
    }
  }

  @Test func otherFiltersAreRefusedByName() throws {
    let json = #"{"size":16,"crop_size":16,"image_mean":[0,0,0],"image_std":[1,1,1],"resample":1}"#
    let model = try model("hf-clip", preprocessor: json)
    #expect {
      try Preprocessor(model)
    } throws: {
      ($0 as? FileError)?.message
        == "preprocessing of images with image.interpolation 'lanczos', allowed nearest, box, bilinear, bicubic"
    }
  }

  /// A crop that is not the model's input contradicts its tensors.
  @Test func cropsOfAnotherSizeAreProblems() throws {
    let json = #"{"size":{"shortest_edge":32},"crop_size":{"height":32,"width":32},\#(Self.normal)}"#
    let problem = try model("hf-clip", preprocessor: json).problems.first
    #expect(problem?.message == "vision.image_size is 32, but 16 by tensor shapes")
  }

  /// What open_clip's preprocess_cfg leaves out is as its class has it.
  @Test func openCLIPDefaultsHold() throws {
    let source = try JSONValue(contentsOf: fixture("checkpoints/openclip-vit/open_clip_config.json"))
    let architecture = try #require(source["model_cfg"]).text(pretty: false)
    let json = #"{"model_cfg":\#(architecture),"preprocess_cfg":{"mean":0.25,"resize_mode":"longest","fill_color":7}}"#
    _ = try model("openclip-vit")
    try directory.write(Array(json.utf8), to: "open_clip_config.json")
    let model = try #require(try CLIPModel.open(directory.path))
    #expect(model.config.numbers(.imageMean) == [0.25, 0.25, 0.25])
    #expect(model.config.numbers(.imageStd) == [0.26862954, 0.26130258, 0.27577711])
    #expect(model.config.text(.imageInterpolation) == "bicubic")
    #expect(model.config.text(.imageResizeMode) == "longest")
    #expect(model.config.integer(.imageFillColor) == 7)
  }
}
