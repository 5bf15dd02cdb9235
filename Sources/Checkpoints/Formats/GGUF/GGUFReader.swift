extension GGUF {
  /// Reads the header; the tensors' data stays in the file. The first file of a split brings its siblings with it.
  public static func read(_ file: InputFile, options: ReadOptions) throws(FileError) -> Checkpoint {
    var checkpoint = try readOne(file)
    if let split = try Split(checkpoint.metadata), split.count > 1 {
      checkpoint = try split.join(checkpoint, first: file)
    }
    return try restoringScalars(checkpoint)
  }

  /// Reads one file, not looking at what its metadata says about others.
  static func readOne(_ file: InputFile) throws(FileError) -> Checkpoint {
    let header = try readHeader(file)
    var checkpoint = Checkpoint(format: name, formatDetail: "version \(header.version)", metadata: header.metadata)
    checkpoint.files = [file]
    let alignment = try alignment(of: header.metadata)
    try place(header.entries, of: file, after: header.byteCount, alignment: alignment, in: &checkpoint)
    return checkpoint
  }

  /// Everything before the data.
  private struct Header {
    var version: UInt32
    var metadata: Metadata
    var entries: [TensorEntry] = []
    var byteCount = 0

    init(_ reader: inout ByteReader) throws(FileError) {
      version = try Self.readVersion(&reader)
      let counts = try Self.readCounts(&reader)
      metadata = try readMetadata(&reader, count: counts.metadata)
      for _ in 0..<counts.tensors { entries.append(try TensorEntry(&reader)) }
      byteCount = reader.offset
    }

    private static func readVersion(_ reader: inout ByteReader) throws(FileError) -> UInt32 {
      let start = try reader.array(4, "magic")
      guard start == magic else {
        let text = escaped(String(decoding: start, as: UTF8.self))
        throw FileError(.malformed, "magic '\(text)', expected 'GGUF'", offset: 0)
      }
      let version: UInt32 = try reader.integer("version")
      guard version == 2 || version == 3 else {
        if [1, 2, 3].contains(version.byteSwapped) {
          throw FileError(
            .unsupported, "big-endian file (version \(version.byteSwapped)), allowed little-endian", offset: 4,
            hint: "Convert it with gguf-convert-endian of gguf-py")
        }
        throw FileError(
          .unsupported, "version \(version), allowed 2 and 3", offset: 4,
          hint: version == 1 ? "Convert the model anew" : nil)
      }
      return version
    }

    /// How many tensors and metadata entries there are, at most as many as the smallest ones leave room for.
    private static func readCounts(_ reader: inout ByteReader) throws(FileError) -> (tensors: Int, metadata: Int) {
      let tensors = try reader.length("number of tensors", unit: TensorEntry.smallest)
      guard tensors <= Limits.tensors else {
        throw FileError(.malformed, "\(tensors) tensors, allowed \(Limits.tensors)", offset: 8)
      }
      let smallestMetadata = 14  // a length, one character, a type, one byte
      let metadata = try reader.length("number of metadata entries", unit: smallestMetadata)
      guard metadata <= Limits.metadataKeys else {
        throw FileError(.malformed, "\(metadata) metadata entries, allowed \(Limits.metadataKeys)", offset: 16)
      }
      return (tensors, metadata)
    }
  }

  private static func readHeader(_ file: InputFile) throws(FileError) -> Header {
    let bytes = try Bytes(file).slice(0, min(file.count, Limits.ggufHeader))
    var reader = ByteReader(bytes)
    do throws(FileError) {
      return try Header(&reader)
    } catch {
      guard error.kind == .truncated, bytes.count < file.count else { throw error }
      throw FileError(
        .malformed, "\(error.message) of the \(Limits.ggufHeader) that a header may take", offset: error.offset,
        tensor: error.tensor)
    }
  }

  /// Tensors that clipkit wrote with one dimension of 1 for readers that need one, as the scalars they are.
  private static func restoringScalars(_ checkpoint: Checkpoint) throws(FileError) -> Checkpoint {
    guard let value = checkpoint.metadata[scalarsKey] else { return checkpoint }
    guard let list = value.strings else {
      throw FileError(.malformed, "\(scalarsKey) is not an array of strings")
    }
    let scalars = Set(list)
    for name in list where checkpoint[name]?.shape != [1] {
      throw FileError(.malformed, "\(scalarsKey) names what is no tensor of shape [1]", tensor: name)
    }
    var result = Checkpoint(
      format: checkpoint.format, formatDetail: checkpoint.formatDetail, metadata: checkpoint.metadata,
      notes: checkpoint.notes)
    result.files = checkpoint.files
    result.unreadable = checkpoint.unreadable
    result.metadata[scalarsKey] = nil
    for name in checkpoint.names {
      guard let tensor = checkpoint[name] else { continue }
      try result.add(scalars.contains(name) ? tensor.reshaped([]) : tensor, named: name)
    }
    return result
  }
}
