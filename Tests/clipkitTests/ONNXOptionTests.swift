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
