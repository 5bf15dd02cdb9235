import ArgumentParser
import CLIPModels
import Checkpoints

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare two models tensor by tensor, whatever their formats and namings.",
    discussion: """
      Tensors are matched by what they are, not by what the files call them. Exit code 1 when a tensor is missing, has \
      another shape, or differs by more than the tolerance.
      """)

  @Argument(help: "The first model.", completion: .file())
  var a: String

  @Argument(help: "The second model.", completion: .file())
  var b: String

  @Option(help: ArgumentHelp("The largest absolute difference that counts as equal.", valueName: "x"))
  var tolerance = 0.0

  @Flag(help: "List equal tensors too.")
  var all = false

  @Option(help: "Threads; all cores by default.")
  var threads: Int?

  @OptionGroup var reading: ReadingOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard tolerance >= 0 else { throw ValidationError("--tolerance must not be negative.") }
  }

  func run() throws {
    let first = try Checkpoint.open(inputPath(a), options: reading.reading)
    let second = try Checkpoint.open(inputPath(b), options: reading.reading)
    let progress = ProgressBar("comparing", isQuiet: output.quiet)
    let difference = try diff(first, second, threads: threads) { progress.add($0, of: $1) }
    progress.finish()
    let report = DifferenceReport(difference, a: a, b: b, tolerance: tolerance)
    let verdict: Int32 = difference.isWithin(tolerance) ? 0 : 1
    Output.write(output.json ? report.json.text(pretty: true) : report.text(listsEqual: all), exitCode: verdict)
    if verdict != 0 { throw ExitCode(verdict) }
  }
}
