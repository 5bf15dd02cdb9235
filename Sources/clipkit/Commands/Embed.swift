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

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Images, directories of them, or - for a list of paths on standard input: all that follows up to the next option.",
      valueName: "path"),
    completion: .file())
  var images: [String] = []

  @Option(
    help: ArgumentHelp(
      "Prompts: a file of lines or a JSON array of strings, or - for standard input.", valueName: "file"),
    completion: .file())
  var prompts: String?

  @Option(name: .shortAndLong, help: ArgumentHelp("The file to write.", valueName: "file"), completion: .file())
  var output: String?

  @Flag(
    name: [.customShort("0"), .customLong("null")], help: "Paths on standard input end with NUL, not with a newline.")
  var nulSeparated = false

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

  @Flag(help: "Replace an existing output.")
  var force = false

  @Flag(help: "Flush to the disk before the output gets its name, so that it survives a power cut.")
  var sync = false

  @OptionGroup var reading: ReadingOptions
  @OptionGroup var config: ConfigArguments
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard !images.isEmpty || prompts != nil else { throw ValidationError("Give --images, --prompts or both.") }
    guard !images.contains("-") || images.count == 1 else {
      throw ValidationError("--images - takes a list from standard input, and no paths beside it.")
    }
    guard images != ["-"] || prompts != "-" else {
      throw ValidationError("--images and --prompts cannot both come from standard input.")
    }
    guard !nulSeparated || images == ["-"] else { throw ValidationError("--null goes with --images -.") }
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
    let imageList = try listedImages()
    let promptList = try listedPrompts()
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
    options.policy = FileWriter.Policy(
      force: force, sync: sync, inputs: prompts.flatMap(FileIdentity.init(path:)).map { [$0] } ?? [])
    options.toolVersion = toolVersion
    options.onProgress = { progress.add($0, of: $1) }
    // A failure is a result, which --quiet does not hide.
    options.onFailure = { progress.interrupt(with: "error: \($0)\n") }
    let target = output.map { EmbeddingTarget.file($0) } ?? .lines { Output.write($0) }
    let report = try embed(inputPath(model), images: imageList, prompts: promptList, to: target, options: options)
    progress.finish()
    reporting.warn(report.warnings)
    let code: Int32 = report.failures.isEmpty ? 0 : 1
    if output != nil {
      Output.write(reporting.json ? report.json.text(pretty: true) : report.text, exitCode: code)
    } else if !reporting.quiet {
      Output.writeError(report.text)
    }
    if code != 0 { throw ExitCode(code) }
  }

  private func listedImages() throws(FileError) -> ImageList? {
    guard images == ["-"] else { return images.isEmpty ? nil : try ImageList(images) }
    do throws(FileError) {
      return try ImageList(parsing: StandardInput.read(atMost: Limits.list), nulSeparated: nulSeparated)
    } catch {
      throw error.located(file: StandardInput.name)
    }
  }

  private func listedPrompts() throws(FileError) -> PromptList? {
    guard let prompts, prompts == "-" else {
      return try prompts.map { (path) throws(FileError) in try PromptList(contentsOf: path) }
    }
    do throws(FileError) {
      return try PromptList(parsing: StandardInput.read(atMost: Limits.list))
    } catch {
      throw error.located(file: StandardInput.name)
    }
  }
}
