import ArgumentParser
import CLIPModels
import Checkpoints

struct Hash: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the sha256 of each tensor and of the model.",
    discussion: """
      The hashes are the same in every format, naming and layout that holds the same numbers in the same types. Save \
      the output as a manifest, and check a model against it with --check.
      """)

  @Argument(help: "A model file, a shards' index, or a directory.", completion: .file())
  var path: String

  @Option(
    help: ArgumentHelp("Compare with a manifest; exit code 1 when anything differs.", valueName: "manifest"),
    completion: .file())
  var check: String?

  @Option(help: "Threads; all cores by default.")
  var threads: Int?

  @OptionGroup var reading: ReadingOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    let checkpoint = try Checkpoint.open(inputPath(path), options: reading.reading)
    let model = try CLIPModel(checkpoint)
    let expected = try check.map { try ManifestFile(path: $0) }
    let progress = ProgressBar("hashing", isQuiet: output.quiet)
    let manifest =
      if let model {
        try Manifest(model, threads: threads) { progress.add($0, of: $1) }
      } else {
        try Manifest(checkpoint, threads: threads) { progress.add($0, of: $1) }
      }
    progress.finish()
    let report = ManifestReport(manifest, path: path)
    guard let expected else { return Output.write(output.json ? report.json.text(pretty: true) : report.text) }
    let differences = expected.differences(from: manifest)
    let verdict: Int32 = differences.isEmpty ? 0 : 1
    let text = output.json ? report.checkJSON(differences).text(pretty: true) : report.checkText(differences)
    Output.write(text, exitCode: verdict)
    if verdict != 0 { throw ExitCode(verdict) }
  }
}
