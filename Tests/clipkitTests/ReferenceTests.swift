import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// `reference`, and `verify` with models.
@Suite struct ReferenceTests {
  private let place: Workplace
  private let model = fixture("checkpoints/hf-clip")
  private let golden = fixture("golden/hf-clip.safetensors")

  init() throws {
    place = try Workplace()
    for (index, name) in ["wide.png", "tall.jpg"].enumerated() {
      try place.write(Golden.open(golden).image(index).load(), to: name)
    }
    try place.write(Array("a photo of a cat\nThe dog in the photo\n".utf8), to: "prompts.txt")
  }

  @Test func aModelAgreesWithItsLibrary() throws {
    let run = try place.run("verify", model, "--reference", golden, "--report", "r.html", "-o", "r.json")
    #expect(run.exitCode == 0, "\(run.stdout)\(run.stderr)")
    #expect(run.stdout.hasSuffix("\nagrees at 15 stages\n"))
    #expect(run.stdout.contains("\ncandidate  hf-clip (clipkit "))
    #expect(try place.run("verify", "--result", "r.json", "--tolerance", "image.blocks.0=0").exitCode == 1)
    let page = String(decoding: try place.bytes("r.html"), as: UTF8.self)
    #expect(page.contains("agrees at 15 stages") && page.contains("data:image/bmp"))
  }

  @Test func aRecordingIsTheReferenceOfAnotherModel() throws {
    let recorded = try place.run(
      "reference", model, "--images", "wide.png", "tall.jpg", "--prompts", "prompts.txt", "--blocks", "-o",
      "g.safetensors")
    #expect(recorded.stdout == "g.safetensors: 2 images, 2 prompts, 15 stages\n", "\(recorded.stderr)")
    let gguf = try place.run("convert", model, "m.gguf", "--dtype", "f16", "-q")
    #expect(gguf.exitCode == 0)
    let same = try place.run("verify", "m.gguf", "--reference", "g.safetensors", "--profile", "f16")
    #expect(same.exitCode == 0, "\(same.stdout)\(same.stderr)")
    // In double precision the libraries would round elsewhere: what clipkit itself computes twice is the same.
    let again = try place.run("verify", model, "--reference", "g.safetensors", "--json")
    let stages = try #require(try JSONValue(parsing: Array(again.stdout.utf8))["stages"]?.array)
    #expect(stages.count == 15 && stages.allSatisfy { $0["error"]?.number == 0 })
  }

  @Test func recordingsAreDeterministic() throws {
    for (name, threads) in [("a.safetensors", "1"), ("b.safetensors", "2")] {
      let run = try place.run(
        "reference", model, "--images", ".", "--prompts", "prompts.txt", "--blocks", "--threads", threads, "-o", name,
        "--json")
      let json = try JSONValue(parsing: Array(run.stdout.utf8))
      #expect(json["images"] == 2 && json["prompts"] == 2 && json["output"]?.string == name, "\(run.stderr)")
    }
    #expect(try place.bytes("a.safetensors") == place.bytes("b.safetensors"))
    #expect(try Golden.open(place.file("a.safetensors")).imageNames == ["tall.jpg", "wide.png"])
  }

  @Test func twoModelsAreCompared() throws {
    let other = fixture("checkpoints/hf-square")
    let run = try place.run("verify", other, "--reference", model, "--images", ".", "--prompts", "prompts.txt")
    #expect(run.exitCode == 1)
    #expect(run.stdout.hasSuffix("departs at image.stem: shape [2, 17, 24], the reference's is [2, 17, 32]\n"))
    let nothing = try place.run("verify", other, "--reference", model)
    #expect(nothing.exitCode == 64)
    let twice = try place.run("verify", model, "--reference", golden, "--images", ".")
    #expect(twice.exitCode == 64)
  }

  @Test func badInputsWriteNothing() throws {
    try place.write(Array("no picture".utf8), to: "bad.png")
    let bad = try place.run("reference", model, "--images", "bad.png", "-o", "g.safetensors")
    #expect(bad.exitCode == 65)
    #expect(bad.stderr.hasPrefix("error: bad.png: "))
    #expect(try place.run("reference", model, "-o", "g.safetensors").exitCode == 64)
    #expect(try place.run("reference", model, "--images", "nowhere.png", "-o", "g.safetensors").exitCode == 66)
    let own = try place.run("reference", model, "--images", "wide.png", "-o", "wide.png", "--force")
    #expect(own.exitCode == 64)
    let none = try place.run("reference", "tiny.safetensors", "--images", "wide.png", "-o", "g.safetensors")
    #expect(none.exitCode == 65)
    #expect(try place.entries().sorted() == ["bad.png", "prompts.txt", "tall.jpg", "tiny.safetensors", "wide.png"])
    let over = try place.run("verify", model, "--reference", golden, "-o", "wide.png")
    #expect(over.exitCode == 73)
  }
}
