import Checkpoints
import TestSupport
import Testing

@testable import CLIPModels

/// Graphs made to trap or to exhaust what asks their nodes for a config.
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

  private func open(_ name: String, _ change: (inout ONNXGraph) throws -> Void) throws -> CLIPModel {
    try #require(try CLIPModel.open(changed(name, change)))
  }

  private func scalar(_ value: Int64) throws -> Tensor {
    try Tensor(dtype: .i64, shape: [], bytes: Bytes(withUnsafeBytes(of: value.littleEndian, Array.init)))
  }

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
