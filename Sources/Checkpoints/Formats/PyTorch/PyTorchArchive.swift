/// A zip archive that `torch.save` or `torch.jit.save` wrote: one folder with `data.pkl`, `data/KEY` for each storage,
/// and in a TorchScript archive `constants.pkl` and code, which is never read.
struct PyTorchArchive {
  private let zip: ZipArchive
  private let root: String
  private let isTorchScript: Bool

  init(_ file: InputFile) throws(FileError) {
    zip = try ZipArchive(file)
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
    guard entry.size <= Limits.pickle else {
      throw FileError(.malformed, "pickle of \(entry.size) bytes, allowed \(Limits.pickle)", offset: entry.dataOffset)
    }
    // Offsets in a compressed pickle are its own.
    var reader = ByteReader(try zip.bytes(of: entry), base: entry.method == .stored ? entry.dataOffset : 0)
    let pickle = try PickleMachine.read(&reader)
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
    guard entry.size <= Limits.json else {
      throw FileError(.malformed, "\(entry.size) bytes of metadata, allowed \(Limits.json)", offset: entry.dataOffset)
    }
    let base = entry.method == .stored ? entry.dataOffset : 0
    do throws(FileError) {
      return try Metadata(json: JSONValue(parsing: zip.bytes(of: entry).load(), base: base))
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
      return known.bytes
    }
    guard let entry = zip[root + "data/" + storage.key] else {
      throw FileError(.malformed, "storage '\(escaped(storage.key))' is not in the archive")
    }
    var bytes = try zip.bytes(of: entry)
    if isBigEndian {
      guard storage.type.storage != PyTorchDType.untyped.storage else {
        throw FileError(.unsupported, "big-endian storage without a type is not read")
      }
      let unit = storage.type.storage.hasPrefix("Complex") ? storage.type.size / 2 : storage.type.size
      if unit > 1 { bytes = Bytes(try SwappedBytes(bytes, size: unit)) }
    }
    opened[storage.key] = (type, bytes)
    return bytes
  }
}
