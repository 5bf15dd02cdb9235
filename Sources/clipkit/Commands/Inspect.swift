import ArgumentParser
import CLIPModels
import Checkpoints

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what a model file is, and what is doubtful about it.",
    discussion: """
      Prints the format, the config with the origin of each value, the towers, and warnings: an activation that \
      nothing states, swapped layers, missing tensors, leftovers. Reads the header only, unless --statistics is given.
      """)

  @Argument(help: "A model file, a shards' index, or a directory.", completion: .file())
  var path: String

  @Flag(help: "List every tensor.")
  var tensors = false

  @Flag(help: "Read every tensor: NaN and infinities, range, mean and deviation.")
  var statistics = false

  @OptionGroup var reading: ReadingOptions
  @OptionGroup var config: ConfigArguments
  @OptionGroup var output: OutputOptions

  func run() throws {
    let checkpoint = try Checkpoint.open(inputPath(path), options: reading.reading)
    var inspection = try Inspection(checkpoint, options: config.options)
    if statistics {
      let progress = ProgressBar("reading", isQuiet: output.quiet)
      try inspection.addStatistics { progress.add($0, of: $1) }
      progress.finish()
    }
    let report = InspectionReport(inspection, path: path, listsTensors: tensors || statistics)
    Output.write(output.json ? report.json.text(pretty: true) : report.text)
  }
}
