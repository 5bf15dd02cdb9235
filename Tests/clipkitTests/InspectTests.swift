import Checkpoints
import TestSupport
import Testing

@Test func inspectDescribesAFile() throws {
  let run = try Workplace().run("inspect", "tiny.safetensors")
  #expect(run.exitCode == 0)
  #expect(run.stderr.isEmpty)
  #expect(
    run.stdout == """
      tiny.safetensors: safetensors, 152 B
      not a CLIP that clipkit knows, 2 tensors, 8 parameters

      types
        f32  1 tensor  6 numbers  24 B
        u8   1 tensor  2 numbers  2 B

      """)
}

@Test func inspectListsTensorsWithStatistics() throws {
  let run = try Workplace().run("inspect", "tiny.safetensors", "--statistics")
  #expect(run.exitCode == 0)
  // 1 … 6 have the mean 3.5 and the deviation √(35/12).
  #expect(
    run.stdout.hasSuffix(
      """

      tensors
        a.weight  f32  [2, 3]  min 1.00e+00  max 6.00e+00  mean 3.50e+00  std 1.71e+00
        b         u8   [2]     min 7.00e+00  max 8.00e+00  mean 7.50e+00  std 5.00e-01

      """))
}

@Test func inspectAnswersInJSON() throws {
  let run = try Workplace().run("inspect", "tiny.safetensors", "--tensors", "--json")
  #expect(run.exitCode == 0)
  #expect(
    try JSONValue(parsing: Array(run.stdout.utf8)) == [
      "schema": 1, "path": "tiny.safetensors", "format": "safetensors", "format_detail": "", "bytes": 152,
      "tensor_count": 2, "parameters": 8,
      "types": [
        ["name": "f32", "tensors": 1, "elements": 6, "bytes": 24],
        ["name": "u8", "tensors": 1, "elements": 2, "bytes": 2],
      ],
      "tensors": [
        ["name": "a.weight", "canonical_name": .null, "dtype": "f32", "shape": [2, 3], "bytes": 24],
        ["name": "b", "canonical_name": .null, "dtype": "u8", "shape": [2], "bytes": 2],
      ],
      "notes": [], "warnings": [],
    ])
}

/// The numbers are those of the config that the model was made with.
@Test(arguments: ["hf-clip", "openclip-vit", "openclip-vit.pt"])
func inspectStatesTheConfig(_ source: String) throws {
  let run = try Clipkit.run("inspect", fixture("checkpoints/\(source)"), "--json")
  #expect(run.exitCode == 0)
  let json = try JSONValue(parsing: Array(run.stdout.utf8))
  let config = try JSONValue(contentsOf: fixture("checkpoints/hf-clip/config.json"))
  let expected: [(String, JSONValue?)] = [
    ("embed_dim", config["projection_dim"]), ("vision.width", config["vision_config"]?["hidden_size"]),
    ("vision.image_size", config["vision_config"]?["image_size"]),
    ("text.width", config["text_config"]?["hidden_size"]),
    ("text.layers", config["text_config"]?["num_hidden_layers"]),
  ]
  for (field, value) in expected {
    #expect(value != nil && json["config"]?[field]?["value"] == value, "\(field)")
    #expect(json["config"]?[field]?["origin"] == "tensor shapes")
  }
}
