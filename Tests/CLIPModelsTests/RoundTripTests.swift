import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// A source, a format and a dialect to go through.
struct Route: CustomTestStringConvertible, Sendable {
  let source: String
  let format: String
  let dialect: String
  var testDescription: String { "\(source) → \(format), \(dialect) → back" }

  /// Every source × every format × every dialect of its family.
  static let all: [Route] = {
    let vit = ["openai", "open_clip-custom", "hf", "clip.cpp", "llama.cpp"]
    let dialects: [String: [String]] = [
      "openclip-vit": vit, "openclip-custom": vit, "hf-clip": vit, "openai-vit.pt": vit,
      "openclip-vit-mixed-f16.safetensors": vit, "openclip-vit-compiled-bf16.pt": vit, "hf-text": vit,
      "openclip-rn": ["openai", "open_clip-custom"], "hf-siglip": ["hf", "open_clip-custom"],
      "openclip-siglip": ["hf", "open_clip-custom"], "siglip-big-vision.npz": ["hf", "open_clip-custom"],
      "big-vision-class-token.npz": ["open_clip-custom"], "big-vision-average.npz": ["open_clip-custom"],
    ]
    // A graph needs facts that these do not state, has no use for a ResNet's counters, and scalars as tensors.
    let withoutGraph: Set = [
      "openclip-vit-mixed-f16.safetensors", "openclip-vit-compiled-bf16.pt", "big-vision-average.npz",
      "openclip-siglip", "openclip-rn",
    ]
    return dialects.keys.sorted().flatMap { source in
      allFormats.flatMap { format in
        (dialects[source] ?? []).map { Route(source: source, format: format.name, dialect: $0) }
      }
    }.filter { $0.format != ONNX.name || (!withoutGraph.contains($0.source) && $0.dialect != "clip.cpp") }
  }()
}

/// A → any format, any dialect → A: the same tensors, bit for bit.
@Test(arguments: Route.all)
func conversionLosesNothing(_ route: Route) throws {
  let directory = try TemporaryDirectory()
  let source = fixture("checkpoints/\(route.source)")
  let model = try #require(try CLIPModel.open(source))
  let expected = try Manifest(model)

  var there = ConversionOptions()
  there.format = route.format
  there.dialect = route.dialect
  let middle = directory.file("middle")
  _ = try convert(source, to: middle, options: there)
  let converted = try #require(try CLIPModel.open(middle))
  #expect(try Manifest(converted) == expected)
  #expect(converted.dialect.name == route.dialect)
  #expect(
    converted.config.facts.filter { !isAssumed($0.key, model.config) }
      == model.config.facts.filter { !isAssumed($0.key, model.config) })

  var back = ConversionOptions()
  back.format = model.checkpoint.format == "npz" ? "safetensors" : model.checkpoint.format
  back.dialect = model.dialect.isWritable ? model.dialect.name : route.dialect
  _ = try convert(middle, to: directory.file("back"), options: back)
  let returned = try #require(try CLIPModel.open(directory.file("back")))
  #expect(try Manifest(returned) == expected)
}

private func isAssumed(_ field: ConfigField, _ config: ModelConfig) -> Bool {
  if case .assumed = config.origins[field] { true } else { false }
}

/// The same input gives the same bytes, whatever the run.
@Test(arguments: allFormats.map { $0.name })
func outputIsDeterministic(_ format: String) throws {
  let directory = try TemporaryDirectory()
  var options = ConversionOptions()
  options.format = format
  options.provenance = true
  var outputs: [[UInt8]] = []
  for threads in [1, 2, 8] {
    options.threads = threads
    let path = directory.file("out-\(threads)")
    _ = try convert(fixture("checkpoints/hf-clip"), to: path, options: options)
    outputs.append(try Bytes(InputFile(path)).load())
  }
  #expect(outputs[0] == outputs[1])
  #expect(outputs[0] == outputs[2])
}

/// A dry run says the size that the file then has.
@Test(arguments: allFormats.map { $0.name })
func dryRunMeasuresExactly(_ format: String) throws {
  let directory = try TemporaryDirectory()
  var options = ConversionOptions()
  options.format = format
  let path = directory.file("out")
  let report = try convert(
    fixture("checkpoints/openclip-rn"), to: path,
    options: {
      options.dryRun = true; return options
    }())
  #expect(throws: FileError.self) { try InputFile(path) }
  options.dryRun = false
  let written = try convert(fixture("checkpoints/openclip-rn"), to: path, options: options)
  #expect(report.bytes == written.bytes)
  #expect(try InputFile(path).count == written.bytes)
}
