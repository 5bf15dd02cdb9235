import Checkpoints
import TestSupport
import Testing

/// `verify` on golden files: what it prints, saves and ends with.
@Suite struct VerifyTests {
  private let place: Workplace
  private let reference = fixture("golden/hf-siglip.safetensors")
  private let candidate = fixture("golden/openclip-siglip.safetensors")

  init() throws { place = try Workplace() }

  @Test func twoLibrariesAgree() throws {
    let run = try place.run("verify", candidate, "--reference", reference)
    #expect(run.exitCode == 0)
    #expect(run.stderr.isEmpty)
    #expect(run.stdout.hasPrefix("reference  hf-siglip (transformers "))
    #expect(run.stdout.contains("\nimage.blocks.0…1  "))
    #expect(run.stdout.hasSuffix("\nagrees at 14 stages\n"))
    let all = try place.run("verify", candidate, "--reference", reference, "--all")
    #expect(all.stdout.contains("\nimage.blocks.1  "))
  }

  /// Trained weights, in f16 as they are shipped and as GGUF; the pictures are another artist's than those of training.
  @Test(arguments: ["emoji-clip", "emoji-clip-blocks"])
  func aTrainedModelSeesAndReadsAsItsLibrary(_ name: String) throws {
    let (model, golden) = (fixture("models/emoji-clip"), fixture("golden/\(name).safetensors"))
    let run = try place.run("verify", model, "--reference", golden)
    #expect(run.exitCode == 0, "\(run.stdout)\(run.stderr)")
    #expect(run.stdout.hasPrefix("reference  emoji-clip (transformers "))
    #expect(run.stdout.contains("\nranking           best prompt is the same for 100.0 %"))
    #expect(run.stdout.contains("\ntext.blocks.0…3  ") == (name == "emoji-clip-blocks"))
    #expect(try place.run("convert", model, "model.gguf", "--dialect", "clip.cpp").exitCode == 0)
    #expect(try place.run("verify", "model.gguf", "--reference", golden).exitCode == 0)
  }

  @Test func anotherActivationIsFoundInATrainedModel() throws {
    let golden = fixture("golden/emoji-clip-blocks.safetensors")
    let config = String(decoding: try fixtureBytes("models/emoji-clip/config.json"), as: UTF8.self)
    try place.write(Array(config.replacing("\"quick_gelu\"", with: "\"gelu\"").utf8), to: "c.json")
    let run = try place.run("verify", fixture("models/emoji-clip"), "--reference", golden, "--config", "c.json")
    #expect(run.exitCode == 1)
    #expect(run.stdout.split(separator: "\n").last?.hasPrefix("departs at image.blocks.0: ") == true, "\(run.stdout)")
  }

  @Test func theFirstDepartureIsNamed() throws {
    let run = try place.run("verify", candidate, "--reference", reference, "--tolerance", "text.blocks.1=0")
    #expect(run.exitCode == 1)
    let verdict = run.stdout.split(separator: "\n").last
    #expect(verdict?.hasPrefix("departs at text.blocks.1: error ") == true)
    #expect(verdict?.hasSuffix(", allowed 0") == true)
    let visual = try place.run(
      "verify", candidate, "--reference", reference, "--tolerance", "text.blocks.1=0", "--tower", "image")
    #expect(visual.exitCode == 0)
  }

  @Test func aSavedResultIsJudgedAgain() throws {
    let (first, second) = (
      fixture("golden/scores-candidate.safetensors"), fixture("golden/scores-reference.safetensors")
    )
    let run = try place.run(
      "verify", first, "--reference", second, "--profile", "f16", "--tolerance", "tokens=2", "-o", "r.json", "--json")
    #expect(run.exitCode == 1)
    let json = try JSONValue(parsing: Array(run.stdout.utf8))
    #expect(try JSONValue(contentsOf: place.file("r.json")) == json)
    #expect(json["first_departure"]?.string == "pixels")
    let again = try place.run("verify", "--result", "r.json", "--json")
    #expect(again.exitCode == 1)
    #expect(again.stdout == run.stdout)
    let loose = try place.run(
      "verify", "--result", "r.json", "--profile", "int8", "--tolerance", "tokens=2", "--tolerance", "pixels=6",
      "--tolerance", "pixel_values=1", "--tolerance", "embeddings=1")
    #expect(loose.exitCode == 0, "\(loose.stdout)")
  }

  @Test func thePageHoldsNoMarkupOfOthers() throws {
    var checkpoint = try Checkpoint.open(fixture("golden/scores-reference.safetensors"))
    let names = (0..<9).map { JSONValue.string("<script>alert(\($0))</script>\u{1B}[31m") }
    checkpoint.metadata["clipkit.images"] = .string(JSONValue.array(names).text())
    checkpoint.metadata["clipkit.model"] = .string(#""><img src="http://example.com/x">"#)
    checkpoint.metadata["clipkit.prompts"] = .string(
      JSONValue.array((0..<7).map { .string("</td><b onclick='x'>\($0)&amp;") }).text())
    let writer = try FileWriter(place.file("hostile.safetensors"))
    try Safetensors.write(checkpoint, to: writer)
    try writer.commit()
    let run = try place.run(
      "verify", fixture("golden/scores-candidate.safetensors"), "--reference", "hostile.safetensors", "--report",
      "r.html")
    #expect(run.exitCode == 1)
    #expect(!run.stdout.contains("\u{1B}"))
    let page = String(decoding: try place.bytes("r.html"), as: UTF8.self)
    for markup in ["<script", "<b ", "\u{1B}", "src=\"http", "onclick='"] {
      #expect(!page.contains(markup), "\(markup)")
    }
    #expect(page.contains("&lt;script&gt;alert(8)&lt;/script&gt;\\u{1b}[31m"))
    #expect(page.contains("&lt;/td&gt;&lt;b onclick=&#39;x&#39;&gt;"))
    #expect(page.contains("default-src 'none'"))
    #expect(page.components(of: "data:image/bmp;base64,Qk") == 6)
  }

  @Test func outputsAreNotReplacedWithoutForce() throws {
    try place.write([1], to: "r.html")
    let refused = try place.run("verify", candidate, "--reference", reference, "--report", "r.html")
    #expect(refused.exitCode == 73)
    #expect(try place.bytes("r.html") == [1])
    #expect(try place.run("verify", candidate, "--reference", reference, "--report", "r.html", "--force").exitCode == 0)
    #expect(try place.bytes("r.html").count > 5000)
    try place.write(fixtureBytes("golden/hf-siglip.safetensors"), to: "g.safetensors")
    let own = try place.run("verify", candidate, "--reference", "g.safetensors", "-o", "g.safetensors", "--force")
    #expect(own.exitCode == 64)
  }

  @Test func wrongRequestsAreRefused() throws {
    #expect(try place.run("verify", candidate).exitCode == 64)
    let one = try place.run("verify", candidate, "--reference", reference, "--report", "r", "-o", "r", "--force")
    #expect(one.exitCode == 64)
    #expect(try place.run("verify", candidate, "--reference", reference, "--result", "x").exitCode == 64)
    #expect(try place.run("verify", candidate, "--reference", reference, "--tolerance", "logits").exitCode == 64)
    let stage = try place.run("verify", candidate, "--reference", reference, "--tolerance", "blocks=1")
    #expect(stage.exitCode == 64)
    #expect(stage.stderr.hasPrefix("error: no stage is called 'blocks'. Stages are those of the report"))
    let missing = try place.run("verify", candidate, "--reference", "nowhere")
    #expect(missing.exitCode == 66)
    try place.write(Array("{}".utf8), to: "r.json")
    let spoiled = try place.run("verify", "--result", "r.json")
    #expect(spoiled.exitCode == 65)
    #expect(spoiled.stderr == "error: r.json: saved result: verification of result is not a whole number\n")
  }
}

extension String {
  fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
