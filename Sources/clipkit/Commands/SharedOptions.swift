public import ArgumentParser
public import CLIPModels
import Checkpoints

/// How a source is read; the same for every verb.
struct ReadingOptions: ParsableArguments {
  @Option(
    name: .customLong("key"),
    help: "The member of a training checkpoint that holds the tensors, when there are several: state_dict, ema …")
  var member: String?

  @Flag(help: "Refuse a PyTorch file that holds anything but tensors and plain values.")
  var strict = false

  @Option(
    help: ArgumentHelp(
      "How many bytes one byte of compressed entries may inflate to, over all above 64 MiB.", valueName: "n"))
  var maxRatio = Limits.zipRatio

  var reading: ReadOptions { ReadOptions(key: member, strict: strict, maxRatio: maxRatio) }

  func validate() throws {
    guard maxRatio > 0 else { throw ValidationError("--max-ratio must be at least 1.") }
  }
}

/// Where a model's config comes from.
struct ConfigArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Take the config from this file (Hugging Face's config.json or open_clip's).", valueName: "file"),
    completion: .file())
  var config: String?

  @Option(help: "Whose conventions hold for what nothing else states.")
  var assume: Conventions?

  var options: ConfigOptions { ConfigOptions(file: config, conventions: assume) }
}

/// The images that are encoded.
struct ImageArguments: ParsableArguments {
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Images, directories of them, or - for a list of paths on standard input: all that follows up to the next option.",
      valueName: "path"),
    completion: .file())
  var images: [String] = []

  @Flag(
    name: [.customShort("0"), .customLong("null")], help: "Paths on standard input end with NUL, not with a newline.")
  var nulSeparated = false

  func validate() throws {
    guard !images.contains("-") || images.count == 1 else {
      throw ValidationError("--images - takes a list from standard input, and no paths beside it.")
    }
    guard !nulSeparated || images == ["-"] else { throw ValidationError("--null goes with --images -.") }
  }

  /// Nil without any.
  func list() throws(FileError) -> ImageList? {
    guard images == ["-"] else { return images.isEmpty ? nil : try ImageList(images) }
    do throws(FileError) {
      return try ImageList(parsing: StandardInput.read(atMost: Limits.list), nulSeparated: nulSeparated)
    } catch {
      throw error.located(file: StandardInput.name)
    }
  }
}

/// The prompts that are encoded.
struct PromptArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Prompts: a file of lines or a JSON array of strings, or - for standard input.", valueName: "file"),
    completion: .file())
  var prompts: String?

  @Option(help: ArgumentHelp("One prompt, after those of --prompts; may be repeated.", valueName: "text"))
  var prompt: [String] = []

  var isEmpty: Bool { prompts == nil && prompt.isEmpty }
  /// The files that they are in.
  var files: [FileIdentity] { prompts.flatMap(FileIdentity.init(path:)).map { [$0] } ?? [] }

  /// Nil without any.
  func list() throws(FileError) -> PromptList? {
    guard !isEmpty else { return nil }
    let listed = try listed()
    return prompt.isEmpty ? listed : try PromptList((listed?.prompts ?? []) + prompt)
  }

  private func listed() throws(FileError) -> PromptList? {
    guard let prompts else { return nil }
    do throws(FileError) {
      guard prompts == "-" else { return try PromptList(contentsOf: prompts) }
      return try PromptList(parsing: StandardInput.read(atMost: Limits.list))
    } catch {
      var error = error
      if error.kind == .missing, prompts.contains(" ") { error.hint = "--prompt takes a text, --prompts a file" }
      throw error.located(file: prompts == "-" ? StandardInput.name : prompts)
    }
  }
}

/// Where from and what to encode: the check comes after the parser's own, which name a mistyped option.
func checkInputs(_ images: ImageArguments, _ prompts: PromptArguments) throws(FileError) {
  guard !images.images.isEmpty || !prompts.isEmpty else {
    throw FileError(.usage, "give --images, --prompts, or both")
  }
  guard images.images != ["-"] || prompts.prompts != "-" else {
    throw FileError(.usage, "--images and --prompts cannot both come from standard input")
  }
}

/// How an output takes its place.
struct WritingOptions: ParsableArguments {
  @Flag(help: "Replace an existing output.")
  var force = false

  @Flag(help: "Flush to the disk before the output gets its name, so that it survives a power cut.")
  var sync = false

  func policy(inputs: [FileIdentity] = []) -> FileWriter.Policy {
    FileWriter.Policy(force: force, sync: sync, inputs: inputs)
  }
}

/// How much is said, and in which form.
struct OutputOptions: ParsableArguments {
  @Flag(help: "Print the report as JSON on stdout.")
  var json = false

  @Flag(name: .shortAndLong, help: "No progress and no warnings on stderr.")
  var quiet = false

  /// Warnings go to stderr, whatever the form of the report.
  func warn(_ warnings: [String]) {
    guard !quiet else { return }
    for warning in warnings { Output.warn(warning) }
  }
}

extension Conventions: ExpressibleByArgument {}
extension TowerSelection: ExpressibleByArgument {}
extension DirectoryLayout: ExpressibleByArgument {}
extension ONNXOptions.ExternalData: ExpressibleByArgument {}
extension TokenizerDialect: ExpressibleByArgument {}
extension Tolerances.Profile: ExpressibleByArgument {}
extension Shard: ExpressibleByArgument {}

/// A path to read; a pipe cannot be read in any order, which every format needs.
func inputPath(_ path: String) throws(FileError) -> String {
  guard path != "-" else {
    throw FileError(.usage, "models are read from files, not from standard input", hint: "Use ./- for a file named '-'")
  }
  return path
}
