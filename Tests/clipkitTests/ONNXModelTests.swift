import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// ONNX files as models: what `verify`, `embed` and `inspect` make of them.
@Suite struct ONNXModelTests {
  private let place: Workplace
  private let source = fixture("checkpoints/hf-clip")
  private let picture = fixture("images/jpeg-444.jpg")

  init() throws {
    place = try Workplace()
    try #require(try place.run("convert", source, "model.onnx", "-q").exitCode == 0)
  }

  @Test func aGraphIsVerifiedBlockByBlock() throws {
    let prompts = try place.write(Array("a photo of a cat\nthe dog\n".utf8), to: "prompts.txt")
    let run = try place.run(
      "verify", "model.onnx", "--reference", fixture("golden/hf-clip.safetensors"), "--all")
    #expect(run.exitCode == 0)
    for stage in ["image.stem", "image.blocks.0", "image.pooled", "text.blocks.1", "text_embeds", "logits"] {
      #expect(run.stdout.contains("\n\(stage) "))
    }
    #expect(run.stdout.contains("the candidate's graph does not show them: image.blocks.1, text.blocks.2"))
    let own = try place.run(
      "verify", "model.onnx", "--reference", source, "--images", picture, "--prompts", prompts)
    #expect(own.exitCode == 0)
  }

  @Test func theFirstDepartingBlockOfAGraphIsNamed() throws {
    let run = try place.run(
      "verify", "model.onnx", "--reference", fixture("golden/hf-clip.safetensors"), "--tolerance", "image.blocks.0=0")
    #expect(run.exitCode == 1)
    #expect(run.stdout.contains("\ndeparts at image.blocks.0: error "))
  }

  @Test func directoriesOfLayoutsAreModels() throws {
    for layout in ["transformers.js", "open_clip", "immich"] {
      let converted = try place.run(
        "convert", source, layout, "--layout", layout, "-q", "--dialect",
        layout == "transformers.js" ? "hf" : "openai")
      #expect(converted.exitCode == 0, "\(converted.stderr)")
      let run = try place.run("verify", layout, "--reference", fixture("golden/hf-clip.safetensors"))
      #expect(run.exitCode == 0, "\(layout): \(run.stdout)\(run.stderr)")
    }
  }

  /// Their length is lost in the graph.
  @Test func unitRowsAreNotCalledRaw() throws {
    let alone = ["convert", source, "unit.onnx", "--tower", "text", "--normalize", "-q"]
    #expect(try place.start(alone).wait().exitCode == 0)
    let run = try place.run("embed", "unit.onnx", "--prompt", "a cat", "--raw")
    #expect(run.exitCode == 64 && run.stdout.isEmpty && run.stderr.contains("Convert it with --no-normalize"))
    #expect(try place.run("embed", "unit.onnx", "--prompt", "a cat", "-q").exitCode == 0)
  }

  @Test func namesPromiseWhatLayoutsWrite() throws {
    let directory = try place.run("convert", source, "web.onnx", "--layout", "transformers.js")
    #expect(directory.exitCode == 64 && directory.stderr.contains("this layout writes a directory"))
    let file = try place.run("convert", source, "model.gguf", "--layout", "flat")
    #expect(file.exitCode == 64 && file.stderr.contains("this layout writes ONNX, .gguf promises gguf"))
    #expect(try place.entries() == ["model.onnx", "tiny.safetensors"])
  }

  @Test func aGraphIsInspected() throws {
    let run = try place.run("inspect", "model.onnx", "--json")
    #expect(run.exitCode == 0)
    let graph = try JSONValue(parsing: Array(run.stdout.utf8))["graphs"]?.array?.first
    #expect(graph?["opset"]?.integer == 17)
    #expect(graph?["inputs"]?.array?.compactMap { $0["name"]?.string } == ["input_ids", "pixel_values"])
    #expect(graph?["not_evaluated"]?.array?.isEmpty == true)
    #expect(graph?["operators"]?["Softmax"]?.integer == 5)
    #expect(try place.run("inspect", "model.onnx").stdout.contains("\ngraph, opset 17, by clipkit"))
  }
}
