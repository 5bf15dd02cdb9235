/// A file of PyTorch before 1.6, or of `_use_new_zipfile_serialization=False`: five pickles (magic number, version,
/// system, object, list of storage keys), then each storage as its number of elements and its bytes.
struct PyTorchLegacy {
  /// The magic number as pickle stores it, and as protocols before 2 write it.
  private static let magicBytes: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
  private static let magicHexadecimal = "6cfc9c46f9206aa85019"
  private static let magicDecimal = "119547037146038801333356"

  /// Whether a file begins as one: with the pickled magic number.
  static func begins(_ head: [UInt8]) -> Bool {
    // PROTO n, perhaps a FRAME, LONG1 of 10 bytes.
    for start in [4, 13] where head.count >= start + 10 && head[0] == 0x80 {
      if head[(start - 2)...].prefix(2) == [0x8A, 10], Array(head[start..<(start + 10)]) == magicBytes { return true }
    }
    return head.starts(with: Array("L\(magicDecimal)".utf8))
  }

  static func read(_ file: InputFile, options: ReadOptions) throws(FileError) -> Checkpoint {
    var reader = ByteReader(Bytes(file))
    let magic = try PickleMachine.read(&reader)
    guard let number = magic.node(magic.root, as: .longInteger)?.text,
      number == magicHexadecimal || number == magicDecimal
    else {
      throw FileError(
        .unsupported, "a pickle without PyTorch's magic number", offset: 0,
        hint: "Save the weights with torch.save(model.state_dict(), …)")
    }
    let version = try PickleMachine.read(&reader)
    guard version.root == .int(1001) else {
      throw reader.error(.unsupported, "legacy file of another version than 1001")
    }
    // The system says its byte order, but data is little-endian on every one.
    _ = try PickleMachine.read(&reader)
    let object = try PickleMachine.read(&reader)
    let storages = try LegacyStorages(&reader, object)
    guard reader.remaining == 0 else {
      throw reader.error(.malformed, "\(reader.remaining) bytes after the last storage, allowed 0")
    }
    var pyTorch = PyTorchReader(
      object, storages: storages, detail: "legacy file (before PyTorch 1.6)", options: options)
    return try pyTorch.read()
  }
}

/// The storages of a legacy file, by their keys.
struct LegacyStorages: PyTorchStorages {
  private var storages: [String: Bytes] = [:]

  /// Finds where each storage begins: their order is in the list of keys, their types in the object.
  init(_ reader: inout ByteReader, _ object: Pickle) throws(FileError) {
    var references: [String: PyTorchStorage] = [:]
    for (index, node) in object.nodes.enumerated() where node.kind == .persistent {
      let storage = try PyTorchStorage(.node(index), of: object)
      guard let known = references.updateValue(storage, forKey: storage.key) else { continue }
      guard known.type.storage == storage.type.storage, known.count == storage.count else {
        throw FileError(
          .malformed, "storage '\(escaped(storage.key))' has two types or sizes, allowed one", offset: node.offset)
      }
    }
    let list = try PickleMachine.read(&reader)
    guard let keys = list.elements(list.root) else {
      throw reader.error(.malformed, "list of storages is \(list.describe(list.root))")
    }
    for value in keys {
      let offset = reader.fileOffset
      guard let key = list.text(value), let storage = references[key] else {
        throw reader.error(.malformed, "storage '\(escaped(list.text(value) ?? "?"))' is of no tensor")
      }
      let count = try reader.length("storage '\(escaped(key))'", unit: storage.type.size)
      guard count == storage.count else {
        throw FileError(
          .malformed, "storage '\(escaped(key))' has \(count) elements, its tensors say \(storage.count)",
          offset: offset)
      }
      let bytes = try reader.slice(storage.byteCount, "storage '\(escaped(key))'")
      guard storages.updateValue(bytes, forKey: key) == nil else {
        throw FileError(.malformed, "storage '\(escaped(key))' is listed twice", offset: offset)
      }
    }
  }

  mutating func bytes(of storage: PyTorchStorage) throws(FileError) -> Bytes {
    guard let found = storages[storage.key] else {
      throw FileError(.malformed, "storage '\(escaped(storage.key))' is not in the file")
    }
    return found
  }
}
