import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// Whether the copy of a graph computes in f16: only where nothing is lost.
@Suite struct GraphPrecisionTests {
  private let folder: TemporaryDirectory
  init() throws { folder = try TemporaryDirectory() }

  private func copied(_ source: String, _ towers: TowerSelection = .both) throws -> (ONNXModel, ConversionReport) {
    var options = ConversionOptions()
    options.towers = towers
    options.policy = FileWriter.Policy(force: true)
    let report = try convert(source, to: folder.file("copy.onnx"), options: options)
    return (try ONNX.readModel(InputFile(folder.file("copy.onnx"))), report)
  }

  private func casts(_ model: ONNXModel) -> Int { model.graph.nodes.count { $0.kind == "Cast" } }

  /// torch's export in f32 whose last product was made one of f16, as tools for mixed precision do.
  @Test func oneLayerInF16RoundsNoOther() throws {
    var model = try ONNX.readModel(InputFile(fixture("onnx/hf-clip.vision.torchscript.onnx")))
    let index = try #require(model.graph.nodes.lastIndex { $0.kind == "MatMul" || $0.kind == "Gemm" })
    let (input, weight) = (model.graph.nodes[index].inputs[0], model.graph.nodes[index].inputs[1])
    let output = model.graph.nodes[index].outputs[0]
    let place = try #require(model.graph.initializers.firstIndex { $0.name == weight })
    model.graph.initializers[place].tensor = try model.graph.initializers[place].tensor.cast(to: .f16)
    model.graph.nodes[index].inputs[0] = "narrow"
    model.graph.nodes[index].outputs = ["product"]
    let cast = { (from: String, to: String, type: Int64) in
      ONNXNode("Cast", inputs: [from], outputs: [to], attributes: ["to": .integer(type)])
    }
    model.graph.nodes.insert(cast("product", output, 1), at: index + 1)
    model.graph.nodes.insert(cast(input, "narrow", 10), at: index)
    let writer = try FileWriter(folder.file("mixed.onnx"))
    try ONNX.write(model, to: writer)
    try writer.commit()
    let (copy, report) = try copied(folder.file("mixed.onnx"))
    #expect(report.worstRounding == nil)
    #expect(copy.graph.initializers.count { $0.tensor.dtype == .f16 } == 1)
    let original = try #require(try CLIPModel.open(fixture("onnx/hf-clip.vision.torchscript.onnx")))
    let again = try #require(try CLIPModel.open(folder.file("copy.onnx")))
    for name in original.tensors.names where original.tensors[name]?.dtype == again.tensors[name]?.dtype {
      #expect(try original.tensors[name]?.bytes.load() == again.tensors[name]?.bytes.load(), "\(name)")
    }
  }

  /// Only the encoders that are kept count.
  @Test func anEncoderInF16StaysOneBesideOneInF32() throws {
    for (name, file) in [("text_model", "hf-clip.text.torchscript"), ("vision_model", "hf-clip.vision.f16")] {
      try folder.write(fixtureBytes("onnx/\(file).onnx"), to: "\(name).onnx")
    }
    let (both, report) = try copied(folder.path)
    #expect(report.tensors.allSatisfy { $0.from == $0.to } && casts(both) > 10)
    let (image, _) = try copied(folder.path, .image)
    #expect(casts(image) == 2)
  }

  @Test(arguments: ["openclip-rn", "hf-clip", "hf-siglip"]) func ourOwnGraphsInF16StaySo(_ name: String) throws {
    var options = ConversionOptions()
    options.dtype = .f16
    _ = try convert(fixture("checkpoints/\(name)"), to: folder.file("half.onnx"), options: options)
    let half = try ONNX.readModel(InputFile(folder.file("half.onnx")))
    #expect(try casts(copied(folder.file("half.onnx")).0) == casts(half))
  }
}
