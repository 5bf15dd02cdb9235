extension GGUF {
  /// What the list of tensors says about one of them.
  struct TensorEntry {
    /// Bytes of an entry without name and dimensions.
    static let smallest = 24

    var name: String
    var shape: [Int] = []
    var type: TensorType
    var byteCount: Int
    /// Where the data begins, counted from the first tensor's; not checked yet.
    var dataOffset: UInt64
    /// Where this entry stands in the file.
    var offset: Int

    init(_ reader: inout ByteReader) throws(FileError) {
      offset = reader.fileOffset
      let length = try reader.length("length of a tensor's name")
      guard length <= maximumNameBytes else {
        throw FileError(.malformed, "tensor name of \(length) bytes, allowed \(maximumNameBytes)", offset: offset)
      }
      let name = try reader.string(length, "tensor name")
      self.name = name
      do throws(FileError) {
        guard !name.utf8.contains(0) else { throw FileError(.malformed, "name with a NUL byte", offset: offset) }
        shape = try Self.readShape(&reader)
        let typeOffset = reader.fileOffset
        let number: UInt32 = try reader.integer("type")
        do throws(FileError) {
          type = try TensorType(number: number)
          byteCount = try type.byteCount(shape: shape)
        } catch {
          throw error.located(offset: typeOffset)
        }
        dataOffset = try reader.integer("offset of the data")
      } catch {
        throw error.located(tensor: name)
      }
    }

    private static func readShape(_ reader: inout ByteReader) throws(FileError) -> [Int] {
      let start = reader.fileOffset
      let count: UInt32 = try reader.integer("number of dimensions")
      guard count <= maximumDimensions else {
        throw FileError(.malformed, "\(count) dimensions, allowed \(maximumDimensions)", offset: start)
      }
      var shape: [Int] = []
      for _ in 0..<count {
        let start = reader.fileOffset
        let value: UInt64 = try reader.integer("dimension")
        guard let size = Int(exactly: value) else {
          throw FileError(.malformed, "dimension of \(value), allowed \(Int.max)", offset: start)
        }
        shape.append(size)
      }
      return shape.reversed()
    }
  }

  /// The gate: data begins aligned after the header, each tensor where the one before ends, and nothing is missing or
  /// left over at the end.
  static func place(
    _ entries: [TensorEntry], of file: InputFile, after headerEnd: Int, alignment: Int, in checkpoint: inout Checkpoint
  ) throws(FileError) {
    let base = aligned(headerEnd, to: alignment)
    guard entries.isEmpty || base <= file.count else {
      throw FileError(.truncated, "data begins at \(base), the file ends at \(file.count)", offset: headerEnd)
    }
    let bytes = Bytes(file)
    var expected = 0
    var end = headerEnd
    for entry in entries {
      do throws(FileError) {
        try check(entry.dataOffset, expected: expected, alignment: alignment)
        guard entry.byteCount <= file.count - base - expected else {
          throw FileError(
            .truncated, "\(entry.byteCount) bytes of data at \(base + expected), the file ends at \(file.count)")
        }
        let data = try bytes.slice(base + expected, entry.byteCount)
        end = base + expected + entry.byteCount
        expected = aligned(expected + entry.byteCount, to: alignment)
        if let dtype = entry.type.dtype {
          try checkpoint.add(Tensor(dtype: dtype, shape: entry.shape, bytes: data), named: entry.name)
        } else {
          checkpoint.unreadable.append(unreadable(entry))
        }
      } catch {
        throw error.located(offset: entry.offset, tensor: entry.name)
      }
    }
    try checkNames(of: checkpoint)
    try checkEnd(of: file, after: end, alignment: alignment)
  }

  /// Throws when a tensor that is not read has the name of another; those that are read have been checked.
  static func checkNames(of checkpoint: Checkpoint) throws(FileError) {
    var names: Set<String> = []
    for entry in checkpoint.unreadable {
      guard let name = entry.tensor else { continue }
      guard names.insert(name).inserted, checkpoint[name] == nil else {
        throw FileError(.malformed, "two tensors have this name", file: entry.file, offset: entry.offset, tensor: name)
      }
    }
  }

  private static func check(_ offset: UInt64, expected: Int, alignment: Int) throws(FileError) {
    guard offset != UInt64(expected) else { return }
    let problem =
      if offset % UInt64(alignment) != 0 {
        "is not aligned to \(alignment)"
      } else if offset > UInt64(expected) {
        "leaves a gap"
      } else {
        "overlaps the tensor before"
      }
    throw FileError(.malformed, "data offset \(offset) \(problem), expected \(expected)")
  }

  private static func unreadable(_ entry: TensorEntry) -> FileError {
    let read = TensorType.all.filter { $0.dtype != nil }.map(\.name).joined(separator: " ")
    return FileError(
      .unsupported, "type \(entry.type.number) (\(entry.type.name)) is not read", offset: entry.offset,
      tensor: entry.name, hint: "Types read: \(read)")
  }

  /// After the last tensor there may be zeros up to the alignment, and nothing else.
  private static func checkEnd(of file: InputFile, after end: Int, alignment: Int) throws(FileError) {
    let allowed = aligned(end, to: alignment) - end
    guard file.count - end <= allowed else {
      throw FileError(
        .malformed, "\(file.count - end) bytes after the last tensor, allowed \(allowed) of padding", offset: end)
    }
    var offset = end
    try Bytes(file).slice(end, file.count - end).forEachChunk { (chunk) throws(FileError) in
      if let index = chunk.firstIndex(where: { $0 != 0 }) {
        throw FileError(
          .malformed, "byte \(chunk[index]) in the padding after the last tensor, allowed 0", offset: offset + index)
      }
      offset += chunk.count
    }
  }
}
