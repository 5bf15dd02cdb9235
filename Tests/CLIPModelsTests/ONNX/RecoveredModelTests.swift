import Checkpoints
import TestSupport
import Testing

@testable import CLIPModels

/// What is recovered of foreign graphs as a model: its config, and that it computes what the graph does.
@Suite struct RecoveredModelTests {
  /// The configs of tools/make_fixtures_onnx.py.
  private static let openCLIP: ConfigFacts = [
    .visionHeads: .integer(2), .visionActivation: .text("gelu"), .visionEpsilon: .number(1e-5),
    .textHeads: .integer(2), .textActivation: .text("gelu"), .textEpsilon: .number(1e-5), .textPooling: .text("argmax"),
  ]
  private static let huggingFace: ConfigFacts = [
    .visionHeads: .integer(2), .visionActivation: .text("quick_gelu"), .visionEpsilon: .number(1e-5),
    .textHeads: .integer(2), .textActivation: .text("quick_gelu"), .textEpsilon: .number(1e-5),
    .textPooling: .text("eos"), .textEndID: .integer(31),
  ]
  private static let siglip: ConfigFacts = [
    .visionHeads: .integer(2), .visionActivation: .text("gelu_tanh"), .visionEpsilon: .number(1e-6),
    .textHeads: .integer(2), .textActivation: .text("gelu_tanh"), .textEpsilon: .number(1e-6),
    .textPooling: .text("last"),
  ]
  private static let models: [(String, ConfigFacts)] = [
    ("openclip-vit.torchscript", openCLIP), ("openclip-vit.dynamo", openCLIP),
    ("openclip-vit.visual.torchscript", openCLIP), ("openclip-vit.visual.dynamo", openCLIP),
    ("openclip-rn.visual.torchscript", [.visionHeads: .integer(2)]),
    ("openclip-rn.visual.dynamo", [.visionHeads: .integer(2)]),
    ("hf-clip.torchscript", huggingFace), ("hf-clip.dynamo", huggingFace),
    ("hf-clip.text.torchscript", huggingFace), ("hf-clip.text.dynamo", huggingFace),
    ("hf-clip.vision.torchscript", huggingFace), ("hf-clip.vision.dynamo", huggingFace),
    ("openclip-siglip.torchscript", siglip), ("openclip-siglip.dynamo", siglip),
    ("hf-siglip.torchscript", siglip), ("hf-siglip.dynamo", siglip),
  ]

  @Test(arguments: models) func nodesTellTheConfig(_ name: String, _ facts: ConfigFacts) throws {
    // Whatever is assumed, the graph knows better.
    let options = ConfigOptions(conventions: name.contains("siglip") ? .siglip : .openai)
    let config = try #require(try CLIPModel.open(fixture("onnx/\(name).onnx"), options: options)).config
    for (field, value) in facts where field.isAboutText ? config.hasText : config.hasVision {
      #expect(config[field] == value, "\(name): \(field.rawValue)")
      #expect(config.origins[field] == .graph, "\(name): \(field.rawValue)")
    }
  }

  @Test(arguments: [
    "hf-clip.text.int8", "hf-clip.vision.int8", "hf-clip.vision.qdq", "hf-clip.vision.f16",
    "openclip-vit.int8-channels",
  ])
  func nodesOfOtherPrecisionsTellTheSame(_ name: String) throws {
    let config = try #require(try CLIPModel.open(fixture("onnx/\(name).onnx"))).config
    for (field, value) in name.hasPrefix("hf") ? Self.huggingFace : Self.openCLIP
    where field.isAboutText ? config.hasText : config.hasVision {
      #expect(config[field] == value, "\(name): \(field.rawValue)")
    }
  }

  /// A text encoder of transformers, its graph changed by `change`.
  private func changed(_ folder: TemporaryDirectory, _ change: (inout ONNXModel) throws -> Void) throws -> CLIPModel {
    var model = try ONNX.readModel(InputFile(fixture("onnx/hf-clip.text.torchscript.onnx")))
    try change(&model)
    let path = folder.file("changed.onnx")
    let writer = try FileWriter(path, policy: FileWriter.Policy(force: true))
    try ONNX.write(model, to: writer)
    try writer.commit()
    return try #require(try CLIPModel.open(path))
  }

  /// Times one changes no embedding, but hides what the largest is taken of.
  @Test func graphsAreEncodedWhoseConfigIsUnknown() throws {
    let folder = try TemporaryDirectory()
    let model = try changed(folder) { model in
      let index = try #require(model.graph.nodes.firstIndex { $0.kind == "ArgMax" })
      let one = try Tensor(dtype: .i32, shape: [], bytes: Bytes([1, 0, 0, 0]))
      let input = model.graph.nodes[index].inputs[0]
      model.graph.nodes[index].inputs = ["hidden"]
      model.graph.nodes.insert(ONNXNode("Mul", inputs: [input, "one"], outputs: ["hidden"]), at: index)
      model.graph.initializers.append((name: "one", tensor: one))
    }
    #expect(model.config[.textPooling] == nil)
    let original = try #require(try CLIPModel.open(fixture("onnx/hf-clip.text.torchscript.onnx")))
    let texts = [TokenSequence(ids: [30, 5, 9, 31, 0, 0, 0, 0], count: 4, isTruncated: false)]
    let rows = try [model, original].map { try Encoder($0, threads: 1).encode(texts: texts) }
    #expect(rows[0] == rows[1] && rows[0].count == 12)
  }

  /// A program that took the metadata out of a graph of clipkit's left its nodes.
  @Test func ownGraphsWithoutMetadataAreReadByTheirNodes() throws {
    let model = try changed(TemporaryDirectory()) { model in
      model.producer = "clipkit"
      model.metadata = []
    }
    let original = try #require(try CLIPModel.open(fixture("onnx/hf-clip.text.torchscript.onnx")))
    #expect(model.config[.textActivation] == original.config[.textActivation])
    #expect(model.config[.textActivation] != nil && model.config[.textHeads] == original.config[.textHeads])
  }

  /// No config holds two values of one fact: it stays open, and the file says why.
  @Test func nodesThatDisagreeTellNothing() throws {
    let folder = try TemporaryDirectory()
    let model = try changed(folder) { model in
      let index = try #require(model.graph.nodes.firstIndex { $0.kind == "LayerNormalization" })
      model.graph.nodes[index].attributes["epsilon"] = .float(0.5)
    }
    #expect(model.config[.textEpsilon] == nil)
    #expect(model.notes.contains("text.layer_norm_eps is 0.5 and 1e-05 in the graph, which no config says"))
    #expect(model.unsupportedEncoding.contains { $0.text == "text.layer_norm_eps is 0.5 and 1e-05 in the graph" })
  }

  /// The recovered model, in a format without a graph, beside what ONNX Runtime computes of the graph.
  @Test func computesWhatTheGraphDoes() throws {
    let folder = try TemporaryDirectory()
    let script =
      "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/tools/onnx_runtime_outputs.py"
    let folded = folder.file("own-folded.onnx")
    var options = ConversionOptions()
    options.onnx.foldsNorms = true
    options.towers = .image
    _ = try CLIPModels.convert(fixture("checkpoints/openclip-rn"), to: folded, options: options)
    let models = Self.models.map { ($0.0, fixture("onnx/\($0.0).onnx")) } + [("own-folded", folded)]
    _ = try Python.run(
      Python.light, "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')",
      [script, folder.path] + models.map(\.1))
    for (name, source) in models {
      let path = folder.file("\(name).recovered.safetensors")
      _ = try CLIPModels.convert(source, to: path, options: ConversionOptions())
      let encoder = try Encoder(#require(try CLIPModel.open(path)), threads: 2)
      let data = try Checkpoint.open(folder.file("\(name).safetensors"))
      let outputs = try data.names.filter { $0.hasPrefix("output.") }.compactMap { data[$0] }
        .filter { $0.shape == [2, encoder.embedDim] }
        .map { Self.units(try $0.cast(to: .f64).numbers(), encoder.embedDim) }
      var compared = 0
      for input in data.names where input.hasPrefix("input.") {
        let tensor = try #require(data[input])
        let rows: [Float]
        if tensor.shape.count == 4 {
          rows = try encoder.encode(pixelValues: tensor.cast(to: .f64).numbers().map { Float($0) })
        } else if !input.contains("mask"), input != "input.input_2" {
          rows = try encoder.encode(texts: Self.sequences(tensor))
        } else {
          continue
        }
        let errors = outputs.map { output in zip(rows, output).map { abs(Double($0) - $1) }.max() ?? 1 }
        #expect((errors.min() ?? 1) < 1e-5, "\(name): \(input) differs by \(errors)")
        compared += 1
      }
      try #require(compared > 0, "\(name): no input is compared")
    }
  }

  private static func units(_ rows: [Double], _ columns: Int) -> [Double] {
    stride(from: 0, to: rows.count, by: columns).flatMap { first in
      let row = rows[first..<(first + columns)]
      let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return row.map { $0 / length }
    }
  }

  private static func sequences(_ tensor: Tensor) throws -> [TokenSequence] {
    let ids = try tensor.bytes.load().withUnsafeBytes { bytes in
      (0..<tensor.count).map { Int32(bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self)) }
    }
    return stride(from: 0, to: ids.count, by: tensor.shape[1]).map { first in
      TokenSequence(ids: Array(ids[first..<(first + tensor.shape[1])]), count: tensor.shape[1], isTruncated: false)
    }
  }
}
