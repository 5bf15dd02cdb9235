import ArgumentParser
import CLIPModels
import Checkpoints

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare what two models make of the same images and prompts, stage by stage.",
    discussion: """
      The reference is a golden file, which tools/make_reference.py writes from open_clip or transformers and reference \
      from clipkit's own encoders, or a model, which then needs --images or --prompts. Compared are token ids, pixels, \
      every block, embeddings, logits and rankings. Exit code 1 when the candidate departs: the first stage that does is \
      named. A result saved with -o is judged again with --result, under other tolerances.
      """)

  @Argument(help: "A model file, a shards' index, a directory, or a golden file.", completion: .file())
  var candidate: String?

  @Option(help: "The golden file, or the model, that is taken for right.", completion: .file())
  var reference: String?

  @OptionGroup var inputs: RecordingInputs

  @Option(help: ArgumentHelp("Judge a saved result instead.", valueName: "file"), completion: .file())
  var result: String?

  @Option(help: "What the candidate is expected to be.")
  var profile: Tolerances.Profile?

  @Option(help: ArgumentHelp("The error that a stage, or a group of stages, may have.", valueName: "stage=limit"))
  var tolerance: [ToleranceArgument] = []

  @Option(help: "The encoders to compare.")
  var tower = TowerSelection.both

  @Flag(inversion: .prefixedNo, help: "Compare what is inside the encoders, where the reference has it.")
  var blocks = true

  @Flag(help: "Give the candidate the reference's token ids, not its prompts.")
  var ids = false

  @Option(help: "Threads; all cores by default.")
  var threads: Int?

  @Option(help: ArgumentHelp("Write a page with plots and the worst inputs.", valueName: "file.html"))
  var report: String?

  @Option(name: .shortAndLong, help: ArgumentHelp("Save the result as JSON.", valueName: "file.json"))
  var output: String?

  @Flag(help: "Replace an existing report or result.")
  var force = false

  @Flag(help: "List every block.")
  var all = false

  @OptionGroup var reading: ReadingOptions
  @OptionGroup var config: ConfigArguments
  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard (result == nil) == (candidate != nil), (result == nil) == (reference != nil) else {
      throw ValidationError("Give a candidate and --reference, or --result alone.")
    }
    guard result == nil || inputs.isEmpty else { throw ValidationError("A saved result takes no inputs.") }
    guard report == nil || report != output else { throw ValidationError("--report and -o name one file.") }
    guard (threads ?? 1) > 0 else { throw ValidationError("--threads is at least 1.") }
  }

  func run() throws {
    if let result { return try judge(result) }
    let expected = try VerificationSource(inputPath(reference ?? ""), config: ConfigOptions(conventions: config.assume))
    let found = try VerificationSource(inputPath(candidate ?? ""), reading: reading.reading, config: config.options)
    let given = try inputs.read()
    let policy = FileWriter.Policy(
      force: force, inputs: expected.files + found.files + (given?.files ?? []))
    for path in [report, output].compactMap({ $0 }) { try FileWriter.check(path, policy: policy) }
    var options = VerificationOptions()
    (options.towers, options.blocks, options.givesIDs, options.threads) = (tower, blocks, ids, threads)
    options.producer = "clipkit \(toolVersion)"
    // Two models count their inputs one after the other.
    let progress = ProgressBar("encoding", unit: .items("input"), isQuiet: reporting.quiet)
    options.onProgress = { progress.add($0, of: $1) }
    let (verification, golden) = try verify(found, against: expected, inputs: given?.inputs, options: options)
    progress.finish()
    try finish(verification, Tolerances(profile ?? .f32), golden, policy)
  }

  private func judge(_ path: String) throws {
    let policy = FileWriter.Policy(force: force, inputs: [FileIdentity(path: path)].compactMap { $0 })
    let saved = try JSONValue(contentsOf: path)
    let (verification, tolerances): (Verification, Tolerances)
    do throws(FileError) {
      (verification, tolerances) = (try Verification(saved), try Tolerances(saved: saved, profile: profile))
    } catch {
      throw error.located(file: path)
    }
    try finish(verification, tolerances, nil, policy)
  }

  /// Judges, writes and prints; `golden` has the pictures.
  private func finish(
    _ verification: Verification, _ profile: Tolerances, _ golden: Golden?, _ policy: FileWriter.Policy
  ) throws {
    var tolerances = profile
    for argument in tolerance { try tolerances.set(argument.name, argument.limit) }
    let json = verification.json(tolerances).text(pretty: true)
    if let output { try write(json, to: output, policy) }
    if let report {
      let page = VerificationPage(result: verification, tolerances: tolerances) { (index) throws(FileError) in
        guard let (side, pixels) = try golden?.pixels(index) else { return nil }
        return Picture(side: side, pixels: pixels)
      }
      try write(page.html(), to: report, policy)
    }
    let text = VerificationText(result: verification, tolerances: tolerances)
    Output.write(reporting.json ? json : text.text(listsBlocks: all))
    if verification.firstDeparture(tolerances) != nil { throw ExitCode(1) }
  }

  private func write(_ text: String, to path: String, _ policy: FileWriter.Policy) throws(FileError) {
    let writer = try FileWriter(path, policy: policy)
    try writer.write(text)
    try writer.commit()
    if !reporting.quiet { Output.writeError("wrote \(escaped(path, limit: 4096))\n") }
  }
}

/// `image.blocks.3=1e-3`
struct ToleranceArgument: ExpressibleByArgument {
  let name: String
  let limit: Double

  init?(argument: String) {
    guard let equals = argument.lastIndex(of: "="), let limit = Double(argument[argument.index(after: equals)...])
    else { return nil }
    (name, self.limit) = (String(argument[..<equals]), limit)
  }
}
