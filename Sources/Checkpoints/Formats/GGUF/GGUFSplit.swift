extension GGUF {
  /// What a file says about the split that it is part of.
  struct Split {
    static let numberKey = "split.no"
    static let countKey = "split.count"
    static let tensorsKey = "split.tensors.count"
    static let keys = [numberKey, countKey, tensorsKey]

    /// The place of this file, from 0.
    var number: Int
    /// How many files there are; 0 or 1 for a file that is complete.
    var count: Int
    /// How many tensors all files hold, when the file says so.
    var tensors: Int?

    /// Nil when the metadata speak of no split.
    init?(_ metadata: Metadata) throws(FileError) {
      guard metadata[Self.countKey] != nil else { return nil }
      count = try Self.value(Self.countKey, of: metadata) ?? 0
      number = try Self.value(Self.numberKey, of: metadata) ?? 0
      tensors = try Self.value(Self.tensorsKey, of: metadata)
    }

    private static func value(_ key: String, of metadata: Metadata) throws(FileError) -> Int? {
      guard let value = metadata[key] else { return nil }
      guard let integer = value.integer, integer >= 0, integer <= Int(Int32.max) else {
        throw FileError(.malformed, "\(key) is \(escaped(value.text)), allowed a number of files or tensors")
      }
      return integer
    }

    /// Whether a file's name is that of a part, `NAME-00002-of-00003.gguf`, other than the first.
    static func isLaterPart(_ name: String) -> Bool {
      guard let shard = ShardName(name), shard.ending == ".gguf" else { return false }
      return shard.number > 1
    }

    /// The ending of the name of the file in that place.
    private func ending(_ number: Int) -> String {
      ShardName(stem: "", number: number + 1, count: count, ending: ".gguf").suffix
    }

    /// The tensors of all files, with the metadata of the first, given as it was read.
    func join(_ checkpoint: Checkpoint, first file: InputFile) throws(FileError) -> Checkpoint {
      guard file.path.hasSuffix(ending(number)) else {
        throw FileError(
          .mismatch, "part \(number + 1) of \(count) of a split, but the name does not end in '\(ending(number))'",
          hint: "Give the parts their names back")
      }
      let stem = String(file.path.dropLast(ending(number).count))
      guard number == 0 else {
        throw FileError(
          .unsupported, "part \(number + 1) of \(count) of a split, allowed is the first",
          hint: "Open '\(lastComponent(of: stem))\(ending(0))'")
      }
      var joined = checkpoint
      for number in 1..<count { try join("\(stem)\(ending(number))", number: number, to: &joined) }
      try checkNames(of: joined)
      let found = joined.names.count + joined.unreadable.count
      guard tensors == nil || tensors == found else {
        throw FileError(.mismatch, "\(found) tensors in \(count) files, \(Self.tensorsKey) says \(tensors ?? 0)")
      }
      let parts = (0..<count).map { lastComponent(of: stem) + ending($0) }
      joined.notes += try ShardName.strangers(beside: parts, in: TemporaryFile.parent(of: file.path))
      for key in Self.keys { joined.metadata[key] = nil }
      joined.formatDetail += ", \(count) files"
      return joined
    }

    private func join(_ path: String, number: Int, to joined: inout Checkpoint) throws(FileError) {
      do throws(FileError) {
        let part = try GGUF.readOne(open(path))
        guard let split = try Split(part.metadata), split.number == number, split.count == count,
          split.tensors == tensors
        else {
          throw FileError(.mismatch, "is not part \(number + 1) of \(count) of the same split")
        }
        joined.files += part.files
        joined.unreadable += part.unreadable.map { $0.located(file: path) }
        for name in part.names {
          guard let tensor = part[name] else { continue }
          try joined.add(tensor, named: name)
        }
        try addMetadata(of: part, to: &joined)
      } catch {
        throw error.located(file: path)
      }
    }

    private func open(_ path: String) throws(FileError) -> InputFile {
      do throws(FileError) {
        return try InputFile(path)
      } catch {
        guard error.kind == .missing else { throw error }
        throw FileError(
          .mismatch, "part '\(escaped(lastComponent(of: path)))' of the split is missing",
          hint: "Put all \(count) files in one directory")
      }
    }

    /// Keys that only a later file has; the alignment is each file's own.
    private func addMetadata(of part: Checkpoint, to joined: inout Checkpoint) throws(FileError) {
      for key in part.metadata.keys where !Self.keys.contains(key) && key != alignmentKey {
        guard let old = joined.metadata[key] else {
          joined.metadata[key] = part.metadata[key]
          continue
        }
        guard old == part.metadata[key] else {
          throw FileError(.mismatch, "metadata '\(escaped(key))' differs from the first file's")
        }
      }
    }
  }
}
