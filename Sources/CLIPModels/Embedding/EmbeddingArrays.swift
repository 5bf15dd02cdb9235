package import Checkpoints

/// Embeddings as arrays, in a file of NumPy's or of safetensors.
///
/// How many rows there are is known at the end, so they are spooled beside the output and copied from there: memory holds
/// the inputs' names alone.
package struct EmbeddingArrays: EmbeddingWriter {
  private struct Part {
    var source: EmbeddingSource
    var start: Int
    var inputs: [String] = []
  }

  private let path: String
  private let format: EmbeddingFormat
  private let policy: FileWriter.Policy
  private let dimension: Int
  private let spool: SpoolFile
  private var arrays: [Part] = []
  private var failed: [String] = []
  private var bytes = 0

  /// Checks that the output may be created and that its format can hold the inputs.
  ///
  /// - Throws: `usage` for two arrays in one `.npy`, and for texts that NumPy's table would be too large for.
  package init(
    _ path: String, format: EmbeddingFormat, policy: FileWriter.Policy, dimension: Int,
    inputs: [EmbeddingSource: ArraySlice<String>]
  ) throws(FileError) {
    guard format != .npy || inputs.count == 1 else {
      throw FileError(
        .usage, "a .npy file holds one array, of images or of prompts", file: path, hint: "Use .npz or .safetensors")
    }
    if format == .npz {
      for (source, texts) in inputs {
        do throws(FileError) {
          try NPZ.checkStorable(texts: Array(texts))
        } catch {
          throw error.located(file: path, tensor: source.inputsName)
        }
      }
    }
    try FileWriter.check(path, policy: policy)
    self.path = path
    self.format = format
    self.policy = policy
    self.dimension = dimension
    spool = try SpoolFile(besides: path)
    for source in EmbeddingSource.allCases where inputs[source] != nil { arrays.append(Part(source: source, start: 0)) }
  }

  package mutating func write(_ batch: EmbeddedBatch) throws(FileError) {
    guard let index = arrays.firstIndex(where: { $0.source == batch.source }) else { return }
    if arrays[index].inputs.isEmpty { arrays[index].start = bytes }
    for (position, input) in zip(batch.inputs.indices, batch.inputs) {
      if batch.failures[position] == nil { arrays[index].inputs.append(input) } else { failed.append(input) }
    }
    var failure: FileError?
    batch.rows.withUnsafeBytes { buffer in
      do throws(FileError) { try spool.append(buffer) } catch { failure = error }
    }
    if let failure { throw failure }
    bytes += batch.rows.count * MemoryLayout<Float>.size
  }

  package mutating func finish(metadata: Metadata) throws(FileError) -> Int {
    let spooled = try spool.bytes()
    var checkpoint = Checkpoint(metadata: metadata)
    var texts: [String: [String]] = failed.isEmpty ? [:] : ["errors": failed]
    for array in arrays {
      let shape = [array.inputs.count, dimension]
      let rows = try spooled.slice(array.start, DType.f32.byteCount(shape: shape))
      try checkpoint.add(Tensor(dtype: .f32, shape: shape, bytes: rows), named: array.source.rowsName)
      texts[array.source.inputsName] = array.inputs
    }
    let output = try FileWriter(path, policy: policy)
    switch format {
    case .npy: if let rows = checkpoint[arrays[0].source.rowsName] { try NPZ.writeArray(rows, to: output) }
    case .npz: try NPZ.write(checkpoint, texts: texts, to: output)
    case .safetensors, .jsonl:
      for (name, texts) in texts { try checkpoint.add(Self.tensor(texts), named: name) }
      try Safetensors.write(checkpoint, to: output)
    }
    try output.commit()
    return output.offset
  }

  /// The bytes of a JSON array of strings.
  private static func tensor(_ texts: [String]) throws(FileError) -> Tensor {
    let json = Array(JSONValue.array(texts.map(JSONValue.string)).text().utf8)
    return try Tensor(dtype: .u8, shape: [json.count], bytes: Bytes(json))
  }
}
