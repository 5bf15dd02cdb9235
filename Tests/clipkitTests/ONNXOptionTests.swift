import Checkpoints
import TestSupport
import Testing

/// What `convert` says of options that do not go together with ONNX, or with anything else.
@Suite struct ONNXOptionTests {
  private let place: Workplace
  private let source = fixture("checkpoints/hf-clip")

  init() throws { place = try Workplace() }

  /// An option that changes nothing would be taken for one that did.
  @Test(arguments: [
    ["--opset", "17"], ["--normalize"], ["--no-normalize"], ["--fold-batch-norm"], ["--external-data", "auto"],
  ])
  func optionsOfONNXGoWithNoOtherFormat(_ option: [String]) throws {
    for output in [["out.gguf"], ["out", "--layout", "hf"], ["out.onnx", "--format", "npz"]] {
      let run = try place.start(["convert", source] + output + option).wait()
      #expect(run.exitCode == 64)
      #expect(run.stderr.hasPrefix("error: \(option[0]) is for ONNX, the output is "), "\(run.stderr)")
      #expect(run.stderr.split(separator: "\n").count == 1)
    }
    let model = try place.start(["convert", "tiny.safetensors", "out.npz"] + option).wait()
    #expect(model.exitCode == 64)
    #expect(try place.start(["convert", source, "out.onnx", "-q"] + option).wait().exitCode == 0)
    #expect(try place.entries() == ["out.onnx", "tiny.safetensors"])
  }

  @Test func layoutsOfONNXGoWithNoOtherFormat() throws {
    for layout in ["transformers.js", "optimum", "immich", "flat"] {
      let run = try place.run("convert", source, "out", "--layout", layout, "--format", "gguf")
      #expect(run.exitCode == 64)
      #expect(run.stderr == "error: --layout \(layout) writes ONNX, not gguf. Leave out --format, or --layout\n")
    }
    #expect(try place.entries() == ["tiny.safetensors"])
  }

  /// Embeddings that a graph leaves undivided are so in its copy, unless another length is asked for.
  @Test func copiesOfGraphsGiveWhatTheseGave() throws {
    func normalizes(_ arguments: String...) throws -> String? {
      #expect(try place.start(["convert", "-q", "--force"] + arguments).wait().exitCode == 0)
      let model = try ONNX.readModel(InputFile(place.file(arguments[1])))
      return model.metadata.first { $0.key == "clipkit.onnx.normalized" }?.value
    }
    #expect(try normalizes(source, "plain.onnx", "--no-normalize") == "false")
    #expect(try normalizes("plain.onnx", "copy.onnx") == "false")
    #expect(try normalizes("plain.onnx", "unit.onnx", "--normalize") == "true")
    #expect(try normalizes("unit.onnx", "text.onnx", "--tower", "text") == "true")
  }

  /// Norms that an exporter computed into convolutions are not those that were trained.
  @Test func foldedNormsAreTold() throws {
    let run = try place.run("convert", fixture("onnx/openclip-rn.visual.torchscript.onnx"), "rn.safetensors")
    #expect(run.exitCode == 0)
    #expect(run.stderr.contains("warning: norms are as the graph computes them, not as they were"), "\(run.stderr)")
  }

  /// ONNX Runtime refuses a graph without nodes.
  @Test func whatIsNoCLIPMakesNoGraph() throws {
    let run = try place.run("convert", "tiny.safetensors", "out.onnx")
    #expect(run.exitCode == 65)
    #expect(
      run.stderr
        == "error: tiny.safetensors: not a CLIP that clipkit knows: no graph can be made of its tensors. "
        + "Copy them to .safetensors, .pt, .gguf or .npz\n")
    #expect(try place.entries() == ["tiny.safetensors"])
  }

  @Test(arguments: [
    ("fp16", "f16"), ("float16", "f16"), ("half", "f16"), ("FP16", "f16"), ("F16", "f16"), ("bfloat16", "bf16"),
    ("float32", "f32"), ("double", "f64"),
  ])
  func namesOfOtherProgramsForTypesAreUnderstood(_ name: String, _ own: String) throws {
    let run = try place.run("convert", source, "out.onnx", "--dtype", name)
    #expect(run.exitCode == 64)
    #expect(run.stderr.contains("did you mean \(own)?"), "\(run.stderr)")
  }

  @Test func unknownTypesAreRefusedWithThoseThatAre() throws {
    let run = try place.run("convert", source, "out.onnx", "--dtype", "f12")
    #expect(run.exitCode == 64)
    #expect(run.stderr.contains("allowed are keep, f32, f16, bf16, f64, q8_0, bf16-weights"), "\(run.stderr)")
  }

  @Test func weightsOfBF16AreBF16() throws {
    for name in ["bf16", "bf16-weights"] {
      #expect(try place.run("convert", source, "\(name).onnx", "--dtype", name, "-q").exitCode == 0)
    }
    #expect(try place.bytes("bf16.onnx") == place.bytes("bf16-weights.onnx"))
  }
}
