import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// A golden file taken apart, to be spoiled and put together again.
struct GoldenParts {
  var metadata: Metadata
  var tensors: [String: Tensor] = [:]

  init(_ name: String) throws {
    let checkpoint = try Checkpoint.open(fixture("golden/\(name).safetensors"))
    metadata = checkpoint.metadata
    for name in checkpoint.names { tensors[name] = checkpoint[name] }
  }

  var checkpoint: Checkpoint {
    get throws {
      var checkpoint = Checkpoint(metadata: metadata)
      for name in tensors.keys.sorted() { if let tensor = tensors[name] { try checkpoint.add(tensor, named: name) } }
      return checkpoint
    }
  }

  /// Replaces a tensor by one of that type and shape, of zeros.
  mutating func zero(_ name: String, _ dtype: DType, _ shape: [Int]) throws {
    let bytes = Bytes([UInt8](repeating: 0, count: try dtype.byteCount(shape: shape)))
    tensors[name] = try Tensor(dtype: dtype, shape: shape, bytes: bytes)
  }

  /// Overwrites bytes of a tensor.
  mutating func patch(_ name: String, at offset: Int, _ bytes: [UInt8]) throws {
    let tensor = try #require(tensors[name])
    var all = try tensor.bytes.load()
    all.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
    tensors[name] = try Tensor(dtype: tensor.dtype, shape: tensor.shape, bytes: Bytes(all))
  }
}

@Suite struct GoldenTests {
  @Test func filesOfTheRealLibrariesAreRead() throws {
    let golden = try Golden.open(fixture("golden/hf-clip.safetensors"))
    #expect(golden.imageNames == ["wide.png", "tall.jpg", "square.png"])
    #expect(golden.prompts == ["a photo of a cat", "The dog in the photo", "a cat &amp; a dog!"])
    #expect(golden.family == .clip)
    #expect(golden.pairs == [0, 1, 2])
    #expect(
      golden.stages.map(\.name) == [
        "tokens", "pixels", "pixel_values", "image.stem", "image.blocks.0", "image.blocks.1", "image.pooled",
        "image_embeds", "text.stem", "text.blocks.0", "text.blocks.1", "text.blocks.2", "text.pooled", "text_embeds",
        "logits",
      ])
    #expect(try golden.image(0).slice(0, 4).load() == [0x89, 0x50, 0x4E, 0x47])
    #expect(abs(golden.logitScale - 1 / 0.07) < 1e-5)
    // Start of text, the tokens of the words, end of text.
    #expect(golden.tokenCounts[0] == 7)
  }

  @Test(arguments: ["openclip-vit", "openclip-rn", "openclip-siglip", "hf-siglip", "hf-square", "scores-reference"])
  func everyKindOfModelIsRead(_ name: String) throws {
    let golden = try Golden.open(fixture("golden/\(name).safetensors"))
    #expect((golden.family == .siglip) == name.hasSuffix("siglip"))
    #expect((golden.prompts != nil) == (name == "hf-square"))
  }

  @Test func aFileThatIsWrittenIsTheSame() throws {
    let directory = try TemporaryDirectory()
    let path = fixture("golden/openclip-vit.safetensors")
    let golden = try Golden.open(path)
    try golden.write(to: directory.file("copy.safetensors"), policy: FileWriter.Policy())
    let copy = try Golden.open(directory.file("copy.safetensors"))
    #expect(copy.checkpoint.sortedNames == golden.checkpoint.sortedNames)
    #expect(try verify(copy, against: golden).stages.allSatisfy { $0.differing == 0 && $0.error == 0 })
  }

  @Test func oneTowerAloneIsEnough() throws {
    var parts = try GoldenParts("hf-clip")
    for name in parts.tensors.keys where name.hasPrefix("text") || name.hasPrefix("logit") { parts.tensors[name] = nil }
    for name in ["input_ids", "token_counts"] { parts.tensors[name] = nil }
    parts.metadata["clipkit.prompts"] = nil
    let golden = try Golden(parts.checkpoint)
    #expect(golden.textCount == 0 && golden.imageCount == 3)
    #expect(golden.stages.last?.name == "image_embeds")
  }
}

/// One thing that is wrong with a golden file, and what the error says.
struct SpoiledGolden: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let message: String
  let spoil: @Sendable (inout GoldenParts) throws -> Void

  init(_ title: String, _ message: String, _ spoil: @escaping @Sendable (inout GoldenParts) throws -> Void) {
    (testDescription, self.message, self.spoil) = (title, message, spoil)
  }

  static let all: [SpoiledGolden] = [
    SpoiledGolden("version", "golden file of version '2', known is 1") { $0.metadata["clipkit.golden"] = .string("2") },
    SpoiledGolden("family", "clipkit.family is not one of clip, siglip") { $0.metadata["clipkit.family"] = nil },
    SpoiledGolden("prompts", "clipkit.prompts is not a JSON array") {
      $0.metadata["clipkit.prompts"] = .string("a photo")
    },
    SpoiledGolden("numbers among prompts", "clipkit.prompts holds more than texts") {
      $0.metadata["clipkit.prompts"] = .string(#"["a", 1, "b"]"#)
    },
    SpoiledGolden("count of prompts", "tensor 'input_ids': 3 rows for 1 prompts") {
      $0.metadata["clipkit.prompts"] = .string(#"["a photo"]"#)
    },
    SpoiledGolden("no ids", "tensor 'input_ids': not in the golden file") { $0.tensors["input_ids"] = nil },
    SpoiledGolden("type of ids", "tensor 'input_ids': i64 numbers, expected i32") {
      try $0.zero("input_ids", .i64, [3, 16])
    },
    SpoiledGolden("negative id", "tensor 'input_ids': id -2 is negative") {
      try $0.patch("input_ids", at: 4, [0xFE, 0xFF, 0xFF, 0xFF])
    },
    SpoiledGolden("no counts", "tensor 'token_counts': not in the golden file") { $0.tensors["token_counts"] = nil },
    SpoiledGolden("count of none", "tensor 'token_counts': count 0, allowed 1 to 16") {
      try $0.zero("token_counts", .i32, [3])
    },
    SpoiledGolden("count beyond", "tensor 'token_counts': count 17, allowed 1 to 16") {
      try $0.patch("token_counts", at: 0, [17, 0, 0, 0])
    },
    SpoiledGolden("another count", "tensor 'text.stem': shape [27, 16], expected [26, any]") {
      try $0.patch("token_counts", at: 0, [6, 0, 0, 0])
    },
    SpoiledGolden("no image", "tensor 'images.1': not in the golden file") { $0.tensors["images.1"] = nil },
    SpoiledGolden("empty image", "tensor 'images.1': shape [0], expected [any]") { try $0.zero("images.1", .u8, [0]) },
    SpoiledGolden("image without a name", "tensor 'images.3': has no place in this golden file") {
      try $0.zero("images.3", .u8, [9])
    },
    SpoiledGolden("oblong pixels", "tensor 'pixels': shape [3, 16, 8, 3], expected [3, 16, 16, 3]") {
      try $0.zero("pixels", .u8, [3, 16, 8, 3])
    },
    SpoiledGolden("pixel values", "tensor 'pixel_values': shape [3, 3, 8, 8], expected [3, 3, 16, 16]") {
      try $0.zero("pixel_values", .f32, [3, 3, 8, 8])
    },
    SpoiledGolden("half precision", "tensor 'image_embeds': f16 numbers, expected f32 or f64") {
      try $0.zero("image_embeds", .f16, [3, 24])
    },
    SpoiledGolden("gap between blocks", "tensor 'text.blocks.1': not in the golden file") {
      $0.tensors["text.blocks.1"] = nil
    },
    SpoiledGolden("no stem", "tensor 'image.stem': not in the golden file") { $0.tensors["image.stem"] = nil },
    SpoiledGolden("other length", "tensor 'text_embeds': images' embeddings have another length") {
      try $0.zero("text_embeds", .f32, [3, 8])
    },
    SpoiledGolden("logits", "tensor 'logits_per_image': shape [3, 2], expected [3, 3]") {
      try $0.zero("logits_per_image", .f32, [3, 2])
    },
    SpoiledGolden("scale", "tensor 'logit_scale': 0.0 is not a positive factor") {
      try $0.zero("logit_scale", .f32, [])
    },
    SpoiledGolden("pairs", "tensor 'pairs': image 3, allowed -1 to 2") {
      try $0.zero("pairs", .i32, [3])
      try $0.patch("pairs", at: 4, [3, 0, 0, 0])
    },
    SpoiledGolden("unknown tensor", "tensor 'image.block': has no place in this golden file") {
      try $0.zero("image.block", .f32, [3, 17, 32])
    },
    SpoiledGolden("not finite", "tensor 'text.blocks.0': number 1 is inf") {
      try $0.patch("text.blocks.0", at: 4, [0, 0, 0x80, 0x7F])
    },
    SpoiledGolden("not of length 1", "tensor 'image_embeds': row 0 has length 0.0, expected 1") {
      try $0.zero("image_embeds", .f32, [3, 24])
    },
  ]
}

@Test(arguments: SpoiledGolden.all)
func spoiledGoldenFilesAreRefused(_ spoiled: SpoiledGolden) throws {
  var parts = try GoldenParts("hf-clip")
  try spoiled.spoil(&parts)
  let error = #expect(throws: FileError.self) {
    let golden = try Golden(parts.checkpoint)
    try golden.checkNumbers()
  }
  #expect(error?.description == spoiled.message)
}

@Test func otherFilesAreNoGoldenFiles() throws {
  let error = #expect(throws: FileError.self) {
    try Golden.open(fixture("checkpoints/openclip-vit/open_clip_model.safetensors"))
  }
  #expect(error?.message == "not a golden file: no 'clipkit.golden' in its metadata")
}
