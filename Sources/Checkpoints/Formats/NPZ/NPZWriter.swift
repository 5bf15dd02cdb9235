extension NPZ {
  /// Stored members in the order of their names, each array at a multiple of 64 bytes in the file.
  public static func write(_ checkpoint: Checkpoint, to output: FileWriter) throws(FileError) {
    try write(checkpoint, texts: [:], to: output)
  }

  /// The same with arrays of texts beside the tensors, as NumPy's `<U`.
  /// - Throws: `unsupported` for a name or a text that NumPy cannot hold, `usage` for texts too wide to be a table.
  public static func write(_ checkpoint: Checkpoint, texts: [String: [String]], to output: FileWriter)
    throws(FileError)
  {
    var members = checkpoint.names + texts.keys
    if !checkpoint.metadata.isEmpty { members.append(metadataName) }
    members.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    var writer = ZipWriter(output)
    for name in members {
      do throws(FileError) {
        if let texts = texts[name] {
          try checkName(name)
          try writer.add(name + memberSuffix, TextArray(texts).file, alignment: 64, of: name)
        } else if let tensor = checkpoint[name] {
          try checkStorable(tensor, named: name)
          try write(tensor, named: name, to: &writer)
        } else {
          try write(metadata(checkpoint.metadata), named: name, to: &writer)
        }
      } catch {
        throw error.located(tensor: name)
      }
    }
    try writer.finish()
  }

  /// Throws when an array of these texts cannot be written: before the work that leads to it.
  public static func checkStorable(texts: [String]) throws(FileError) { _ = try TextArray(texts) }

  /// One tensor as a `.npy` file.
  /// - Throws: `unsupported` for a type that NumPy has not.
  public static func writeArray(_ tensor: Tensor, to output: FileWriter) throws(FileError) {
    try checkStorable(tensor, named: stem(of: output.path))
    output.write(file(tensor))
  }

  private static func file(_ tensor: Tensor) -> Bytes {
    Bytes(concatenating: [Bytes(NPYHeader(dtype: tensor.dtype, shape: tensor.shape).bytes), tensor.bytes])
  }

  private static func write(_ tensor: Tensor, named name: String, to writer: inout ZipWriter) throws(FileError) {
    try writer.add(name + memberSuffix, file(tensor), alignment: 64, of: name)
  }

  /// The metadata as the bytes of a JSON object of strings: an array that NumPy loads like any other.
  private static func metadata(_ metadata: Metadata) throws(FileError) -> Tensor {
    var strings = JSONObject()
    for key in metadata.keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
      strings[key] = .string(metadata[key]?.text ?? "")
    }
    let text = Array(JSONValue.object(strings).text().utf8)
    return try Tensor(dtype: .u8, shape: [text.count], bytes: Bytes(text))
  }
}
