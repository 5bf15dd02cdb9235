import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// Configs from side-cars, metadata and options, on the weights of a fixture.
@Suite struct ConfigTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// A model without anything beside it.
  private func bare(_ name: String = "openclip-vit", options: ConfigOptions = ConfigOptions()) throws -> CLIPModel {
    let source = try Checkpoint.open(fixture("checkpoints/\(name)"))
    let writer = try FileWriter(directory.file("bare.safetensors"), policy: FileWriter.Policy(force: true))
    var plain = Checkpoint()
    for tensor in source.names { if let value = source[tensor] { try plain.add(value, named: tensor) } }
    try Safetensors.write(plain, to: writer)
    try writer.commit()
    return try #require(try CLIPModel.open(directory.file("bare.safetensors"), options: options))
  }

  private func write(_ json: String, _ name: String) throws -> String {
    try directory.write(Array(json.utf8), to: name)
  }

  @Test func weightsAloneTellNoActivationAndNoHeads() throws {
    let model = try bare()
    #expect(model.config[.visionActivation] == nil)
    #expect(model.config[.visionHeads] == nil)
    #expect(model.config[.imageMean] == nil)
    let codes = Findings(model).warnings.map(\.code)
    #expect(codes == ["activation-unknown", "heads-unknown", "config-unknown"])
  }

  @Test func optionsSayWhatNothingElseDoes() throws {
    let model = try bare(options: ConfigOptions(conventions: .openai))
    #expect(model.config.text(.visionActivation) == "quick_gelu")
    #expect(model.config.origins[.visionActivation] == .option("--assume openai"))
    #expect(model.config.numbers(.imageMean) == [0.48145466, 0.4578275, 0.40821073])
  }

  /// Hugging Face's classes fill what a config leaves out, with a B/32's numbers; shapes speak before them.
  @Test func huggingFaceDefaultsAndQuirks() throws {
    let config = try write(
      #"{"model_type":"clip","projection_dim":24,"text_config":{"hidden_size":16,"num_hidden_layers":3,"num_attention_heads":2,"intermediate_size":64,"max_position_embeddings":16,"vocab_size":528,"eos_token_id":2},"text_config_dict":{},"vision_config_dict":{"hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,"intermediate_size":128,"image_size":16,"patch_size":4,"hidden_act":"gelu"},"vision_config":{"num_attention_heads":99}}"#,
      "hf.json")
    let model = try bare(options: ConfigOptions(file: config))
    #expect(model.problems.isEmpty)
    #expect(model.config.text(.textActivation) == "quick_gelu")
    #expect(model.config.text(.visionActivation) == "gelu")
    #expect(model.config.integer(.visionHeads) == 4)
    #expect(model.config.text(.textPooling) == "argmax")
    #expect(model.notes.contains { $0.contains("eos_token_id 2") })
    #expect(model.config.origins[.visionHeads] == .file("hf.json"))
  }

  @Test(arguments: [
    (#"{"model_type":"clip","projection_dim":512}"#, "says something else than the shapes"),
    (#"{"embed_dim":24,"vision_cfg":{"width":0,"layers":1000000000,"patch_size":7}}"#, "says something else"),
  ])
  func contradictionsAreProblems(_ json: String, _ why: String) throws {
    let model = try bare(options: ConfigOptions(file: try write(json, "other.json")))
    #expect(!model.problems.isEmpty, "\(why)")
    var options = ConversionOptions()
    options.config = ConfigOptions(file: directory.file("other.json"))
    let error = #expect(throws: FileError.self) {
      try convert(directory.file("bare.safetensors"), to: directory.file("out.gguf"), options: options)
    }
    #expect(error?.kind == .mismatch || error?.kind == .malformed)
  }

  @Test(arguments: [
    (#"{"model_type":"bert"}"#, "not a config of Hugging Face (model_type clip or siglip) or of open_clip"),
    (#"{"a":1,"a":2}"#, "JSON: duplicate key 'a'"), (#"{"embed_dim":Infinity}"#, "JSON: not a number"),
  ])
  func badConfigsAreRefused(_ json: String, _ says: String) throws {
    let path = try write(json, "bad.json")
    let error = #expect(throws: FileError.self) { try bare(options: ConfigOptions(file: path)) }
    #expect(error?.message == says)
    #expect(error?.file == path)
  }

  /// Facts survive in every format's metadata, as exactly as they were stated.
  @Test(arguments: allFormats.map { $0.name }) func metadataKeepsEveryFact(_ format: String) throws {
    let source = try #require(try CLIPModel.open(fixture("checkpoints/hf-clip")))
    var options = ConversionOptions()
    options.format = format
    _ = try convert(fixture("checkpoints/hf-clip"), to: directory.file("out"), options: options)
    let written = try #require(try CLIPModel.open(directory.file("out")))
    #expect(written.config.facts == source.config.facts)
    #expect(written.config.origins[.visionActivation] == .metadata)
    #expect(written.checkpoint.metadata["clipkit.source.name"]?.string == "model.safetensors")
    #expect(written.checkpoint.metadata["tokenizer.ggml.tokens"] != nil)
  }

  /// The one config that a directory's own files contradict in nothing: what transformers wrote.
  @Test func layoutsStateWhatTheySourceStated() throws {
    let pairs: [(String, DirectoryLayout)] = [
      ("openclip-vit", .hf), ("hf-clip", .openCLIP), ("openclip-rn", .openCLIP),
    ]
    for (name, layout) in pairs {
      var options = ConversionOptions()
      options.layout = layout
      let output = directory.file("\(name)-\(layout.rawValue)")
      _ = try convert(fixture("checkpoints/\(name)"), to: output, options: options)
      let source = try #require(try CLIPModel.open(fixture("checkpoints/\(name)")))
      let written = try #require(try CLIPModel.open(output))
      #expect(written.problems.isEmpty)
      for field in [
        ConfigField.visionActivation, .textActivation, .visionHeads, .textHeads, .imageMean, .imageResizeMode,
      ] {
        #expect(written.config[field] == source.config[field], "\(name) \(field)")
      }
    }
  }

  @Test func layoutsNeedTheirFacts() throws {
    _ = try bare()
    var options = ConversionOptions()
    options.layout = .hf
    let error = #expect(throws: FileError.self) {
      try convert(directory.file("bare.safetensors"), to: directory.file("out"), options: options)
    }
    #expect(error?.message == "config.json needs text.heads, which nothing states")
    // No convention has a number of heads.
    #expect(error?.hint == "Use --config FILE")
    #expect(FileIdentity(path: directory.file("out")) == nil)
  }
}
