import CLIPModels
import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// ONNX files as outputs: what becomes of those that were there, and what is said about what is written.
@Suite struct ONNXOutputTests {
  private let place: Workplace
  private let source = fixture("checkpoints/hf-clip")

  init() throws { place = try Workplace() }

  private func convert(_ output: String, _ options: String...) throws -> ClipkitRun {
    try place.start(["convert", source, output, "-q"] + options).wait()
  }

  // MARK: Data of an earlier model

  @Test func dataThatNothingUsesGoesWithItsModel() throws {
    #expect(try convert("a.onnx", "--external-data", "always").exitCode == 0)
    #expect(try place.entries() == ["a.onnx", "a.onnx_data", "tiny.safetensors"])
    #expect(try convert("a.onnx").exitCode == 73)
    #expect(try convert("a.onnx", "--force", "--dry-run").exitCode == 0)
    #expect(try place.entries() == ["a.onnx", "a.onnx_data", "tiny.safetensors"])
    #expect(try convert("a.onnx", "--force").exitCode == 0)
    #expect(try place.entries() == ["a.onnx", "tiny.safetensors"])
  }

  @Test func dataStaysWhereTheModelStays() throws {
    #expect(try convert("a.onnx", "--external-data", "always").exitCode == 0)
    let before = try (place.bytes("a.onnx"), place.bytes("a.onnx_data"))
    let run = try place.start(["convert", source, "a.onnx", "-q", "--force"], script: "ulimit -f 100; exec \"$@\"")
      .wait()
    #expect(run.exitCode == 74)
    #expect(try place.bytes("a.onnx") == before.0 && place.bytes("a.onnx_data") == before.1)
  }

  /// A file of that name that is no data of the model, or a link, is somebody else's.
  @Test func filesOfOthersStay() throws {
    #expect(try convert("a.onnx").exitCode == 0)
    try place.write([1], to: "a.onnx_data")
    #expect(try convert("a.onnx", "--force").exitCode == 0)
    #expect(try place.bytes("a.onnx_data") == [1])
    #expect(try convert("b.onnx", "--external-data", "always").exitCode == 0)
    try place.write(place.bytes("b.onnx_data"), to: "data")
    unlink(place.file("b.onnx_data"))
    #expect(symlink("data", place.file("b.onnx_data")) == 0)
    #expect(try convert("b.onnx", "--force").exitCode == 0)
    #expect(try place.entries() == ["a.onnx", "a.onnx_data", "b.onnx", "b.onnx_data", "data", "tiny.safetensors"])
  }

  /// Data that is read for the output is not taken away under it.
  @Test func dataThatIsReadStays() throws {
    #expect(try convert("a.onnx", "--external-data", "always").exitCode == 0)
    #expect(link(place.file("a.onnx"), place.file("b")) == 0)
    unlink(place.file("a.onnx"))
    #expect(try convert("a.onnx").exitCode == 0)
    let run = try place.run("convert", "b", "a.onnx", "-q", "--force")
    #expect(run.exitCode == 0, "\(run.stderr)")
    #expect(try place.entries().contains("a.onnx_data"))
    #expect(try place.run("diff", "a.onnx", source).exitCode == 0)
  }

  /// A copy of the model goes on taking the data, and so may a model that cannot be read.
  @Test(arguments: [true, false]) func dataThatAnotherModelTakesStays(_ isReadable: Bool) throws {
    #expect(try convert("a.onnx", "--external-data", "always").exitCode == 0)
    try place.write(isReadable ? place.bytes("a.onnx") : [8, 8, 0x3A, 1], to: "b.onnx")
    let run = try place.run("convert", source, "a.onnx", "--force")
    #expect(run.exitCode == 0 && !run.stdout.contains("removed"), "\(run.stdout)")
    #expect(try place.entries() == ["a.onnx", "a.onnx_data", "b.onnx", "tiny.safetensors"])
    if isReadable { #expect(try place.run("diff", "b.onnx", source).exitCode == 0) }
  }

  @Test func dataThatGoesIsReported() throws {
    #expect(try convert("a.onnx", "--external-data", "always").exitCode == 0)
    let dry = try place.run("convert", source, "a.onnx", "--force", "--dry-run")
    #expect(dry.stdout.contains("\n  would remove: a.onnx_data\n"), "\(dry.stdout)")
    #expect(try place.entries().contains("a.onnx_data"))
    let run = try place.run("convert", source, "a.onnx", "--force")
    #expect(run.stdout.contains("\n  removed: a.onnx_data\n"), "\(run.stdout)")
    let again = try place.run("convert", source, "a.onnx", "--force", "--json")
    #expect(try JSONValue(parsing: Array(again.stdout.utf8))["removed"]?.array?.isEmpty == true)
    let web = ["convert", source, "web", "--layout", "transformers.js", "--force", "--json"]
    #expect(try place.start(web + ["--external-data", "always"]).wait().exitCode == 0)
    let json = try JSONValue(parsing: Array(place.start(web).wait().stdout.utf8))
    #expect(
      json["removed"]?.array?.compactMap(\.string)
        == ["model", "text_model", "vision_model"].map { "web/onnx/\($0).onnx_data" })
  }

  @Test func dataGoesFromDirectoriesToo() throws {
    let web = ["--layout", "transformers.js"]
    let wide = try place.start(["convert", source, "web", "-q", "--external-data", "always"] + web).wait()
    #expect(wide.exitCode == 0)
    #expect(try place.entries("web/onnx").contains("model.onnx_data"))
    let narrow = try place.start(["convert", source, "web", "-q", "--force"] + web).wait()
    #expect(narrow.exitCode == 0, "\(narrow.stderr)")
    #expect(try place.entries("web/onnx") == ["model.onnx", "text_model.onnx", "vision_model.onnx"])
  }

  /// O19: what has the data's name is neither followed nor replaced unasked.
  @Test func dataReplacesNothingUnasked() throws {
    try place.write([1, 2], to: "elsewhere")
    #expect(symlink("elsewhere", place.file("a.onnx_data")) == 0)
    for force in [[], ["--force"]] {
      let run = try place.start(["convert", source, "a.onnx", "-q", "--external-data", "always"] + force).wait()
      #expect(run.exitCode == 73)
      #expect(run.stderr == "error: a.onnx_data: output is a symbolic link. Name the file it leads to\n")
    }
    try place.write([3], to: "b.onnx_data")
    let run = try convert("b.onnx", "--external-data", "always")
    #expect(run.exitCode == 73 && run.stderr == "error: b.onnx_data: output exists. Use --force to replace it\n")
    #expect(try place.bytes("elsewhere") == [1, 2] && place.bytes("b.onnx_data") == [3])
    #expect(try place.entries() == ["a.onnx_data", "b.onnx_data", "elsewhere", "tiny.safetensors"])
    #expect(try convert("b.onnx", "--external-data", "always", "--force").exitCode == 0)
    #expect(try place.run("diff", "b.onnx", source).exitCode == 0)
  }

  // MARK: Types

  /// `hf-clip.vision.f16.onnx` is torch's export of a model in f16.
  @Test func aGraphThatComputesInF16StaysOne() throws {
    let half = fixture("onnx/hf-clip.vision.f16.onnx")
    let facts = #"""
      {"model_type": "clip_vision_model", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
      "num_attention_heads": 2, "image_size": 8, "patch_size": 4, "projection_dim": 12, "hidden_act": "quick_gelu"}
      """#
    let config = ["--config", try place.write(Array(facts.utf8), to: "facts.json"), "-q", "--assume", "openai"]
    #expect(try place.start(["convert", half, "kept.onnx"] + config).wait().exitCode == 0)
    #expect(try place.start(["convert", half, "f16.onnx", "--dtype", "f16"] + config).wait().exitCode == 0)
    #expect(try place.bytes("kept.onnx") == place.bytes("f16.onnx"))
    #expect(try place.start(["convert", half, "f32.onnx", "--dtype", "f32"] + config).wait().exitCode == 0)
    let graph = try ONNX.readModel(InputFile(place.file("kept.onnx"))).graph
    #expect(graph.nodes.count { $0.kind == "Cast" } == 2)
    // Weights that are only stored in f16 are computed with in f32.
    #expect(try place.run("convert", source, "half.safetensors", "--dtype", "f16", "-q").exitCode == 0)
    #expect(
      try place.run("convert", "half.safetensors", "stored.onnx", "-q", "--config", "\(source)/config.json").exitCode
        == 0)
    #expect(try place.run("convert", "stored.onnx", "again.onnx", "-q").exitCode == 0)
    let casts = try ["stored.onnx", "again.onnx"].map { name in
      try ONNX.readModel(InputFile(place.file(name))).graph.nodes.count { $0.kind == "Cast" }
    }
    #expect(casts[0] > 50 && casts[1] == casts[0])
  }

  // MARK: What layouts carry

  /// An output that says of itself that it is doubtful is not trusted.
  @Test(arguments: ["transformers.js", "optimum", "immich", "open_clip"])
  func ourOwnDirectoriesReadBackWithoutAWord(_ layout: String) throws {
    #expect(try convert("out", "--layout", layout, "--format", "onnx").exitCode == 0)
    let run = try place.run("inspect", "out", "--json")
    let json = try JSONValue(parsing: Array(run.stdout.utf8))
    #expect(json["notes"]?.array?.isEmpty == true && json["warnings"]?.array?.isEmpty == true, "\(run.stdout)")
    #expect(json["config"]?["text.tokenizer"]?["value"] == "hf")
    #expect(json["config"]?["image.preprocessing"]?["value"] == "hf-pil")
  }

  /// eos_token_id 2 is an old file's mistake; where clipkit writes it, it is meant.
  @Test(arguments: ["openclip-vit", "openclip-layer-scale", "openclip-custom"])
  func ourOwnConfigsAreNotTakenForOldOnes(_ name: String) throws {
    for layout in ["transformers.js", "optimum"] {
      let source = fixture("checkpoints/\(name)")
      #expect(try place.run("convert", source, layout, "--layout", layout, "-q", "--force").exitCode == 0)
      let run = try place.run("inspect", layout, "--json")
      let json = try JSONValue(parsing: Array(run.stdout.utf8))
      #expect(json["notes"]?.array?.isEmpty == true && json["warnings"]?.array?.isEmpty == true, "\(run.stdout)")
    }
  }

  /// Another format's layout is no remedy.
  @Test(arguments: [
    ("openclip-rn", "optimum", "transformers has no CLIP with a ResNet"),
    ("hf-siglip", "immich", "timm has no SigLIP trunk of these shapes"),
    ("hf-text", "open_clip", "open_clip's directory needs both towers"),
  ])
  func whatALayoutCannotHoldGoesToAFile(_ name: String, _ layout: String, _ says: String) throws {
    let source = fixture("checkpoints/\(name)")
    let run = try place.run(
      "convert", source, "out", "--layout", layout, "--format", "onnx", "--assume", "openai", "-q")
    #expect(run.exitCode == 65)
    #expect(run.stderr == "error: \(says). Use --layout flat, which has nothing beside the graph\n")
    let flat = ["convert", source, "out.onnx", "--layout", "flat", "--assume", "openai", "-q"]
    #expect(try place.start(flat).wait().exitCode == 0)
  }

  @Test(arguments: [
    ("transformers.js", true), ("optimum", true), ("immich", true), ("open_clip", true), ("flat", false),
  ])
  func aMissingTokenizerIsSaid(_ layout: String, _ isSaid: Bool) throws {
    let run = try place.run(
      "convert", fixture("checkpoints/openclip-custom"), "out", "--layout", layout, "--format", "onnx")
    #expect(run.exitCode == 0)
    let warning = "warning: no tokenizer.json lies beside the source: \(layout) cannot read texts without one\n"
    #expect(run.stderr == (isSaid ? warning : ""))
  }

  @Test func whatAConfigCannotSayIsSaid() throws {
    for (layout, isSaid) in [("transformers.js", true), ("optimum", true), ("immich", false), ("open_clip", false)] {
      let run = try place.run(
        "convert", fixture("checkpoints/openclip-layer-scale"), layout, "--layout", layout, "--format", "onnx")
      #expect(run.exitCode == 0)
      #expect(run.stderr.contains("the graphs have the model's layer scale") == isSaid, "\(layout): \(run.stderr)")
    }
  }

  /// The tower of a SigLIP ends with what it pools: the embedding is the stage, under both names.
  @Test func aSigLIPTowerShowsItsPooledStage() throws {
    let siglip = fixture("checkpoints/hf-siglip")
    #expect(try place.run("convert", siglip, "web", "--layout", "transformers.js", "-q").exitCode == 0)
    let run = try place.run("verify", "web", "--reference", fixture("golden/hf-siglip.safetensors"), "--all", "--ids")
    #expect(run.exitCode == 0 && run.stdout.contains("\nimage.pooled "), "\(run.stdout)")
  }

  // MARK: The report

  @Test func theTemperatureOfATowerIsMetadata() throws {
    let run = try place.run("convert", source, "out.onnx", "--tower", "image")
    #expect(run.exitCode == 0 && run.stdout.contains("\n  as metadata: logit_scale\n"), "\(run.stdout)")
    let back = try place.run("convert", "out.onnx", "back.safetensors")
    #expect(back.stdout.contains("\n  1 from metadata\n") && !back.stdout.contains("renamed"), "\(back.stdout)")
    let ggml = try place.run("convert", source, "out.gguf", "--dialect", "clip.cpp")
    #expect(ggml.stdout.contains("\n  as metadata: logit_scale\n"), "\(ggml.stdout)")
  }

  /// The graph has 137 tensors of the checkpoint, the metadata its 22 counters.
  @Test func countersAreMetadataBothWays() throws {
    let all = try Checkpoint.open(fixture("checkpoints/openclip-rn")).names
    let counters = all.filter { $0.hasSuffix(".num_batches_tracked") }
    let run = try place.run("convert", fixture("checkpoints/openclip-rn"), "out.onnx", "--json")
    let json = try JSONValue(parsing: Array(run.stdout.utf8))
    #expect(Set(json["as_metadata"]?.array?.compactMap(\.string) ?? []) == Set(counters) && !counters.isEmpty)
    #expect(json["tensors"]?.array?.count == all.count - counters.count && json["dropped"]?.array?.isEmpty == true)
    let back = try place.run("convert", "out.onnx", "back.safetensors")
    #expect(back.stdout.contains("\nwrote \(all.count) tensors, "), "\(back.stdout)")
    #expect(back.stdout.contains("\n  \(counters.count) from metadata\n"), "\(back.stdout)")
  }

  @Test func foldedNormsAreNotCalledDropped() throws {
    let run = try place.run("convert", fixture("checkpoints/openclip-rn"), "out.onnx", "--fold-batch-norm")
    #expect(run.stdout.contains("\n  folded into convolutions: visual.bn1.bias, "), "\(run.stdout)")
    #expect(run.stdout.contains("\n  dropped: visual.bn1.num_batches_tracked, "), "\(run.stdout)")
  }
}
