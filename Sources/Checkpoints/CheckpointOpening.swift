extension Checkpoint {
  /// Reads a checkpoint: a file of any format, a sharded checkpoint's index, or a directory that holds one.
  ///
  /// Only headers are read; tensors' data stays in the file until it is asked for.
  /// - Throws: `missing` when there is none, `usage` when a directory holds several, what the format says otherwise.
  public static func open(_ path: String, options: ReadOptions = ReadOptions()) throws(FileError) -> Checkpoint {
    if let parts = try onnxParts(of: path) { return try open(onnx: parts) }
    let weights = try weightsPath(of: path)
    do throws(FileError) {
      let file = try InputFile(weights)
      if let index = try ShardIndex(file) { return try index.open(options: options) }
      return try read(file, options: options)
    } catch {
      throw error.located(file: weights)
    }
  }

  /// Where libraries keep the encoders of an ONNX model in a directory: the two alone before both in one, which computes
  /// what nobody asked for.
  private static let onnxNames = [
    ["text_model.onnx", "vision_model.onnx"], ["textual.onnx", "visual.onnx"],
    ["textual/model.onnx", "visual/model.onnx"], ["onnx/text_model.onnx", "onnx/vision_model.onnx"],
    ["onnx/model.onnx"],
  ]

  /// The ONNX files that a directory's model is made of; nil for anything else, and where other weights lie beside them.
  private static func onnxParts(of path: String) throws(FileError) -> [String]? {
    guard isDirectory(path), try !OutputDirectory.entries(of: path).contains(where: usualNames.contains) else {
      return nil
    }
    for suffix in ["", "_fp16", "_quantized", "_int8", "_uint8"] {
      for names in onnxNames {
        let paths = names.map { "\(path)/\($0.dropLast(5))\(suffix).onnx" }
        let found = paths.filter { FileIdentity(path: $0) != nil && !isDirectory($0) }
        if !found.isEmpty { return found }
      }
    }
    return nil
  }

  /// A model whose encoders are in several files. A name that several have stands for what the first has.
  private static func open(onnx paths: [String]) throws(FileError) -> Checkpoint {
    var merged = Checkpoint()
    for (index, path) in paths.enumerated() {
      do throws(FileError) {
        let part = try ONNX.read(InputFile(path), options: ReadOptions())
        if index == 0 {
          merged = part
          continue
        }
        merged.files += part.files
        merged.notes += part.notes
        merged.unreadable += part.unreadable
        for key in part.metadata.keys where merged.metadata[key] == nil { merged.metadata[key] = part.metadata[key] }
        for name in part.names where merged[name] == nil {
          if let tensor = part[name] { try merged.add(tensor, named: name) }
        }
      } catch {
        throw error.located(file: path)
      }
    }
    return merged
  }

  private static func read(_ file: InputFile, options: ReadOptions) throws(FileError) -> Checkpoint {
    let format = try Detection.format(of: file)
    var checkpoint = try format.read(file, options: options)
    checkpoint.format = format.name
    if checkpoint.files.isEmpty { checkpoint.files = [file] }
    if let note = Detection.extensionNote(file.path, format: format) { checkpoint.notes.insert(note, at: 0) }
    return checkpoint
  }

  /// The weights' file names that libraries write and look for, in directories of Hugging Face and open_clip.
  private static let usualNames = [
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
    "open_clip_model.safetensors", "open_clip_pytorch_model.bin",
  ]

  /// The file itself, or the one checkpoint of a directory.
  static func weightsPath(of path: String) throws(FileError) -> String {
    guard isDirectory(path) else { return path }
    let entries = try OutputDirectory.entries(of: path)
    var candidates = usualNames.filter(entries.contains)
    if candidates.isEmpty {
      let endings = allFormats.flatMap { $0.fileExtensions }.map { ".\($0)" }
      // A split GGUF file is opened by its first part, which names the others.
      candidates = entries.filter { entry in
        endings.contains { entry.hasSuffix($0) } && !GGUF.Split.isLaterPart(entry)
      }
    }
    guard let first = candidates.first else {
      throw FileError(.missing, "no checkpoint in this directory", file: path)
    }
    guard candidates.count == 1 else {
      let list = candidates.map { "'\(escaped($0))'" }.joined(separator: ", ")
      throw FileError(
        .usage, "\(candidates.count) checkpoints in this directory: \(list)", file: path, hint: "Name one of them")
    }
    return "\(path)/\(first)"
  }

  /// A checkpoint in several files, as `*.index.json` lists them.
  private struct ShardIndex {
    var file: InputFile
    var weightMap: JSONObject
    var totalSize: Int?

    /// Nil when the file is not JSON, or JSON of another kind.
    init?(_ file: InputFile) throws(FileError) {
      let head = try file.head(64)
      guard head.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) == UInt8(ascii: "{"),
        file.path.hasSuffix(".json"), file.count <= Limits.json
      else { return nil }
      let json = try JSONValue(parsing: Bytes(file).load())
      guard let map = json["weight_map"]?.object else { return nil }
      self.file = file
      weightMap = map
      totalSize = json["metadata"]?["total_size"]?.integer
    }

    func open(options: ReadOptions) throws(FileError) -> Checkpoint {
      var names: [String] = []
      var seen: Set<String> = []
      for tensor in weightMap.keys {
        guard let shard = weightMap[tensor]?.string else {
          throw FileError(.malformed, "shard is not a file name", tensor: tensor)
        }
        guard !shard.isEmpty, !shard.contains("/"), !shard.utf8.contains(0), shard != "..", shard != "." else {
          throw FileError(.malformed, "shard '\(escaped(shard))' is not a plain file name", tensor: tensor)
        }
        if seen.insert(shard).inserted { names.append(shard) }
        guard names.count <= Limits.shards else {
          throw FileError(.malformed, "more than \(Limits.shards) shards")
        }
      }
      return try merge(names.sorted(), options: options)
    }

    private func merge(_ names: [String], options: ReadOptions) throws(FileError) -> Checkpoint {
      var merged = Checkpoint()
      for name in names {
        let shard = try openShard(name, options: options)
        if merged.format.isEmpty {
          merged = Checkpoint(format: shard.format, metadata: shard.metadata)
        }
        merged.files += shard.files
        merged.unreadable += shard.unreadable
        merged.notes += shard.notes.map { "\(name): \($0)" }
        for tensor in shard.names + shard.unreadable.compactMap(\.tensor) {
          guard let owner = weightMap[tensor]?.string else {
            throw FileError(.mismatch, "shard '\(name)' holds a tensor that the index does not list", tensor: tensor)
          }
          guard owner == name else {
            throw FileError(.mismatch, "in shard '\(name)', the index says '\(owner)'", tensor: tensor)
          }
          if let value = shard[tensor] { try merged.add(value, named: tensor) }
        }
      }
      let unreadable = Set(merged.unreadable.compactMap(\.tensor))
      for tensor in weightMap.keys where merged[tensor] == nil && !unreadable.contains(tensor) {
        throw FileError(
          .mismatch, "not in shard '\(weightMap[tensor]?.string ?? "")', which the index names", tensor: tensor)
      }
      try checkTotalSize(merged)
      merged.notes += try ShardName.strangers(beside: names, in: TemporaryFile.parent(of: file.path))
      merged.formatDetail = names.count == 1 ? "1 shard" : "\(names.count) shards"
      return merged
    }

    private func openShard(_ name: String, options: ReadOptions) throws(FileError) -> Checkpoint {
      let path = "\(TemporaryFile.parent(of: file.path))/\(name)"
      let shard: InputFile
      do throws(FileError) {
        shard = try InputFile(path)
      } catch {
        guard error.kind == .missing else { throw error }
        throw FileError(.mismatch, "shard '\(escaped(name))' is missing", hint: "Put it beside the index")
      }
      do throws(FileError) {
        return try Checkpoint.read(shard, options: options)
      } catch {
        throw error.located(file: path)
      }
    }

    /// PyTorch's shards may share storages, which the total counts in its own way; safetensors' cannot.
    private func checkTotalSize(_ merged: Checkpoint) throws(FileError) {
      guard let totalSize, merged.format == Safetensors.name, merged.unreadable.isEmpty, totalSize != merged.byteCount
      else { return }
      throw FileError(.mismatch, "total_size is \(totalSize), the shards hold \(merged.byteCount) bytes")
    }
  }
}
