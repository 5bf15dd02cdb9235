import CLIPModels
import Checkpoints

/// `model`: a byte of choices, a config as JSON up to a zero byte, and a checkpoint of any format. The config lies
/// beside the checkpoint or is given; what is recognised is inspected and converted.
struct FuzzModel {
  let directory: String
  private let choices: Int
  private let config: ArraySlice<UInt8>
  private let checkpoint: ArraySlice<UInt8>

  init?(_ input: [UInt8], directory: String) {
    guard let first = input.first else { return nil }
    choices = Int(first)
    self.directory = directory
    let rest = input.dropFirst()
    config = rest.prefix { $0 != 0 }
    checkpoint = rest.dropFirst(config.count + 1)
  }

  private static let sideCars = ["config.json", "open_clip_config.json", "preprocessor_config.json"]

  func run() throws(FileError) {
    let path = "\(directory)/checkpoint"
    try write(Array(checkpoint), to: path)
    // An empty object says nothing.
    for (index, name) in Self.sideCars.enumerated() {
      try write(index == choices % 4 ? Array(config) : Array("{}".utf8), to: "\(directory)/\(name)")
    }
    var options = ConfigOptions()
    if choices % 4 == 3 {
      options.file = "\(directory)/given.json"
      try write(Array(config), to: "\(directory)/given.json")
    }
    if choices & 4 != 0 { options.conventions = Conventions.allCases[choices / 8 % Conventions.allCases.count] }

    let opened = try Checkpoint.open(path)
    guard opened.byteCount <= 1 << 20, opened.names.count <= 1000 else { return }
    var inspection = try Inspection(opened, options: options)
    for entry in inspection.entries { precondition(!entry.name.isEmpty || entry.tensor.count >= 0) }
    precondition(inspection.parameters >= 0)
    try inspection.addStatistics(threads: 1)
    guard let model = inspection.model, model.problems.isEmpty else { return }
    try convert(model, path, options)
  }

  private func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    let output = try FileWriter(path, policy: FileWriter.Policy(force: true))
    try output.write(bytes)
    try output.commit()
  }

  /// What was converted is read again as the same model.
  private func convert(_ model: CLIPModel, _ path: String, _ config: ConfigOptions) throws(FileError) {
    let names = Dialect.writableNames
    var options = ConversionOptions()
    options.config = config
    options.policy.force = true
    options.dryRun = true
    options.layout = DirectoryLayout.allCases[choices % DirectoryLayout.allCases.count]
    // A layout may need facts that nothing states: then it is refused, and the file is written all the same.
    do throws(FileError) { _ = try CLIPModels.convert(path, to: "\(directory)/layout", options: options) } catch {}
    options.dryRun = false
    options.layout = nil
    options.dialect = names[choices / 4 % names.count]
    options.format = allFormats[choices / 32 % allFormats.count].name
    let output = "\(directory)/output"
    let expected = try Manifest(model, threads: 1)
    _ = try CLIPModels.convert(path, to: output, options: options)
    expect(expected, output)
  }

  private func expect(_ expected: Manifest, _ output: String) {
    do throws(FileError) {
      guard let again = try CLIPModel.open(output) else { fatalError("what was converted is no CLIP any more") }
      let found = try Manifest(again, threads: 1)
      precondition(found == expected, "what was converted is another model")
    } catch {
      fatalError("what was converted is not read: \(error)")
    }
  }
}
