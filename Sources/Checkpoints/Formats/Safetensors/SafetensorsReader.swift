extension Safetensors {
  /// Reads the header; `formats/safetensors.md` lists what is refused.
  public static func read(_ file: InputFile, options: ReadOptions) throws(FileError) -> Checkpoint {
    var reader = ByteReader(Bytes(file))
    let declared: UInt64 = try reader.integer("header length")
    guard declared <= UInt64(Limits.safetensorsHeader) else {
      throw FileError(.malformed, "header of \(declared) bytes, allowed \(Limits.safetensorsHeader)", offset: 0)
    }
    let length = Int(declared)
    guard length <= reader.remaining else {
      throw FileError(.truncated, "header of \(length) bytes, \(reader.remaining) remain", offset: 0)
    }
    let header = try Header(reader.array(length, "header"), at: 8)
    return try header.checkpoint(data: reader.slice(reader.remaining, "tensor data"), at: 8 + length)
  }

  /// What one tensor's entry says, unchecked but for its JSON types.
  private struct Entry {
    var name: String
    var offset: Int
    var dtype = ""
    var shape: [Int] = []
    var range: (begin: Int, end: Int) = (0, 0)
  }

  private struct Header {
    var entries: [Entry] = []
    var metadata = Metadata()

    init(_ json: [UInt8], at base: Int) throws(FileError) {
      var reader = JSONReader(json, base: base)
      guard try reader.next() == UInt8(ascii: "{") else {
        throw reader.error("safetensors header is not a JSON object")
      }
      var entries: [Entry] = []
      var metadata = Metadata()
      var hasMetadata = false
      try reader.object { (reader, key, offset) throws(FileError) in
        if key == "__metadata__" {
          guard !hasMetadata else { throw reader.error("two __metadata__ objects", at: offset) }
          hasMetadata = true
          metadata = try Self.metadata(&reader)
        } else {
          entries.append(try Self.entry(&reader, named: key, at: offset))
        }
      }
      try reader.end()
      self.entries = entries
      self.metadata = metadata
    }

    private static func metadata(_ reader: inout JSONReader) throws(FileError) -> Metadata {
      var metadata = Metadata()
      try reader.object { (reader, key, offset) throws(FileError) in
        guard metadata[key] == nil else {
          throw reader.error("duplicate __metadata__ key '\(escaped(key))'", at: offset)
        }
        guard try reader.next() == UInt8(ascii: "\"") else {
          throw reader.error("__metadata__ '\(escaped(key))' is not a string")
        }
        metadata[key] = .string(try reader.string())
      }
      return metadata
    }

    private static func entry(_ reader: inout JSONReader, named name: String, at offset: Int) throws(FileError) -> Entry
    {
      var entry = Entry(name: name, offset: offset)
      var seen: Set<String> = []
      try reader.object { (reader, key, offset) throws(FileError) in
        guard seen.insert(key).inserted else {
          throw reader.error("duplicate key '\(escaped(key))'", at: offset).located(tensor: name)
        }
        switch key {
        case "dtype": entry.dtype = try reader.string()
        case "shape": entry.shape = try counts(&reader, atMost: Limits.dimensions, of: name)
        case "data_offsets":
          let range = try counts(&reader, atMost: 2, of: name)
          guard range.count == 2 else {
            throw reader.error("data_offsets has \(range.count) numbers, expected 2").located(tensor: name)
          }
          entry.range = (range[0], range[1])
        default: throw reader.error("unknown key '\(escaped(key))'", at: offset).located(tensor: name)
        }
      }
      guard seen.count == 3 else {
        throw FileError(.malformed, "entry needs dtype, shape and data_offsets", offset: offset, tensor: name)
      }
      return entry
    }

    private static func counts(_ reader: inout JSONReader, atMost limit: Int, of name: String) throws(FileError)
      -> [Int]
    {
      var values: [Int] = []
      do throws(FileError) {
        try reader.array { (reader) throws(FileError) in
          guard values.count < limit else { throw reader.error("more than \(limit) numbers") }
          values.append(try reader.count())
        }
      } catch {
        throw error.located(tensor: name)
      }
      return values
    }

    /// The gate: sorted by offset the ranges start at 0, leave no hole, do not overlap and end with the data.
    func checkpoint(data: Bytes, at base: Int) throws(FileError) -> Checkpoint {
      var checkpoint = Checkpoint(format: Safetensors.name, metadata: metadata)
      var end = 0
      var unreadable: Set<String> = []
      for entry in entries.sorted(by: { ($0.range.begin, $0.range.end) < ($1.range.begin, $1.range.end) }) {
        do throws(FileError) {
          guard entry.range.begin == end, entry.range.end >= end else {
            let problem = entry.range.begin > end ? "leaves a hole" : "overlaps another tensor"
            throw FileError(
              .malformed,
              "data_offsets [\(entry.range.begin), \(entry.range.end)] \(problem): expected to begin at \(end)")
          }
          guard entry.range.end <= data.count else {
            throw FileError(.truncated, "data ends at \(entry.range.end), \(data.count) bytes there are")
          }
          let bytes = try data.slice(entry.range.begin, entry.range.end - entry.range.begin)
          if let dtype = Safetensors.dtypes.first(where: { $0.name == entry.dtype })?.dtype {
            try checkpoint.add(Tensor(dtype: dtype, shape: entry.shape, bytes: bytes), named: entry.name)
          } else {
            guard checkpoint[entry.name] == nil, unreadable.insert(entry.name).inserted else {
              throw FileError(.malformed, "two tensors have this name")
            }
            checkpoint.unreadable.append(
              FileError(
                .unsupported, "dtype '\(escaped(entry.dtype))' is not read", offset: entry.offset, tensor: entry.name))
          }
        } catch {
          throw error.located(offset: entry.offset, tensor: entry.name)
        }
        end = entry.range.end
      }
      guard end == data.count else {
        throw FileError(
          .malformed, "\(data.count - end) bytes after the last tensor, allowed 0", offset: base + end)
      }
      return checkpoint
    }
  }
}
