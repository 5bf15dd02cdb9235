import ArgumentParser
import CLIPModels
import Checkpoints

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare what two models make of the same images and prompts, stage by stage.",
    discussion: """
      The reference is a golden file, which tools/make_reference.py writes from open_clip or transformers. Exit code 1 when the candidate departs: the first stage that does is named. A result saved with \
      -o is judged again with --result, under other tolerances.
      """)

  @Argument(help: "A golden file.", completion: .file())
  var candidate: String?

  @Option(help: "The golden file that is taken for right.", completion: .file())
  var reference: String?

  @Option(help: ArgumentHelp("Judge a saved result instead.", valueName: "file"), completion: .file())
  var result: String?

  @Option(help: "What the candidate is expected to be.")
  var profile: Tolerances.Profile?

  @Option(help: ArgumentHelp("The error that a stage, or a group of stages, may have.", valueName: "stage=limit"))
  var tolerance: [ToleranceArgument] = []

  @Option(help: "The encoders to compare.")
  var tower = VerifiedTowers.both

  @Option(help: ArgumentHelp("Write a page with plots and the worst inputs.", valueName: "file.html"))
  var report: String?

  @Option(name: .shortAndLong, help: ArgumentHelp("Save the result as JSON.", valueName: "file.json"))
  var output: String?

  @Flag(help: "Replace an existing report or result.")
  var force = false

  @Flag(help: "List every block.")
  var blocks = false

  @OptionGroup var reporting: OutputOptions

  func validate() throws {
    guard (result == nil) == (candidate != nil), (result == nil) == (reference != nil) else {
      throw ValidationError("Give a candidate and --reference, or --result alone.")
    }
  }

  func run() throws {
    let policy = FileWriter.Policy(
      force: force, inputs: [candidate, reference, result].compactMap { $0 }.compactMap(FileIdentity.init))
    for path in [report, output].compactMap({ $0 }) { try FileWriter.check(path, policy: policy) }
    var golden: Golden?
    let verification: Verification
    var tolerances = Tolerances(profile ?? .f32)
    if let result {
      let saved = try JSONValue(contentsOf: result)
      do throws(FileError) {
        verification = try Verification(saved)
        tolerances = try Tolerances(saved: saved, profile: profile)
      } catch {
        throw error.located(file: result)
      }
    } else {
      let reference = try Golden.open(inputPath(reference ?? ""))
      golden = reference
      verification = try verify(Golden.open(inputPath(candidate ?? "")), against: reference, towers: tower)
    }
    for argument in tolerance { try tolerances.set(argument.name, argument.limit) }
    try print(verification, tolerances, golden, policy)
    if verification.firstDeparture(tolerances) != nil { throw ExitCode(1) }
  }

  private func print(
    _ verification: Verification, _ tolerances: Tolerances, _ golden: Golden?, _ policy: FileWriter.Policy
  ) throws(FileError) {
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
    Output.write(reporting.json ? json : text.text(listsBlocks: blocks))
  }

  private func write(_ text: String, to path: String, _ policy: FileWriter.Policy) throws(FileError) {
    let writer = try FileWriter(path, policy: policy)
    try writer.write(text)
    try writer.commit()
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
