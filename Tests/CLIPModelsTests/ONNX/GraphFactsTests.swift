import Checkpoints
import TestSupport
import Testing

@testable import CLIPModels

/// What nodes tell of a config, where they were changed: the expected values are those of the operators' specification
/// and of the fixtures' models (tools/make_fixtures_onnx.py).
@Suite struct GraphFactsTests {
  private let folder: TemporaryDirectory
  init() throws { folder = try TemporaryDirectory() }

  /// The path of an export, its graph changed by `change`.
  private func changed(_ name: String, _ change: (inout ONNXGraph) throws -> Void) throws -> String {
    var model = try ONNX.readModel(InputFile(fixture("onnx/\(name).onnx")))
    try change(&model.graph)
    let path = folder.file("\(name).onnx")
    let writer = try FileWriter(path, policy: FileWriter.Policy(force: true))
    try ONNX.write(model, to: writer)
    try writer.commit()
    return path
  }

  private func open(
    _ name: String, options: ConfigOptions = ConfigOptions(), _ change: (inout ONNXGraph) throws -> Void
  ) throws -> CLIPModel {
    try #require(try CLIPModel.open(changed(name, change), options: options))
  }

  private func scalar(_ value: Int64) throws -> Tensor {
    try Tensor(dtype: .i64, shape: [], bytes: Bytes(withUnsafeBytes(of: value.littleEndian, Array.init)))
  }

  private func scalar(_ value: Float, _ dtype: DType = .f32) throws -> Tensor {
    try Tensor([value], shape: []).cast(to: dtype)
  }

  /// Every layer norm's ε.
  private func setEpsilon(_ graph: inout ONNXGraph, _ value: Float, first: Bool = false) {
    for index in graph.nodes.indices where graph.nodes[index].kind == "LayerNormalization" {
      graph.nodes[index].attributes["epsilon"] = .float(value)
      if first { return }
    }
  }

  /// A node that takes the pictures and whose output nobody takes.
  private func add(_ kind: String, to graph: inout ONNXGraph, _ attributes: [String: ONNXAttribute] = [:]) {
    graph.nodes.append(
      ONNXNode(
        kind, domain: "com.microsoft", inputs: [graph.inputs[0].name], outputs: ["added"], attributes: attributes))
  }

  // MARK: Agreement

  @Test(arguments: [(Float(-1), "-1.0"), (0, "0.0"), (.infinity, "inf"), (.nan, "nan")])
  func epsilonsThatAreNoneStayOpen(_ epsilon: Float, _ text: String) throws {
    let model = try open("hf-clip.vision.torchscript") { setEpsilon(&$0, epsilon) }
    #expect(model.config[.visionEpsilon] == nil)
    #expect(model.notes.contains("vision.layer_norm_eps is \(text) in the graph, which no config says"))
  }

  /// Neither what is assumed nor what is asked for fills a fact that the nodes contradict.
  @Test func nothingFillsWhatNodesContradict() throws {
    let options = ConfigOptions(file: fixture("checkpoints/hf-clip/config.json"))
    let model = try open("hf-clip.vision.torchscript", options: options) { setEpsilon(&$0, 0.5, first: true) }
    #expect(model.config[.visionEpsilon] == nil)
  }

  /// A tensor file cannot say that one block's ε is another, and embeddings of it would be wrong without a word.
  @Test(arguments: ["safetensors", "gguf", "pt", "npz", "onnx"])
  func whatNodesContradictIsNotConverted(_ format: String) throws {
    let source = try changed("hf-clip.vision.torchscript") { setEpsilon(&$0, 0.5, first: true) }
    let error = #expect(throws: FileError.self) { try convert(source, to: folder.file("out.\(format)")) }
    #expect(error?.kind == .unsupported)
    #expect(error?.message == "vision.layer_norm_eps is 0.5 and 1e-05 in the graph, which no output could say")
  }

  /// The graph itself needs no config: its embeddings are those of ONNX Runtime.
  @Test func whatNodesContradictIsEvaluated() throws {
    let source = try changed("hf-clip.vision.torchscript") { setEpsilon(&$0, 0.5, first: true) }
    let script =
      "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/tools/onnx_runtime_outputs.py"
    let outputs = try TemporaryDirectory()
    _ = try Python.run(
      Python.light, "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')",
      [script, outputs.path, source])
    let data = try Checkpoint.open(outputs.file("hf-clip.vision.torchscript.safetensors"))
    let input = try #require(data.names.first { $0.hasPrefix("input.") }.flatMap { data[$0] })
    let output = try #require(data.names.first { $0.hasPrefix("output.") }.flatMap { data[$0] })
    let encoder = try Encoder(#require(try CLIPModel.open(source)), threads: 1)
    let rows = try encoder.encode(
      pixelValues: input.cast(to: .f64).numbers().map { Float($0) }, normalize: false)
    let wanted = try output.cast(to: .f64).numbers()
    #expect(output.shape == [2, encoder.embedDim] && rows.count == wanted.count)
    for (row, number) in zip(rows, wanted) { #expect(abs(Double(row) - number) < 1e-5) }
  }

  @Test func manyValuesAreNotAllListed() throws {
    let model = try open("hf-clip.vision.torchscript") { graph in
      for index in 0..<3_000 {
        graph.nodes.append(
          ONNXNode(
            "LayerNormalization", inputs: [graph.inputs[0].name], outputs: ["added\(index)"],
            attributes: ["epsilon": .float(Float(index + 1) / 4)]))
      }
    }
    #expect(model.unsupportedEncoding.first { $0.isOfGraph }?.text.hasSuffix(" and 2997 more in the graph") == true)
  }

  /// Of two files of one model, too, neither is taken for the one that is right.
  @Test func filesThatDisagreeTellNothing() throws {
    var model = try ONNX.readModel(InputFile(fixture("onnx/hf-clip.vision.torchscript.onnx")))
    var facts = try GraphFacts(GraphConstants(model.graph))
    #expect(facts.resolved { _ in 32 }.facts[.visionEpsilon] == .number(1e-5))
    setEpsilon(&model.graph, 1e-6)
    facts.merge(try GraphFacts(GraphConstants(model.graph)))
    let resolved = facts.resolved { _ in 32 }
    #expect(resolved.facts[.visionEpsilon] == nil && resolved.facts[.visionActivation] == .text("quick_gelu"))
    #expect(resolved.contradictions.map(\.statement.text) == ["vision.layer_norm_eps is 1e-05 and 1e-06 in the graph"])
  }

  // MARK: Operators

  /// Written out, as operator sets before 17 have norms; 1e-5 in f16 is 1.00136e-5.
  @Test(arguments: ["hf-clip.vision.f16", "hf-clip.vision.torchscript"])
  func epsilonsOfWrittenOutNormsAreThoseMeant(_ name: String) throws {
    let dtype: DType = name.hasSuffix("f16") ? .f16 : .f32
    let model = try open(name) { graph in
      graph.initializers.append((name: "written_eps", tensor: try scalar(1e-5, dtype)))
      graph.initializers.append((name: "written_two", tensor: try scalar(2, dtype)))
      graph.nodes = graph.nodes.flatMap { node -> [ONNXNode] in
        guard node.kind == "LayerNormalization" else { return [node] }
        let name = node.outputs[0]
        let mean: [String: ONNXAttribute] = ["axes": .integers([-1])]
        return [
          ONNXNode("ReduceMean", inputs: [node.inputs[0]], outputs: ["\(name).m"], attributes: mean),
          ONNXNode("Sub", inputs: [node.inputs[0], "\(name).m"], outputs: ["\(name).d"]),
          ONNXNode("Pow", inputs: ["\(name).d", "written_two"], outputs: ["\(name).q"]),
          ONNXNode("ReduceMean", inputs: ["\(name).q"], outputs: ["\(name).v"], attributes: mean),
          ONNXNode("Add", inputs: ["\(name).v", "written_eps"], outputs: ["\(name).a"]),
          ONNXNode("Sqrt", inputs: ["\(name).a"], outputs: ["\(name).s"]),
          ONNXNode("Div", inputs: ["\(name).d", "\(name).s"], outputs: ["\(name).n"]),
          ONNXNode("Mul", inputs: ["\(name).n", node.inputs[1]], outputs: ["\(name).g"]),
          ONNXNode("Add", inputs: ["\(name).g", node.inputs[2]], outputs: [name]),
        ]
      }
    }
    #expect(model.config[.visionEpsilon] == .number(1e-5) && model.config.origins[.visionEpsilon] == .graph)
  }

  @Test func lengthsOfEmbeddingsAreNoNorms() throws {
    let model = try open("hf-clip.vision.torchscript") { graph in
      let output = graph.outputs[0].name
      graph.initializers.append((name: "tiny", tensor: try scalar(1e-12)))
      graph.nodes += [
        ONNXNode("Mul", inputs: [output, output], outputs: ["squares"]),
        ONNXNode("ReduceSum", inputs: ["squares"], outputs: ["sum"]),
        ONNXNode("Add", inputs: ["sum", "tiny"], outputs: ["above"]),
        ONNXNode("Sqrt", inputs: ["above"], outputs: ["length"]),
        ONNXNode("Div", inputs: [output, "length"], outputs: ["unit"]),
      ]
    }
    #expect(model.config[.visionEpsilon] == .number(1e-5) && model.config.origins[.visionEpsilon] == .graph)
  }

  /// ONNX Runtime's documentation has 1e-12 for it where ONNX's own operator has 1e-5.
  @Test func defaultsAreTheOperators() throws {
    let own = try open("hf-clip.vision.torchscript") { graph in
      for index in graph.nodes.indices where graph.nodes[index].kind == "LayerNormalization" {
        graph.nodes[index].attributes["epsilon"] = nil
      }
    }
    #expect(own.config[.visionEpsilon] == .number(1e-5) && own.config.origins[.visionEpsilon] == .graph)
    let model = try open("hf-clip.vision.torchscript") { add("SkipLayerNormalization", to: &$0) }
    #expect(model.notes.contains("vision.layer_norm_eps is 1e-05 and 1e-12 in the graph, which no config says"))
  }

  @Test func otherSlopesAreNoQuickGELU() throws {
    let text = "vision.activation is QuickGelu of alpha 2.0 and quick_gelu in the graph, which no config says"
    let other = try open("hf-clip.vision.torchscript") { add("QuickGelu", to: &$0, ["alpha": .float(2)]) }
    #expect(other.notes.contains(text))
    let own = try open("hf-clip.vision.torchscript") { add("QuickGelu", to: &$0, ["alpha": .float(1.702)]) }
    #expect(own.config[.visionActivation] == .text("quick_gelu"))
  }

  // MARK: Hostile graphs

  @Test(arguments: [Int64.max, .min, 1 << 40]) func tokensBeyondAllTextsAreNotTheLast(_ token: Int64) throws {
    let model = try open("hf-siglip.torchscript") { graph in
      let index = graph.nodes.lastIndex { node in
        guard node.kind == "Gather", case .integer(1)? = node.attributes["axis"] else { return false }
        return node.inputs[0].hasPrefix("/text_model")
      }
      graph.nodes[try #require(index)].inputs[1] = "beyond"
      graph.initializers.append((name: "beyond", tensor: try scalar(token)))
    }
    #expect(model.config.origins[.textPooling] != .graph)
  }

  @Test func hugePicturesAreRefused() throws {
    let model = try open("hf-clip.vision.torchscript") { graph in
      graph.inputs[0].shape?.replaceSubrange(2..<4, with: [.size(1 << 62), .size(1 << 62)])
      graph.initializers.removeAll { $0.name.contains("position_embedding") }
    }
    #expect(model.config[.visionImageSize] == nil)
    let message = "vision.image_size is 4611686018427387904, allowed 0 to 16777216"
    #expect(model.problems.contains { $0.kind == .malformed && $0.message == message })
  }

  @Test(arguments: [Int64.max, -1]) func idsThatNoVocabularyHasAreRefused(_ id: Int64) throws {
    let model = try open("hf-clip.text.torchscript") { graph in
      let index = try #require(graph.nodes.lastIndex { $0.kind == "Equal" })
      graph.nodes[index].inputs[1] = "end"
      graph.initializers.append((name: "end", tensor: try scalar(id)))
    }
    #expect(model.config[.textEndID] == nil)
    let message = "text.end_of_text_id is \(id), allowed 0 to 16777216"
    #expect(model.problems.contains { $0.kind == .malformed && $0.message == message })
  }

  /// Nodes in the reverse of their order, each of which would ask for a pass of its own.
  @Test(.timeLimit(.minutes(1))) func reversedNodesAreFollowedOnce() throws {
    let model = try open("hf-clip.vision.torchscript") { graph in
      let input = graph.inputs[0].name
      graph.nodes += (0..<20_000).reversed().map {
        ONNXNode("Relu", inputs: [$0 == 0 ? input : "chain\($0 - 1)"], outputs: ["chain\($0)"])
      }
    }
    #expect(model.config.origins[.visionEpsilon] == .graph)
  }

  /// Every part of one constant is asked for.
  @Test(.timeLimit(.minutes(1))) func partsOfOneNodeAreNotSearchedForEach() throws {
    let model = try open("hf-clip.vision.torchscript") { graph in
      let (input, count) = (graph.inputs[0].name, 20_000)
      graph.initializers.append(
        (name: "whole", tensor: try Tensor([Float](repeating: 1, count: count), shape: [count])))
      graph.nodes.append(ONNXNode("Split", inputs: ["whole"], outputs: (0..<count).map { "part\($0)" }))
      for index in 0..<count {
        graph.nodes.append(ONNXNode("Mul", inputs: [input, "part\(index)"], outputs: ["product\(index)"]))
        graph.nodes.append(ONNXNode("Sigmoid", inputs: ["product\(index)"], outputs: ["asking\(index)"]))
      }
    }
    #expect(model.config.origins[.visionEpsilon] == .graph)
  }

  /// One node of many inputs that every other asks for.
  @Test(.timeLimit(.minutes(1)), arguments: ["Sigmoid", "Sqrt", "Softmax"])
  func inputsOfOneNodeAreNotSearchedForEach(_ kind: String) throws {
    let model = try open("hf-clip.vision.torchscript") { graph in
      let input = graph.inputs[0].name
      let shared = kind == "Sqrt" ? "Add" : "Mul"
      graph.nodes.append(
        ONNXNode(shared, inputs: [String](repeating: input, count: 20_000), outputs: ["shared"]))
      graph.nodes += (0..<20_000).map { ONNXNode(kind, inputs: ["shared"], outputs: ["asking\($0)"]) }
    }
    #expect(model.config.origins[.visionEpsilon] == .graph)
  }
}
