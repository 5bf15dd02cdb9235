import Checkpoints
import Synchronization

/// Writes planned tensors to one file, or to a directory with side-cars and shards.
struct ConversionOutput {
  let path: String
  let format: any CheckpointFormat.Type
  let policy: FileWriter.Policy
  let options: ConversionOptions

  /// Writes one file, or measures it for a dry run; the number of its bytes.
  func writeFile(_ checkpoint: Checkpoint) throws(FileError) -> Int {
    try write(to: options.dryRun ? FileWriter(measuring: path) : FileWriter(path, policy: policy), checkpoint)
  }

  private func write(to writer: FileWriter, _ checkpoint: Checkpoint, total: Int? = nil) throws(FileError) -> Int {
    if let onProgress = options.onProgress {
      let total = total ?? checkpoint.byteCount
      writer.onProgress = { onProgress($0, total) }
    }
    do throws(FileError) {
      try format.write(checkpoint, to: writer)
      try writer.commit()
    } catch {
      // What reading says names the source already.
      throw error.located(file: writer.path)
    }
    return writer.offset
  }

  /// Writes a directory: the weights in one file or in shards, and the side-cars; the number of all bytes.
  func writeDirectory(_ plan: ConversionPlan, metadata: Metadata, sideCars: SideCars) throws(FileError) -> Int {
    let directory = options.dryRun ? nil : try OutputDirectory(path, policy: policy)
    let shards = try shards(of: plan)
    let stem = options.layout == .openCLIP ? "open_clip_model" : format == PyTorch.self ? "pytorch_model" : "model"
    let ending = format == PyTorch.self ? "bin" : format.fileExtensions[0]
    let total = plan.items.reduce(0) { $0 + $1.tensor.bytes.count }
    var bytes = 0
    var weightMap = JSONObject()
    for (index, items) in shards.enumerated() {
      let name =
        shards.count == 1 ? "\(stem).\(ending)" : "\(stem)-\(padded(index + 1))-of-\(padded(shards.count)).\(ending)"
      var checkpoint = Checkpoint(metadata: metadata)
      for item in items {
        try checkpoint.add(item.tensor, named: item.name)
        weightMap[item.name] = .string(name)
      }
      let writer = try directory?.file(name) ?? FileWriter(measuring: "\(path)/\(name)")
      bytes += try write(to: writer, checkpoint, total: total)
    }
    var texts = sideCars.files
    if shards.count > 1 {
      let index: JSONValue = ["metadata": ["total_size": JSONValue(total)], "weight_map": .object(weightMap)]
      texts.append(("\(stem).\(ending).index.json", Bytes(Array(index.text(pretty: true).utf8))))
    }
    for (name, text) in texts {
      let writer = try directory?.file(name) ?? FileWriter(measuring: "\(path)/\(name)")
      writer.write(text)
      try writer.commit()
      bytes += writer.offset
    }
    try directory?.commit()
    return bytes
  }

  private func padded(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  /// Tensors in the order of their names, a new shard where the next one would not fit.
  private func shards(of plan: ConversionPlan) throws(FileError) -> [[ConversionPlan.Item]] {
    let items = plan.items.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    guard let limit = options.shardSize else { return [items] }
    guard format == Safetensors.self || format == PyTorch.self else {
      throw FileError(.usage, "\(format.name) is not written in shards", hint: "Use safetensors or pytorch")
    }
    var shards: [[ConversionPlan.Item]] = [[]]
    var size = 0
    for item in items {
      if size > 0, size + item.tensor.bytes.count > limit {
        shards.append([])
        size = 0
      }
      shards[shards.count - 1].append(item)
      size += item.tensor.bytes.count
    }
    guard shards.count <= Limits.shards else {
      throw FileError(
        .usage, "\(shards.count) shards, allowed \(Limits.shards)", file: path, hint: "Use a larger --shard-size")
    }
    return shards
  }
}
