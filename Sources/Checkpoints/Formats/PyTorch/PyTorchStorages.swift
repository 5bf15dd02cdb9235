/// A reference to a storage: the data that one tensor or several are views of.
struct PyTorchStorage {
  /// The name by which the archive's entry, or the legacy file's list, knows it.
  var key: String
  /// What its elements are; bytes for an untyped storage.
  var type: PyTorchDType
  /// How many elements it has.
  var count: Int
  /// Whether it was on the device that keeps no data.
  var isMeta: Bool
  /// Its bytes.
  var byteCount: Int
  /// The part of it that is meant, in elements: only legacy files have such.
  var view: Range<Int>?

  /// Reads the tuple by which a pickle refers to a storage; throws `malformed` when it is none.
  init(_ reference: Pickle.Value, of pickle: Pickle) throws(FileError) {
    guard let node = pickle.node(reference, as: .persistent) else {
      throw FileError(.malformed, "storage is \(pickle.describe(reference)), not a reference")
    }
    guard let parts = pickle.elements(node.items[0]), parts.count >= 5, pickle.text(parts[0]) == "storage" else {
      throw FileError(.malformed, "reference to something that is not a storage", offset: node.offset)
    }
    guard let path = pickle.path(parts[1]), let type = PyTorchDType(storageClass: path) else {
      throw FileError(
        .unsupported, "storage is \(pickle.path(parts[1]) ?? pickle.describe(parts[1])), which is not read",
        offset: node.offset)
    }
    guard let key = pickle.text(parts[2]), let location = pickle.text(parts[3]),
      let count = pickle.integer(parts[4]), count >= 0
    else { throw FileError(.malformed, "storage without a key, location and size", offset: node.offset) }
    guard key.utf8.count <= Limits.pickledName else {
      throw FileError(
        .malformed, "storage key of \(key.utf8.count) bytes, allowed \(Limits.pickledName)", offset: node.offset)
    }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: type.size)
    guard !overflow else {
      throw FileError(.malformed, "storage of \(count) elements of \(type.size) bytes overflows", offset: node.offset)
    }
    self.key = key
    self.type = type
    self.count = count
    isMeta = location == "meta"
    byteCount = bytes
    if parts.count > 5, parts[5] != .none { view = try Self.view(parts[5], of: pickle, count: count, at: node.offset) }
  }

  /// (key, offset, size): a part of a storage, as PyTorch before 0.4 shared them.
  private static func view(
    _ value: Pickle.Value, of pickle: Pickle, count: Int, at position: Int
  ) throws(FileError) -> Range<Int> {
    guard let parts = pickle.elements(value), parts.count == 3, let offset = pickle.integer(parts[1]),
      let size = pickle.integer(parts[2]), offset >= 0, size >= 0, offset <= count, size <= count - offset
    else { throw FileError(.malformed, "view of a storage of \(count) elements does not fit it", offset: position) }
    return offset..<(offset + size)
  }
}

/// The storages of one file, found by their key.
protocol PyTorchStorages {
  /// All bytes of a storage; throws when there is none of that key or it has fewer bytes.
  mutating func bytes(of storage: PyTorchStorage) throws(FileError) -> Bytes
}

extension PyTorchStorage {
  /// The bytes of the storage, of which its entry may have more.
  func checked(_ bytes: Bytes) throws(FileError) -> Bytes {
    guard bytes.count >= byteCount else {
      throw FileError(
        .truncated, "storage '\(escaped(key))' has \(bytes.count) bytes, \(count) \(type.name) need \(byteCount)")
    }
    guard let view else { return try bytes.slice(0, byteCount) }
    return try bytes.slice(view.lowerBound * type.size, view.count * type.size)
  }
}
