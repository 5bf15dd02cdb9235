import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// The evaluator beside ONNX Runtime, on what exporters write: torch's two, ONNX Runtime's quantiser, and our own.
@Suite struct ExportEvaluationTests {
  @Test func agreesWithONNXRuntime() throws {
    let folder = try TemporaryDirectory()
    var models = try Directory.names(fixture("onnx")).filter { $0.hasSuffix(".onnx") }.map { fixture("onnx/\($0)") }
    for name in ["hf-clip", "openclip-vit", "openclip-rn", "hf-siglip", "openclip-layer-scale"] {
      for dtype in [DType.f32, .f16] {
        let path = folder.file("own-\(name)-\(dtype).onnx")
        var options = ConversionOptions()
        options.dtype = dtype
        _ = try convert(fixture("checkpoints/\(name)"), to: path, options: options)
        models.append(path)
      }
    }
    let script =
      "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/tools/onnx_runtime_outputs.py"
    _ = try Python.run(
      Python.light, "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')",
      [script, folder.path] + models)
    var fused = 0
    for path in models {
      let name = try #require(path.split(separator: "/").last).dropLast(5)
      try check(path, String(name), folder)
      // What it optimised gives the same outputs, with its own operators. Of QDQ it makes QLinear…, which is not evaluated.
      guard !name.hasSuffix(".qdq") else { continue }
      let optimized = folder.file("\(name).optimized.onnx")
      try check(optimized, String(name), folder)
      fused += try ONNX.readModel(InputFile(optimized)).graph.nodes.contains { $0.domain == "com.microsoft" } ? 1 : 0
    }
    try #require(fused > 0, "no optimised graph has an operator of ONNX Runtime's own")
    print("graphs evaluated as ONNX Runtime does: \(models.count), optimised with its own operators: \(fused)")
  }

  private func check(_ path: String, _ name: String, _ folder: TemporaryDirectory) throws {
    let data = try Checkpoint.open(folder.file("\(name).safetensors"))
    let model = try ONNX.readModel(InputFile(path))
    var inputs: [String: Tensor] = [:]
    for input in model.graph.inputs { inputs[input.name] = data["input.\(input.name)"] }
    let outputs = try ONNXEvaluator(model, threads: 2).evaluate(inputs)
    let limit = name.contains("f16") ? 4e-3 : 1e-5
    for (value, output) in zip(model.graph.outputs, outputs) {
      let expected = try #require(data["output.\(value.name)"])
      let found = try Tensor(dtype: output.dtype, shape: output.shape, bytes: Bytes(output.bytes()))
      #expect(found.dtype == expected.dtype && found.shape == expected.shape, "\(path): \(value.name)")
      guard expected.dtype.isFloat, found.shape == expected.shape else { continue }
      let (first, second) = (try found.cast(to: .f64).numbers(), try expected.cast(to: .f64).numbers())
      let largest = second.map(abs).max() ?? 0
      let error = (zip(first, second).map { abs($0 - $1) }.max() ?? 0) / max(largest, 1e-30)
      #expect(error <= limit, "\(path): \(value.name) differs by \(error)")
    }
  }
}
