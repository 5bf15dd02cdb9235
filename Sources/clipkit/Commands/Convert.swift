import ArgumentParser
import CLIPModels
import Checkpoints

struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model in another format, naming, type or layout.",
    discussion: """
      The output's extension chooses the format (.safetensors, .pt, .gguf, .npz, .onnx), or --format does; --layout writes a \
      directory that transformers or open_clip loads, or ONNX files as transformers.js, Optimum or immich do. Names stay as they are unless --dialect says otherwise. The \
      report says what was renamed, dropped and cast. Nothing is written when anything fails.
      """)

  @Argument(help: "A model file, a shards' index, or a directory.", completion: .file())
  var input: String

  @Argument(help: "The file to write, or with --layout or --shard-size the directory.", completion: .file())
  var output: String

  @Option(
    help: "The output's format: \(allFormats.map { $0.name }.joined(separator: ", ")).",
    completion: .list(allFormats.map { $0.name }))
  var format: String?

  @Option(
    help: "The output's tensor names: \(Dialect.writableNames.joined(separator: ", ")).",
    completion: .list(Dialect.writableNames))
  var dialect: String?

  @Option(
    help: ArgumentHelp(
      """
      The type of floating-point tensors: \(TargetType.names.joined(separator: ", ")) (default: keep). ONNX computes in \
      f16 with f16, in f32 with every other; bf16-weights is bf16 under a name that says so.
      """),
    completion: .list(TargetType.names), transform: TargetType.named)
  var dtype = TargetType.keep

  @Flag(help: "Quantize tensors that hold NaN or infinities too; their blocks read back as NaN.")
  var allowNonfinite = false

  @Option(help: "The encoders to keep.")
  var tower = TowerSelection.both

  @Option(
    help: """
      Write the directory that a library loads: transformers (hf) or open_clip, or of ONNX files transformers.js, Optimum \
      or immich. flat is one ONNX file with nothing beside it.
      """)
  var layout: DirectoryLayout?

  @Option(
    help: ArgumentHelp("Write a directory with shards of at most this many bytes (500MB, 2GB).", valueName: "size"))
  var shardSize: ByteCount?

  @Option(help: ArgumentHelp("ONNX: the version of its operators, 17 to 23 (default: 17).", valueName: "version"))
  var opset: Int?

  @Flag(
    inversion: .prefixedNo,
    help: "ONNX: divide embeddings by their length, or not. By default as the layout's consumers expect.")
  var normalize: Bool?

  @Option(
    help: "ONNX: when tensors' data goes to a file beside the model (default: auto, when one file cannot hold it).")
  var externalData: ONNXOptions.ExternalData?

  @Flag(help: "ONNX: compute a ResNet's batch norms into its convolutions.")
  var foldBatchNorm = false

  @Flag(help: "Plan, check and measure; write nothing.")
  var dryRun = false

  @OptionGroup var writing: WritingOptions

  @Flag(help: "Store the sha256 of the source and the model's hash in the output.")
  var provenance = false

  @Flag(help: "List every tensor in the report.")
  var tensors = false

  @OptionGroup var reading: ReadingOptions
  @OptionGroup var config: ConfigArguments
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    guard output != "-" else { throw FileError(.usage, "models are written to files, not to standard output") }
    let progress = ProgressBar("converting", isQuiet: reporting.quiet)
    var options = ConversionOptions()
    options.reading = reading.reading
    options.format = format
    options.dialect = dialect
    options.dtype = dtype.dtype
    options.allowNonFinite = allowNonfinite
    options.towers = tower
    options.layout = layout
    options.shardSize = shardSize?.count
    options.onnx.opset = opset
    options.onnx.normalizes = normalize
    options.onnx.foldsNorms = foldBatchNorm
    options.onnx.externalData = externalData
    options.config = config.options
    options.policy = writing.policy()
    options.dryRun = dryRun
    options.provenance = provenance
    options.toolVersion = toolVersion
    options.onProgress = { progress.add($0, of: $1) }
    let report = try convert(inputPath(input), to: output, options: options)
    progress.finish()
    reporting.warn(report.warnings)
    Output.write(reporting.json ? report.json.text(pretty: true) : report.text(listsTensors: tensors))
  }
}

/// The type that floating-point tensors get.
enum TargetType: String, CaseIterable, CustomStringConvertible {
  case keep, f32, f16, bf16, f64
  case q8 = "q8_0"
  /// The same as bf16: ONNX computes in f32 from such weights.
  case bf16Weights = "bf16-weights"

  static var names: [String] { allCases.map(\.rawValue) }
  var description: String { rawValue }

  /// What other programs call the types.
  private static let spellings: [String: TargetType] = [
    "fp32": .f32, "float32": .f32, "float": .f32, "single": .f32, "fp16": .f16, "float16": .f16, "half": .f16,
    "bfloat16": .bf16, "fp64": .f64, "float64": .f64, "double": .f64, "q8": .q8, "int8": .q8,
  ]

  static func named(_ name: String) throws -> TargetType {
    if let type = TargetType(rawValue: name) { return type }
    guard let meant = spellings[name.lowercased()] ?? TargetType(rawValue: name.lowercased()) else {
      throw ValidationError("allowed are \(names.joined(separator: ", "))")
    }
    throw ValidationError("did you mean \(meant)?")
  }

  var dtype: DType? { self == .bf16Weights ? .bf16 : DType(rawValue: rawValue) }
}

/// A number of bytes, with a unit in powers of ten: 500MB, 2GB, 1000000.
struct ByteCount: ExpressibleByArgument {
  let count: Int

  init?(argument: String) {
    let digits = argument.prefix { $0.isNumber && $0.isASCII }
    let scales = ["": 1, "B": 1, "KB": 1000, "MB": 1_000_000, "GB": 1_000_000_000]
    guard let number = Int(digits), number > 0, let scale = scales[argument.dropFirst(digits.count).uppercased()],
      case let (count, overflow) = number.multipliedReportingOverflow(by: scale), !overflow
    else { return nil }
    self.count = count
  }
}
