extension NPZ {
  /// Reads the header of every array; the data is left in the file.
  public static func read(_ file: InputFile, options: ReadOptions) throws(FileError) -> Checkpoint {
    var checkpoint = Checkpoint(format: name)
    if try isArray(file) {
      checkpoint.formatDetail = "one array"
      let name = stem(of: file.path)
      let bytes = Bytes(file)
      do throws(FileError) {
        try checkpoint.add(tensor(NPYHeader(bytes, base: 0), of: bytes, base: 0), named: name)
      } catch {
        throw error.located(offset: 0, tensor: name)
      }
    } else {
      let archive = try ZipArchive(file, maxRatio: options.maxRatio)
      checkpoint.notes = archive.notes
      for entry in archive.entries { try add(entry, of: archive, to: &checkpoint) }
    }
    let untyped = checkpoint.names.count { checkpoint[$0]?.dtype == .bf16 }
    if untyped > 0 { checkpoint.notes.append("dtype V2 is read as bf16 in \(untyped) arrays") }
    return checkpoint
  }

  private static func add(_ entry: ZipArchive.Entry, of archive: ZipArchive, to checkpoint: inout Checkpoint)
    throws(FileError)
  {
    guard entry.name.hasSuffix(memberSuffix), entry.name.utf8.count > memberSuffix.utf8.count else {
      throw FileError(
        .malformed, "entry '\(escaped(entry.name))' is not an array: expected a name and \(memberSuffix)",
        offset: entry.headerOffset)
    }
    let name = String(entry.name.dropLast(memberSuffix.count))
    do throws(FileError) {
      let bytes = try name == metadataName ? archive.header(entry, limit: Limits.json) : archive.bytes(of: entry)
      let header = try NPYHeader(bytes, base: entry.dataOffset)
      guard name != metadataName else {
        checkpoint.metadata = try metadata(header, bytes, entry)
        return
      }
      // Fresh bytes of a deflated entry let go of the inflater that read the header; the checksum of a stored one
      // goes on behind the header.
      let data = entry.method == .stored ? bytes : try archive.bytes(of: entry)
      try checkpoint.add(tensor(header, of: data, base: entry.dataOffset), named: name)
    } catch {
      var error = error
      // A place in inflated data is none in the file.
      if entry.method == .deflated, error.kind != .io { error.offset = entry.dataOffset }
      error = error.located(offset: entry.dataOffset, tensor: name)
      // Arrays of texts lie beside tensors in many archives.
      guard error.kind == .unsupported, name != metadataName else { throw error }
      checkpoint.unreadable.append(error)
    }
  }

  private static func tensor(_ header: NPYHeader, of bytes: Bytes, base: Int) throws(FileError) -> Tensor {
    let expected = try header.dtype.byteCount(shape: header.shape)
    let found = bytes.count - header.dataOffset
    guard found == expected else {
      throw FileError(
        found < expected ? .truncated : .malformed,
        "\(header.dtype) \(header.shape) needs \(expected) bytes, found \(found)", offset: base + header.dataOffset)
    }
    var data = try bytes.slice(header.dataOffset, expected)
    if header.isBigEndian {
      // A complex value is two floats, each in its order.
      data = Bytes(try SwappedBytes(data, size: header.dtype == .c64 ? 4 : header.dtype.blockBytes))
    }
    if header.isFortran, header.shape.count > 1, expected > 0 {
      var strides: [Int] = [1]
      for size in header.shape.dropLast() { strides.append((strides.last ?? 1) * size) }
      data = Bytes(
        try StridedBytes(data, elementSize: header.dtype.blockBytes, shape: header.shape, strides: strides))
    }
    return try Tensor(dtype: header.dtype, shape: header.shape, bytes: data)
  }

  private static func metadata(
    _ header: NPYHeader, _ bytes: Bytes, _ entry: ZipArchive.Entry
  ) throws(FileError) -> Metadata {
    guard header.dtype == .u8, header.shape.count == 1 else {
      throw FileError(.malformed, "\(header.dtype) \(header.shape), expected the bytes of a JSON object")
    }
    let text = try tensor(header, of: bytes, base: entry.dataOffset).bytes.load()
    let base = entry.dataOffset + header.dataOffset
    guard let object = try JSONValue(parsing: text, base: base, bytesInFile: entry.compressedSize).object else {
      throw FileError(.malformed, "not a JSON object", offset: base)
    }
    var metadata = Metadata()
    for key in object.keys {
      guard let value = object[key]?.string else {
        throw FileError(.malformed, "'\(escaped(key))' is not a string", offset: base)
      }
      metadata[key] = .string(value)
    }
    return metadata
  }

  /// The file's name without directories and extension.
  static func stem(of path: String) -> String {
    let name = path.split(separator: "/").last ?? ""
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return String(name) }
    return String(name[..<dot])
  }
}
