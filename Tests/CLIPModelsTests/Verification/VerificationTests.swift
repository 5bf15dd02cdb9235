import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// The comparison of two made-up golden files against every number that NumPy, SciPy and torch say of it.
@Suite struct VerificationTests {
  private let expected: JSONValue
  private let result: Verification

  init() throws {
    expected = try JSONValue(contentsOf: fixture("expected/verification.json"))
    result = try verify(
      Golden.open(fixture("golden/scores-candidate.safetensors")),
      against: Golden.open(fixture("golden/scores-reference.safetensors")))
  }

  private func stage(_ name: String) throws -> StageComparison {
    try #require(result.stages.first { $0.stage.name == name })
  }

  private func expectClose(_ found: Double?, _ json: JSONValue?, _ what: String) throws {
    let (found, number) = (try #require(found, "\(what)"), try #require(json?.number, "\(what)"))
    #expect(abs(found - number) <= 1e-12 * max(1, abs(number)), "\(what): \(found), expected \(number)")
  }

  private func expectClose(_ found: Distribution?, _ json: JSONValue?, _ what: String) throws {
    try expectClose(found?.min, json?["min"], what)
    try expectClose(found?.percentile1, json?["percentile_1"], what)
    try expectClose(found?.percentile5, json?["percentile_5"], what)
    try expectClose(found?.median, json?["median"], what)
    try expectClose(found?.mean, json?["mean"], what)
  }

  @Test func stagesOfNumbersAreMeasured() throws {
    let stages = try #require(expected["stages"]?.object)
    #expect(stages.keys.count == 10)
    for name in stages.keys {
      let (found, right) = (try stage(name == "logits_per_image" ? "logits" : name), stages[name])
      try expectClose(found.error, right?["error"], "error of \(name)")
      try expectClose(found.maxAbsolute, right?["max_absolute"], "max-abs of \(name)")
      try expectClose(found.relative, right?["relative"], "relative error of \(name)")
      #expect(found.differing == right?["differing"]?.integer, "\(name)")
      guard right?["cosine"] != nil else { continue }
      try expectClose(found.cosine, right?["cosine"], "cosines of \(name)")
      #expect(found.worstItem == right?["worst_item"]?.integer, "\(name)")
      guard let errors = right?["item_errors"]?.array else { continue }
      try expectClose(found.centredCosine, right?["centred_cosine"], "centred cosines of \(name)")
      #expect(found.itemErrors.count == errors.count)
      for (error, json) in zip(found.itemErrors, errors) { try expectClose(error, json, "items of \(name)") }
    }
  }

  @Test func differentTokensAndPixelsAreFound() throws {
    let tokens = try stage("tokens")
    #expect(tokens.error == 2 && tokens.differing == 2 && tokens.count == 28)
    #expect(tokens.remark?.hasPrefix("text 2, position 1: ") == true)
    let pixels = try stage("pixels")
    #expect(pixels.differing == 2 && pixels.worstItem == 3)
    #expect(pixels.error == 2 || pixels.error == 6)
    #expect(pixels.remark?.hasPrefix("image 3, row 0, column 0, green: ") == true)
  }

  @Test func rankingsAreThoseOfSciPy() throws {
    let json = expected["ranking"]
    try expectClose(result.ranking?.top1, json?["top1"], "top-1")
    try expectClose(result.ranking?.top5, json?["top5"], "top-5")
    try expectClose(result.ranking?.spearmanMean, json?["spearman_mean"], "mean correlation")
    try expectClose(result.ranking?.spearmanMin, json?["spearman_min"], "smallest correlation")
  }

  @Test(arguments: ModelFamily.allCases) func pairsAreScoredAsTorchDoes(_ family: ModelFamily) throws {
    var reference = try GoldenParts("scores-reference")
    reference.metadata["clipkit.family"] = .string(family.rawValue)
    let result = try verify(
      Golden.open(fixture("golden/scores-candidate.safetensors")), against: Golden(reference.checkpoint))
    for (name, found) in [("reference", result.pairs?.reference), ("candidate", result.pairs?.candidate)] {
      let json = expected["pairs"]?[name]
      try expectClose(found?.imageToText1, json?["image_to_text_1"], "\(name)'s recall@1 of texts")
      try expectClose(found?.imageToText5, json?["image_to_text_5"], "\(name)'s recall@5 of texts")
      try expectClose(found?.textToImage1, json?["text_to_image_1"], "\(name)'s recall@1 of images")
      try expectClose(found?.textToImage5, json?["text_to_image_5"], "\(name)'s recall@5 of images")
      try expectClose(found?.loss, json?["loss"]?[family.rawValue], "\(name)'s loss")
    }
  }
}

/// What is compared, and what departs.
@Suite struct VerdictTests {
  /// transformers' and open_clip's SigLIP of one checkpoint.
  @Test func twoLibrariesAgree() throws {
    let result = try verify(
      Golden.open(fixture("golden/openclip-siglip.safetensors")),
      against: Golden.open(fixture("golden/hf-siglip.safetensors")))
    #expect(result.firstDeparture(Tolerances(.f32)) == nil)
    #expect(result.stages.count == 14)
    #expect(result.stages.filter { ["tokens", "pixels"].contains($0.stage.name) }.allSatisfy { $0.error == 0 })
    #expect(result.stages.contains { $0.error > 0 })
    var strict = Tolerances(.f32)
    try strict.set("hidden", 0)
    #expect(result.firstDeparture(strict)?.stage.name == "image.blocks.0")
    try strict.set("image.blocks.0", 1e-3)
    #expect(result.firstDeparture(strict)?.stage.name == "image.blocks.1")
  }

  private func verdict(_ change: (inout GoldenParts) throws -> Void, towers: TowerSelection = .both) throws
    -> StageComparison?
  {
    var parts = try GoldenParts("openclip-vit")
    try change(&parts)
    let result = try verify(
      Golden(parts.checkpoint), against: Golden.open(fixture("golden/openclip-vit.safetensors")), towers: towers)
    return result.firstDeparture(Tolerances(.int8))
  }

  @Test func numbersThatAreNotFiniteDepart() throws {
    let first = try verdict { try $0.patch("text.blocks.1", at: 0, [0, 0, 0xC0, 0x7F]) }
    #expect(first?.stage.name == "text.blocks.1")
    #expect(first?.error == .infinity)
    #expect(first?.remark == "1 of 384 numbers are not finite")
  }

  @Test func anotherShapeDeparts() throws {
    let first = try verdict { parts in
      for name in ["image.stem", "image.blocks.0", "image.blocks.1"] { try parts.zero(name, .f32, [3, 5, 32]) }
    }
    #expect(first?.stage.name == "image.stem")
    #expect(first?.remark == "shape [3, 5, 32], the reference's is [3, 17, 32]")
  }

  @Test func aMissingBlockDeparts() throws {
    let first = try verdict { $0.tensors["text.blocks.2"] = nil }
    #expect(first?.stage.name == "text.blocks.2")
    #expect(first?.remark == "the candidate has none")
  }

  @Test func anEncoderRecordedFromOutsideIsComparedThere() throws {
    var parts = try GoldenParts("openclip-vit")
    for name in parts.tensors.keys where name.hasPrefix("image.") { parts.tensors[name] = nil }
    let reference = try Golden.open(fixture("golden/openclip-vit.safetensors"))
    let result = try verify(Golden(parts.checkpoint), against: reference)
    #expect(result.firstDeparture(Tolerances(.f32)) == nil)
    #expect(result.notes == ["image blocks are not compared: the candidate has none recorded"])
    #expect(!result.stages.contains { $0.stage.name == "image.pooled" })
  }

  @Test func aMissingTowerDepartsUnlessTheOtherIsAskedFor() throws {
    func withoutTexts(_ parts: inout GoldenParts) {
      for name in parts.tensors.keys where ["text", "logit", "input", "token"].contains(where: name.hasPrefix) {
        parts.tensors[name] = nil
      }
    }
    #expect(try verdict(withoutTexts)?.stage.name == "tokens")
    #expect(try verdict(withoutTexts, towers: .image) == nil)
  }

  @Test func otherInputsAreNoComparison() throws {
    let reference = try Golden.open(fixture("golden/openclip-vit.safetensors"))
    var parts = try GoldenParts("openclip-vit")
    try parts.patch("images.1", at: 0, [0])
    let error = #expect(throws: FileError.self) { try verify(Golden(parts.checkpoint), against: reference) }
    #expect(error?.message == "the candidate was given another image 1")
    let rn = try Golden.open(fixture("golden/openclip-rn.safetensors"))
    let counts = #expect(throws: FileError.self) { try verify(rn, against: reference) }
    #expect(counts?.message == "the candidate was given 2 images, the reference 3")
  }

  @Test func unknownStagesAndNegativeTolerancesAreRefused() throws {
    var tolerances = Tolerances(.f32)
    #expect(throws: FileError.self) { try tolerances.set("image.blocks.01", 1) }
    #expect(throws: FileError.self) { try tolerances.set("blocks", 1) }
    #expect(throws: FileError.self) { try tolerances.set("hidden", -1) }
    #expect(throws: FileError.self) { try tolerances.set("hidden", .nan) }
    #expect(throws: FileError.self) { try tolerances.set("hidden", .infinity) }
  }
}

@Suite struct SavedResultTests {
  private func result() throws -> Verification {
    var parts = try GoldenParts("scores-candidate")
    try parts.patch("text.blocks.0", at: 0, [0, 0, 0xC0, 0x7F])
    return try verify(Golden(parts.checkpoint), against: Golden.open(fixture("golden/scores-reference.safetensors")))
  }

  @Test func aSavedResultIsTheSame() throws {
    let result = try result()
    let text = result.json(Tolerances(.f16)).text(pretty: true)
    let again = try Verification(JSONValue(parsing: Array(text.utf8)))
    #expect(again == result)
    #expect(again.stages.contains { $0.error == .infinity })
  }

  @Test func tolerancesAreJudgedAnew() throws {
    let result = try result()
    let strict = result.json(Tolerances(.f16))
    #expect(strict["passed"]?.bool == false)
    #expect(strict["first_departure"]?.string == "tokens")
    var loose = Tolerances(.int8)
    for (name, limit) in [("tokens", 2.0), ("pixels", 6), ("pixel_values", 1), ("logits", 1), ("embeddings", 1)] {
      try loose.set(name, limit)
    }
    #expect(result.json(loose)["first_departure"]?.string == "text.blocks.0")
    let finite = try verify(
      Golden.open(fixture("golden/scores-candidate.safetensors")),
      against: Golden.open(fixture("golden/scores-reference.safetensors")))
    #expect(finite.json(loose)["first_departure"] == .null)
    #expect(finite.json(loose)["passed"]?.bool == true)
  }

  @Test(arguments: [
    ("\"verification\": 1", "\"verification\": 2", "saved result of another version, known is 1"),
    ("\"images\": [", "\"images\": [7, ", "saved result: images of result is not a list of texts"),
    (
      "\"images\": [", "\"images\": [\"x\", ",
      "saved result: image_embeds speaks of other images or texts than there are"
    ),
    ("\"stage\": \"logits\"", "\"stage\": \"lodgings\"", "saved result: no stage is called 'lodgings'"),
    ("\"differing\": ", "\"differing\": -", "saved result: differing of stages[0] is not a count"),
    ("\"top1\": ", "\"top1\": null, \"x\": ", "saved result: top1 of ranking is not a number"),
    ("\"pairs\": {", "\"pairs\": {\"candidate\": 3}, \"x\": {", "saved result: reference of pairs is not an object"),
  ])
  func spoiledResultsAreRefused(_ from: String, _ to: String, _ message: String) throws {
    let text = try result().json(Tolerances(.f32)).text(pretty: true)
    let range = try #require(text.firstRange(of: from))
    let spoiled = text.replacingCharacters(in: range, with: to)
    let error = #expect(throws: FileError.self) { try Verification(JSONValue(parsing: Array(spoiled.utf8))) }
    #expect(error?.message == message)
  }
}

extension String {
  fileprivate func replacingCharacters(in range: Range<Index>, with other: String) -> String {
    self[..<range.lowerBound] + other + self[range.upperBound...]
  }
}
