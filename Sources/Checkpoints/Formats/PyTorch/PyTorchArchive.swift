/// A zip archive that `torch.save` or `torch.jit.save` wrote: one folder with `data.pkl`, `data/KEY` for each storage,
/// and in a TorchScript archive `constants.pkl` and code, which is never read.
struct PyTorchArchive {
  private let zip: ZipArchive
  private let root: String
  private let isTorchScript: Bool

  init(_ file: InputFile, options: ReadOptions) throws(FileError) {
    zip = try ZipArchive(file, maxRatio: options.maxRatio)
    let roots = Self.roots(of: zip)
    guard let root = roots.first else { throw Self.otherKind(zip) }
    guard roots.count == 1 else {
      let names = roots.prefix(3).map { "'\(escaped($0 + Self.pickleName))'" }.joined(separator: ", ")
      throw FileError(
        .malformed, "\(roots.count) pickles, \(names), allowed one",
        offset: zip[roots[1] + Self.pickleName]?.headerOffset)
    }
    self.root = root
    isTorchScript = zip[root + "constants.pkl"] != nil
    // A mobile archive has the same parts, but its tensors may be packed for one processor.
    if zip[root + "bytecode.pkl"] != nil { throw Self.kind("PyTorch Mobile archive (.ptl)") }
  }

  /// Whether the archive is one that PyTorch wrote, even one of a kind that is refused.
  static func isPyTorch(_ file: InputFile) throws(FileError) -> Bool {
    let zip = try ZipArchive(file)
    return !zip.entries.isEmpty && !zip.entries.contains { $0.name.hasSuffix(".npy") } || !roots(of: zip).isEmpty
  }

  private static let pickleName = "data.pkl"

  /// The folders with a `data.pkl`, at most one level deep, each with its slash.
  private static func roots(of zip: ZipArchive) -> [String] {
    zip.entries.compactMap { entry in
      guard entry.name.hasSuffix(pickleName) else { return nil }
      let root = entry.name.dropLast(pickleName.count)
      return root.isEmpty || root.hasSuffix("/") && !root.dropLast().contains("/") ? String(root) : nil
    }
  }

  func read(options: ReadOptions) throws(FileError) -> Checkpoint {
    guard let entry = zip[root + Self.pickleName] else { throw Self.otherKind(zip) }
    let data = try zip.header(entry, limit: Limits.pickle)
    // Offsets in a compressed pickle are its own.
    var reader = ByteReader(data, base: entry.method == .stored ? entry.dataOffset : 0)
    let pickle = try PickleMachine.read(&reader, bytesInFile: entry.compressedSize)
    guard reader.remaining == 0 else {
      throw reader.error(.malformed, "\(reader.remaining) bytes after the end of the pickle, allowed 0")
    }
    let storages = ArchiveStorages(zip: zip, root: root, isBigEndian: try isBigEndian())
    var pyTorch = PyTorchReader(
      pickle, storages: storages, detail: isTorchScript ? "TorchScript archive" : "zip archive", options: options)
    var checkpoint = try pyTorch.read()
    checkpoint.notes += zip.notes
    if let metadata = try readMetadata() { checkpoint.metadata = metadata }
    return checkpoint
  }

  private func isBigEndian() throws(FileError) -> Bool {
    guard let entry = zip[root + "byteorder"] else { return false }
    let text = entry.size <= 16 ? String(validating: try zip.bytes(of: entry).load(), as: UTF8.self) : nil
    switch text {
    case "little": return false
    case "big": return true
    default: throw FileError(.malformed, "byteorder is neither 'little' nor 'big'", offset: entry.dataOffset)
    }
  }

  private func readMetadata() throws(FileError) -> Metadata? {
    guard let entry = zip[root + PyTorch.metadataName] else { return nil }
    let base = entry.method == .stored ? entry.dataOffset : 0
    do throws(FileError) {
      let text = try zip.header(entry, limit: Limits.json).load()
      return try Metadata(json: JSONValue(parsing: text, base: base, bytesInFile: entry.compressedSize))
    } catch {
      throw error.located(offset: entry.dataOffset)
    }
  }

  /// What a zip archive without a `data.pkl` is.
  private static func otherKind(_ zip: ZipArchive) -> FileError {
    func has(_ name: String) -> Bool { zip.entries.contains { $0.name == name || $0.name.hasSuffix("/" + name) } }
    if has("archive_format") || has("serialized_exported_program.json") {
      return kind("exported program (.pt2)")
    }
    if has("model.json") && has("attributes.pkl") || has("model.json") && has("version") {
      return kind("TorchScript archive of PyTorch 1.2 or older")
    }
    if has(".data/extern_modules") || has("python_version") { return kind("torch.package archive") }
    return FileError(
      .malformed,
      "zip archive without a data.pkl: \(zip.entries.count) entries"
        + (zip.entries.first.map { ", the first '\(escaped($0.name))'" } ?? ""), offset: 0,
      hint: "Give the file that torch.save wrote")
  }

  static func kind(_ kind: String) -> FileError {
    FileError(
      .unsupported, "\(kind), which is not read", offset: 0,
      hint: "Save the weights in PyTorch with torch.save(model.state_dict(), …)")
  }
}

/// The storages of an archive: its entries `data/KEY`, and nothing outside it, whatever the key.
struct ArchiveStorages: PyTorchStorages {
  let zip: ZipArchive
  let root: String
  let isBigEndian: Bool
  private var opened: [String: (type: String, bytes: Bytes)] = [:]
  /// What reading every tensor inflates.
  private var inflation = 0

  init(zip: ZipArchive, root: String, isBigEndian: Bool) {
    self.zip = zip
    self.root = root
    self.isBigEndian = isBigEndian
  }

  mutating func bytes(of storage: PyTorchStorage) throws(FileError) -> Bytes {
    let type = storage.type.storage
    if let known = opened[storage.key] {
      guard known.type == type else {
        throw FileError(
          .malformed, "storage '\(escaped(storage.key))' is used as \(known.type) and as \(type), allowed one type")
      }
      // Tensors of a compressed storage are inflated on their own, so that none sends another back to the beginning.
      guard let entry = zip[root + "data/" + storage.key], entry.method == .deflated else { return known.bytes }
      return try bytes(of: entry, storage)
    }
    guard let entry = zip[root + "data/" + storage.key] else {
      throw FileError(.malformed, "storage '\(escaped(storage.key))' is not in the archive")
    }
    let bytes = try bytes(of: entry, storage)
    opened[storage.key] = (type, bytes)
    return bytes
  }

  private mutating func bytes(of entry: ZipArchive.Entry, _ storage: PyTorchStorage) throws(FileError) -> Bytes {
    if entry.method == .deflated {
      inflation += entry.size
      let allowed = Limits.sharedInflation + 8 * zip.inflatedSize
      guard inflation <= allowed else {
        throw FileError(
          .malformed,
          "tensors that share compressed storages, '\(escaped(storage.key))' last, inflate \(inflation) "
            + "bytes and more, allowed \(allowed)", offset: entry.dataOffset,
          hint: "Write the archive again without compression")
      }
    }
    let bytes = try zip.bytes(of: entry)
    guard isBigEndian else { return bytes }
    guard storage.type.storage != PyTorchDType.untyped.storage else {
      throw FileError(.unsupported, "big-endian storage without a type is not read")
    }
    let unit = storage.type.storage.hasPrefix("Complex") ? storage.type.size / 2 : storage.type.size
    return unit > 1 ? Bytes(try SwappedBytes(bytes, size: unit)) : bytes
  }
}
