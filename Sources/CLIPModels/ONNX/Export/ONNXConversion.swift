import Checkpoints

/// The ONNX files of a model: what is in each, and what lies beside them.
struct ONNXConversion {
  let model: CLIPModel
  let dialect: Dialect
  /// The output: a file's or a directory's path.
  let path: String
  let options: ConversionOptions
  let policy: FileWriter.Policy
  /// The version of the operators.
  private let opset: Int

  /// One file of the output.
  private struct Part {
    var name: String
    var model: ONNXModel
    /// Whether the data of the model that it replaces goes with that.
    var isSuperseding = false
  }

  /// - Throws: `usage` for options that ONNX has nothing for.
  init(
    _ model: CLIPModel, dialect: Dialect, path: String, options: ConversionOptions, policy: FileWriter.Policy
  ) throws(FileError) {
    self.model = model
    self.dialect = dialect
    self.path = path
    self.policy = policy
    var options = options
    guard [nil, .f32, .f16, .bf16].contains(options.dtype) else {
      throw FileError(
        .usage, "ONNX is not written in \(options.dtype.map { "\($0)" } ?? "")", hint: "Use f32, f16 or bf16")
    }
    opset = options.onnx.opset ?? ONNXExportOptions().opset
    let opsets = ONNXExportOptions.opsets
    guard opsets.contains(opset) else {
      throw FileError(.usage, "--opset \(opset), allowed \(opsets.lowerBound) to \(opsets.upperBound)")
    }
    guard options.shardSize == nil else {
      throw FileError(.usage, "ONNX has no shards", hint: "Leave out --shard-size")
    }
    try Encoder.check(model, towers: options.towers)
    if options.dtype == nil, try Self.computesInF16(model.checkpoint, options.towers) { options.dtype = .f16 }
    // ONNX has no blocks of this kind.
    if options.dtype == nil, model.tensors.names.contains(where: { model.tensors[$0]?.dtype.isBlock == true }) {
      options.dtype = .f32
    }
    self.options = options
  }

  /// Whether the source is of graphs whose every layer computes in f16, as their copy then does too. One layer in f32
  /// would lose what its weights say.
  private static func computesInF16(_ checkpoint: Checkpoint, _ towers: TowerSelection) throws(FileError) -> Bool {
    try Set(checkpoint.graphFiles().flatMap { $0.model.graph.layerTypes(of: towers) }) == [.f16]
  }

  /// Writes everything, or measures it.
  func write(report: inout ConversionReport) throws(FileError) {
    report.format = "onnx"
    let layout = try ONNXLayout(model, dialect: dialect, options: options)
    let isDirectory = layout.isDirectory
    try checkName(isDirectory: isDirectory)
    isDirectory ? try OutputDirectory.check(path, policy: policy) : try FileWriter.check(path, policy: policy)
    var (parts, plans, folded, described): ([Part], [ConversionPlan], Set<String>, Set<String>) = ([], [], [], [])
    for file in layout.files {
      var plan = try ConversionPlan(model, dialect: dialect, options: options)
      let (onnx, tensors, counters) = try record(file, plan)
      plan.keep(tensors.taken)
      folded.formUnion(tensors.folded)
      described.formUnion(counters)
      plans.append(plan)
      parts.append(Part(name: file.name, model: onnx))
    }
    var external: [String] = []
    for part in parts where try isExternal(part.model) { external.append(lastComponent(of: part.name)) }
    let sideCars = try layout.sideCars(external: external)
    report.warnings += layout.notes(sideCars)
    for index in parts.indices where try isSuperseding(parts[index], isDirectory: isDirectory) {
      parts[index].isSuperseding = true
      report.removed.append(modelPath(parts[index], isDirectory: isDirectory) + Self.dataSuffix)
    }
    report.bytes = isDirectory ? try writeDirectory(parts, sideCars) : try writeFile(parts[0])
    var dropped = Set(plans[0].dropped)
    for plan in plans {
      dropped.formIntersection(plan.dropped)
      // A tensor that is in several files is reported once.
      let known = Set(report.tensors.map(\.name))
      if !plan.items.allSatisfy({ known.contains($0.name) }) { report.add(plan, isDryRun: options.dryRun) }
    }
    // A file of one encoder holds the temperature as metadata.
    described.formUnion(["logit_scale", "logit_bias"].flatMap { model.mapping.sources[$0]?.map(\.name) ?? [] })
    let left = plans[0].dropped.filter(dropped.contains)
    report.asMetadata = left.filter(described.contains)
    report.folded = left.filter(folded.contains)
    report.dropped = left.filter { !described.contains($0) && !folded.contains($0) }
    report.isDryRun = options.dryRun
  }

  /// Throws for a directory with a file's name, and for a file with another format's, unless the format is stated.
  private func checkName(isDirectory: Bool) throws(FileError) {
    guard options.format == nil, let (promised, ending) = promisedFormat(path) else { return }
    guard !isDirectory else {
      throw FileError(
        .usage, "this layout writes a directory, .\(ending) is a file's name", file: path,
        hint: "Leave out .\(ending), or state the --format")
    }
    guard promised == ONNX.self else {
      throw FileError(.usage, "this layout writes ONNX, .\(ending) promises \(promised.name)", file: path)
    }
  }

  /// A file's graph and what describes it, what became of the tensors, and which of the source its metadata holds.
  private func record(
    _ file: ONNXLayout.File, _ plan: ConversionPlan
  ) throws(FileError) -> (ONNXModel, GraphTensors, counters: [String]) {
    var graphOptions = ONNXExportOptions(
      opset: opset, dtype: options.dtype == .f16 ? .f16 : .f32, normalizes: file.normalizes,
      foldsNorms: options.onnx.foldsNorms, names: file.names)
    if file.takesShortIDs { graphOptions.idType = .i32 }
    let tensors = GraphTensors(plan, dialect: dialect)
    var onnx = ONNXModel()
    onnx.graph = try ONNXExport(model: model, tensors: tensors, options: graphOptions).graph(file.towers)
    onnx.irVersion = graphOptions.irVersion
    onnx.opsets = [(domain: "", version: Int64(opset))]
    onnx.producer = "clipkit"
    onnx.producerVersion = options.toolVersion
    let config = model.config.without(vision: file.towers == .text, text: file.towers == .image)
    var metadata = try SelfDescription(model: model, config: config, dialect: dialect, options: options)
      .metadata(isGGUF: false, holdsScalars: file.towers == .both, items: plan.items)
    metadata["clipkit.onnx.normalized"] = .bool(file.normalizes)
    let counters = counters(file, plan)
    if !counters.isEmpty {
      let text = try BatchCounters.text(counters.map { (name: $0.name, tensor: $0.tensor) })
      metadata[BatchCounters.key] = .string(text)
    }
    let keys = metadata.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    onnx.metadata = keys.map { (key: $0, value: metadata[$0]?.text ?? "") }
    return (onnx, tensors, counters.flatMap(\.sources))
  }

  /// What training counted, which no node takes; folded norms have none.
  private func counters(_ file: ONNXLayout.File, _ plan: ConversionPlan) -> [ConversionPlan.Item] {
    guard file.towers != .text, !options.onnx.foldsNorms else { return [] }
    return plan.items.filter { BatchCounters.isCounter($0.name, $0.tensor) }
  }

  // MARK: Output

  /// Data that lies beside a model is in its place before the model.
  private func writeFile(_ part: Part) throws(FileError) -> Int {
    var data: FileWriter?
    if try isExternal(part.model) {
      let path = "\(path)\(Self.dataSuffix)"
      data = options.dryRun ? FileWriter(measuring: path) : try FileWriter(path, policy: policy)
    }
    let writer = options.dryRun ? FileWriter(measuring: path) : try FileWriter(path, policy: policy)
    if part.isSuperseding { writer.superseded = path + Self.dataSuffix }
    return try write(part, to: writer, data: data, total: total([part]))
  }

  private func writeDirectory(_ parts: [Part], _ sideCars: SideCars) throws(FileError) -> Int {
    let directory = options.dryRun ? nil : try OutputDirectory(path, policy: policy)
    var bytes = 0
    for part in parts {
      var data: FileWriter?
      if try isExternal(part.model) {
        data = try file("\(part.name)\(Self.dataSuffix)", in: directory)
      } else if part.isSuperseding {
        directory?.supersede("\(part.name)\(Self.dataSuffix)")
      }
      bytes += try write(part, to: file(part.name, in: directory), data: data, total: total(parts))
    }
    for (name, text) in sideCars.files {
      let writer = try file(name, in: directory)
      writer.write(text)
      try writer.commit()
      bytes += writer.offset
    }
    try directory?.commit()
    return bytes
  }

  private func file(_ name: String, in directory: OutputDirectory?) throws(FileError) -> FileWriter {
    try directory?.file(name) ?? FileWriter(measuring: "\(path)/\(name)")
  }

  private func modelPath(_ part: Part, isDirectory: Bool) -> String { isDirectory ? "\(path)/\(part.name)" : path }

  /// Whether the model that is replaced has its data beside it, and this one has none: nothing would use that any more.
  /// Somebody else's file of that name stays, so does what is read for this output, and what another model takes. Of
  /// a directory that is replaced, no other model stays.
  private func isSuperseding(_ part: Part, isDirectory: Bool) throws(FileError) -> Bool {
    let model = modelPath(part, isDirectory: isDirectory)
    let data = model + Self.dataSuffix
    guard policy.force, try !isExternal(part.model), let identity = FileIdentity(path: data),
      !policy.inputs.contains(identity), ONNX.isData(data, of: model)
    else { return false }
    return isDirectory || !ONNX.isShared(data, by: model)
  }

  /// transformers.js' and Optimum's.
  private static let dataSuffix = "_data"

  /// Whether the tensors' data lies in a file beside the model.
  private func isExternal(_ model: ONNXModel) throws(FileError) -> Bool {
    switch options.onnx.externalData ?? .auto {
    case .always: return true
    case .auto: return ONNX.needsExternalData(model)
    case .never:
      guard !ONNX.needsExternalData(model) else {
        throw FileError(
          .usage, "one file holds no more than 2 GiB", file: path, hint: "Leave out --external-data never")
      }
      return false
    }
  }

  private func total(_ parts: [Part]) -> Int {
    parts.reduce(0) { $0 + $1.model.graph.initializers.reduce(0) { $0 + $1.tensor.bytes.count } }
  }

  private func write(
    _ part: Part, to writer: FileWriter, data: FileWriter?, total: Int
  ) throws(FileError) -> Int {
    if let onProgress = options.onProgress {
      for file in [writer, data] { file?.onProgress = { onProgress($0, total) } }
    }
    do throws(FileError) {
      if let data {
        try ONNX.write(part.model, to: writer, data: data, location: lastComponent(of: data.path))
        try data.commit()
      } else {
        try ONNX.write(part.model, to: writer)
      }
      try writer.commit()
    } catch {
      throw error.located(file: writer.path)
    }
    return writer.offset + (data?.offset ?? 0)
  }
}
