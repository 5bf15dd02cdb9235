import ArgumentParser
import CLIPModels
import Checkpoints

struct Reference: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Record what a model makes of images and prompts, as a golden file.",
    discussion: """
      The golden file holds the image files, prompts, token ids, pixels, embeddings and logits, with --blocks also what \
      is inside the encoders: all that verify needs to hold another model, or another implementation, against this \
      one. tools/make_reference.py writes the same file from open_clip or transformers.
      """)

  @Argument(help: "A model file, a shards' index, or a directory.", completion: .file())
  var model: String

  @OptionGroup var inputs: RecordingInputs

  @Option(name: .shortAndLong, help: ArgumentHelp("The golden file to write.", valueName: "file.safetensors"))
  var output: String

  @Flag(help: "Record every block's output too.")
  var blocks = false

  @Option(help: "The encoders to record.")
  var tower = TowerSelection.both

  @Option(help: "Threads; all cores by default.")
  var threads: Int?

  @OptionGroup var writing: WritingOptions
  @OptionGroup var reading: ReadingOptions
  @OptionGroup var config: ConfigArguments
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard (threads ?? 1) > 0 else { throw ValidationError("--threads is at least 1.") }
  }

  func run() throws {
    try checkInputs(inputs.images, inputs.prompts)
    let checkpoint = try Checkpoint.open(inputPath(model), options: reading.reading)
    guard let model = try CLIPModel(checkpoint, options: config.options) else {
      throw FileError(.unsupported, "no dialect names these tensors: not a CLIP that is known", file: self.model)
    }
    guard let given = try inputs.read() else { return }
    let lacksImages = !inputs.images.images.isEmpty && (!model.config.hasVision || tower == .text)
    guard !lacksImages, inputs.prompts.isEmpty || (model.config.hasText && tower != .image) else {
      throw FileError(
        .usage, "\(lacksImages ? "images" : "prompts"), and no encoder for them is recorded", file: self.model)
    }
    guard output.hasSuffix(".safetensors") else {
      throw FileError(.usage, "a golden file is written as .safetensors", file: output)
    }
    let policy = writing.policy(inputs: checkpoint.files.map(\.identity) + given.files)
    try FileWriter.check(output, policy: policy)
    var options = GoldenRecorder.Options()
    (options.towers, options.blocks, options.threads) = (tower, blocks, threads)
    (options.producer, options.name) = ("clipkit \(toolVersion)", lastComponent(of: self.model))
    let progress = ProgressBar("encoding", unit: .items("input"), isQuiet: reporting.quiet)
    options.onProgress = { progress.add($0, of: $1) }
    let golden = try GoldenRecorder.record(model, given.inputs, options: options)
    progress.finish()
    try golden.write(to: output, policy: policy)
    let report: JSONValue = [
      "schema": 1, "output": .string(output), "images": JSONValue(golden.imageCount),
      "prompts": JSONValue(golden.textCount), "stages": .array(golden.stages.map { .string($0.name) }),
    ]
    let counts = "\(counted(golden.imageCount, "image")), \(counted(golden.textCount, "prompt"))"
    Output.write(
      reporting.json
        ? report.text(pretty: true)
        : "\(escaped(output, limit: 4096)): \(counts), \(counted(golden.stages.count, "stage"))\n")
  }
}

/// What models are given to be recorded.
struct RecordingInputs: ParsableArguments {
  @OptionGroup var images: ImageArguments
  @OptionGroup var prompts: PromptArguments

  var isEmpty: Bool { images.images.isEmpty && prompts.isEmpty }

  /// The inputs, and the files that they are in; nil when there are none.
  func read() throws(FileError) -> (inputs: GoldenInputs, files: [FileIdentity])? {
    guard !isEmpty else { return nil }
    try checkInputs(images, prompts)
    let paths = try images.list()?.paths ?? []
    let texts = try prompts.list()?.prompts ?? []
    let files = paths.compactMap { FileIdentity(path: $0) } + prompts.files
    return (try GoldenInputs(imagePaths: paths, prompts: texts), files)
  }
}
