import ArgumentParser
import CLIPModels
import Checkpoints

struct Embed: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Encode images and prompts.",
    discussion: """
      Writes a row of unit length for each image and each prompt, in their order, with the paths and prompts beside \
      them. The output's extension chooses the format: .npz, .safetensors, .npy, or .jsonl, which without -o goes to \
      standard output as it comes. An image that cannot be decoded has no row; the others go on, and the exit code is \
      1 at the end.
      """)

  @Argument(help: "A model file, a shards' index, or a directory.", completion: .file())
  var model: String

  @OptionGroup var images: ImageArguments
  @OptionGroup var prompts: PromptArguments

  @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file"), completion: .file())
  var output: String?

  @Flag(help: "Leave rows as the projection makes them, not of unit length.")
  var raw = false

  @Option(help: ArgumentHelp("Embed only part I of N consecutive parts of the inputs.", valueName: "i/n"))
  var shard = Shard.whole

  @Option(help: ArgumentHelp("Inputs that are encoded together; it changes no number.", valueName: "n"))
  var batch = EmbeddingOptions().batch

  @Option(help: "Threads; all cores by default.")
  var threads: Int?

  @Flag(help: "End at the first image that cannot be decoded, and write nothing.")
  var failFast = false

  @Flag(help: "Take what there is of a picture whose file is cut short.")
  var allowTruncated = false

  @Flag(help: "Store the model's hash in the output.")
  var provenance = false

  @OptionGroup var writing: WritingOptions
  @OptionGroup var reading: ReadingOptions
  @OptionGroup var config: ConfigArguments
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard (1...4096).contains(batch) else { throw ValidationError("--batch is 1 to 4096.") }
    guard (threads ?? 1) > 0 else { throw ValidationError("--threads is at least 1.") }
    guard output != nil || !reporting.json else {
      throw ValidationError("--json needs -o: without it standard output holds the embeddings.")
    }
  }

  func run() throws {
    guard output != "-" else {
      throw FileError(.usage, "without -o embeddings go to standard output", hint: "Use ./- for a file named '-'")
    }
    try checkInputs(images, prompts)
    let imageList = try images.list()
    let promptList = try prompts.list()
    let progress = ProgressBar("embedding", unit: .items("input"), isQuiet: reporting.quiet)
    var options = EmbeddingOptions()
    options.reading = reading.reading
    options.config = config.options
    options.decoding.allowsTruncated = allowTruncated
    options.normalizes = !raw
    options.batch = batch
    options.threads = threads
    options.shard = shard
    options.failsFast = failFast
    options.provenance = provenance
    options.policy = writing.policy(inputs: prompts.files)
    options.toolVersion = toolVersion
    options.onProgress = { progress.add($0, of: $1) }
    // A failure is a result, which --quiet does not hide.
    options.onFailure = {
      Output.expectExitCode(1)
      progress.interrupt(with: "error: \($0)\n")
    }
    let target = output.map { EmbeddingTarget.file($0) } ?? .lines { Output.write($0) }
    let report = try embed(inputPath(model), images: imageList, prompts: promptList, to: target, options: options)
    progress.finish()
    reporting.warn(report.warnings)
    let code: Int32 = report.failures.isEmpty ? 0 : 1
    if output != nil {
      Output.write(reporting.json ? report.json.text(pretty: true) : report.text)
    } else if !reporting.quiet {
      Output.writeError(report.text)
    }
    if code != 0 { throw ExitCode(code) }
  }
}
