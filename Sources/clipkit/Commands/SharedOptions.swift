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
