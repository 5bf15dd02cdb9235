extension NPZ {
  /// Stored members in the order of their names, each array at a multiple of 64 bytes in the file.
  public static func write(_ checkpoint: Checkpoint, to output: FileWriter) throws(FileError) {
    var members = checkpoint.sortedNames
    if !checkpoint.metadata.isEmpty {
      members.append(metadataName)
      members.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
    var writer = ZipWriter(output)
    for name in members {
      do throws(FileError) {
        if let tensor = checkpoint[name] {
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

  private static func write(_ tensor: Tensor, named name: String, to writer: inout ZipWriter) throws(FileError) {
    let header = NPYHeader(dtype: tensor.dtype, shape: tensor.shape).bytes
    try writer.add(name + memberSuffix, Bytes(concatenating: [Bytes(header), tensor.bytes]), alignment: 64, of: name)
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
