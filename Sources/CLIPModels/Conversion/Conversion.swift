public import Checkpoints

/// Converts a checkpoint: another format, another dialect, another type, some of its towers.
///
/// Nothing is written when anything fails. The same source and options give the same bytes.
/// - Throws: what reading, mapping and writing say; `usage` for options that contradict each other.
public func convert(_ input: String, to output: String, options: ConversionOptions = ConversionOptions())
  throws(FileError) -> ConversionReport
{
  try Conversion(input: input, output: output, options: options).run()
}

/// One conversion, from opening to the report.
private struct Conversion {
  let input: String
  let output: String
  let options: ConversionOptions

  func run() throws(FileError) -> ConversionReport {
    try checkONNXOptions()
    var source = try Checkpoint.open(input, options: options.reading)
    // A type that is not read cannot be written; the first names the tensor.
    if let error = source.unreadable.first { throw error.located(file: source.files.first?.path) }
    guard let model = try CLIPModel(source, options: options.config) else {
      guard options.dialect == nil, options.layout == nil, options.towers == .both else {
        throw FileError(
          .unsupported, "not a CLIP that clipkit knows: its tensors can be copied, not renamed", file: input,
          hint: "Leave out --dialect, --layout and --tower")
      }
      guard !options.isONNX(output) else {
        throw FileError(
          .unsupported, "not a CLIP that clipkit knows: no graph can be made of its tensors", file: input,
          hint: "Copy them to .safetensors, .pt, .gguf or .npz")
      }
      source.metadata["format"] = nil
      let plan = try ConversionPlan(copying: source, options: options)
      var report = ConversionReport(input: input, output: output, source: source, model: nil)
      report.warnings.append("not a CLIP that clipkit knows: tensors are copied under their own names")
      try write(plan, source: source, model: nil, dialect: nil, report: &report)
      return report
    }
    if let problem = model.problems.first { throw problem.located(file: source.files.first?.path) }
    try checkTowers(model)
    try checkGraph(model)
    let dialect = try targetDialect(model)
    try checkPooling(model, dialect)
    if options.isONNX(output) { return try writeONNX(model, dialect, source) }
    try checkLayout(dialect, targetFormat())
    let plan = try ConversionPlan(model, dialect: dialect, options: options)
    var report = ConversionReport(input: input, output: output, source: source, model: model)
    report.dialect = dialect.name
    report.add(Findings(model))
    if dialect == .clipCpp { report.warnings += ClipCppLoader.objections(to: plan) }
    try write(plan, source: source, model: model, dialect: dialect, report: &report)
    return report
  }

  /// An option that changes nothing would be taken for one that did.
  private func checkONNXOptions() throws(FileError) {
    guard !options.isONNX(output) else { return }
    // Without a format, such a layout's output is ONNX.
    if let layout = options.layout, layout.isONNX, let format = options.format {
      throw FileError(
        .usage, "--layout \(layout.rawValue) writes ONNX, not \(format)",
        hint: "Leave out --format, or --layout")
    }
    guard let option = options.onnx.given.first else { return }
    let format = try targetFormat().name
    throw FileError(
      .usage, "\(option) is for ONNX, the output is \(format)", hint: "Leave it out, or use --format onnx")
  }

  private func writeONNX(
    _ model: CLIPModel, _ dialect: Dialect, _ source: Checkpoint
  ) throws(FileError) -> ConversionReport {
    var report = ConversionReport(input: input, output: output, source: source, model: model)
    report.dialect = dialect.name
    report.add(Findings(model))
    let conversion = try ONNXConversion(
      model, dialect: dialect, path: output, options: options, policy: policy(source, model))
    try conversion.write(report: &report)
    return report
  }

  /// What may be replaced: not what is read. The path itself may be a shards' index.
  private func policy(_ source: Checkpoint, _ model: CLIPModel?) -> FileWriter.Policy {
    var policy = options.policy
    policy.inputs +=
      source.files.map(\.identity) + (model?.configFiles ?? []) + (FileIdentity(path: input).map { [$0] } ?? [])
    return policy
  }

  private func targetDialect(_ model: CLIPModel) throws(FileError) -> Dialect {
    if let name = options.dialect { return try Dialect.named(name, for: model.dialect.family) }
    switch options.layout {
    case .hf: return try Dialect.named("hf", for: model.dialect.family)
    case .openCLIP:
      return model.dialect.isCustomText ? model.dialect : try Dialect.named("open_clip", for: model.dialect.family)
    case nil, .transformersJS, .optimum, .immich, .flat:
      if options.isONNX(output), model.dialect.isGGML { return try Dialect.named("hf", for: model.dialect.family) }
      if model.dialect.isWritable { return model.dialect }
      // big_vision's models without a pooling head are none of transformers'.
      return model.tensors["visual.attn_pool.probe"] == nil && model.config.hasVision
        ? .openCLIPSigLIP : .huggingFaceSigLIP
    }
  }

  /// A file whose names transformers knows, and whose tensors are all of a SigLIP but for its head, would be misread.
  private func checkPooling(_ model: CLIPModel, _ dialect: Dialect) throws(FileError) {
    guard dialect == .huggingFaceSigLIP, model.dialect != dialect, model.config.hasVision, options.towers != .text,
      model.tensors["visual.attn_pool.probe"] == nil
    else { return }
    throw HuggingFaceLayout.noPoolingHead
  }

  /// A directory that its library would open and misread is worse than none.
  private func checkLayout(_ dialect: Dialect, _ format: any CheckpointFormat.Type) throws(FileError) {
    guard let layout = options.layout else { return }
    guard dialect.layout == layout else {
      throw FileError(.usage, "--layout \(layout.rawValue) does not go with dialect \(dialect.name)")
    }
    guard format == Safetensors.self || format == PyTorch.self else {
      throw FileError(.usage, "--layout \(layout.rawValue) does not go with format \(format.name)")
    }
    guard layout == .hf || options.shardSize == nil else {
      throw FileError(.usage, "open_clip reads no shards", hint: "Leave out --shard-size")
    }
  }

  private func checkTowers(_ model: CLIPModel) throws(FileError) {
    let missing = options.towers == .image ? !model.config.hasVision : options.towers == .text && !model.config.hasText
    guard !missing else {
      throw FileError(.usage, "the model has no \(options.towers.rawValue) encoder that clipkit knows", file: input)
    }
  }

  /// What blocks of one graph do differently no output says, so that it would compute something else without a word.
  private func checkGraph(_ model: CLIPModel) throws(FileError) {
    let statements = model.unsupportedEncoding.filter { $0.isOfGraph }
    guard let statement = statements.first(where: { options.towers == .both || options.towers == $0.tower }) else {
      return
    }
    throw FileError(
      .unsupported, "\(statement.text), which no output could say", file: model.checkpoint.files.first?.path,
      hint: "embed, reference and verify evaluate the graph itself")
  }

  private func targetFormat() throws(FileError) -> any CheckpointFormat.Type {
    if let name = options.format {
      guard let format = allFormats.first(where: { $0.name == name }) else {
        throw FileError(
          .usage, "unknown format '\(name)'", hint: "Formats: \(allFormats.map { $0.name }.joined(separator: ", "))")
      }
      return format
    }
    let promised = promisedFormat(output)
    if options.layout != nil || options.shardSize != nil {
      if let promised {
        throw FileError(
          .usage, "--layout and --shard-size write a directory, this is a file's name", file: output,
          hint: "Leave out .\(promised.ending), or state the --format")
      }
      return Safetensors.self
    }
    guard let format = promised?.format else {
      throw FileError(
        .usage, "the output's name does not say its format", file: output,
        hint: "Use --format, or an extension: .safetensors .pt .gguf .npz .onnx; --layout for a directory")
    }
    return format
  }

  private func write(
    _ plan: ConversionPlan, source: Checkpoint, model: CLIPModel?, dialect: Dialect?, report: inout ConversionReport
  ) throws(FileError) {
    let format = try targetFormat()
    report.format = format.name
    do throws(FileError) {
      for item in plan.items { try format.checkStorable(item.tensor, named: item.name) }
    } catch {
      throw error.located(file: output)
    }
    let policy = policy(source, model)
    let isDirectory = options.layout != nil || options.shardSize != nil
    try isDirectory ? OutputDirectory.check(output, policy: policy) : FileWriter.check(output, policy: policy)
    var metadata = source.metadata
    var sideCars = SideCars()
    if let model, let dialect {
      let config = model.config.without(vision: options.towers == .text, text: options.towers == .image)
      metadata = try SelfDescription(model: model, config: config, dialect: dialect, options: options)
        .metadata(isGGUF: format == GGUF.self, holdsScalars: dialect.hasScalars, items: plan.items)
      if let layout = options.layout {
        sideCars = try SideCars(layout, model: model, config: config, dialect: dialect, items: plan.items)
      }
    }
    let output = ConversionOutput(path: output, format: format, policy: policy, options: options)
    if isDirectory {
      report.bytes = try output.writeDirectory(plan, metadata: metadata, sideCars: sideCars)
    } else {
      report.bytes = try output.writeFile(plan.checkpoint(metadata: metadata))
    }
    report.add(plan, isDryRun: options.dryRun)
  }
}

/// The format that an output's name promises, and the ending that does.
func promisedFormat(_ output: String) -> (format: any CheckpointFormat.Type, ending: String)? {
  let ending = lastComponent(of: output).split(separator: ".").dropFirst().last.map { $0.lowercased() } ?? ""
  return allFormats.first { $0.fileExtensions.contains(ending) }.map { ($0, ending) }
}
