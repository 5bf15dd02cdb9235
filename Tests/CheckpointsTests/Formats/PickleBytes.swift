import Checkpoints
import TestSupport

/// Pickles written by hand, opcode by opcode, from the tables of Python's `pickletools`.
enum P {
  static let proto: [UInt8] = [0x80, 2]
  static let stop: [UInt8] = [UInt8(ascii: ".")]
  static let mark: [UInt8] = [UInt8(ascii: "(")]
  static let emptyTuple: [UInt8] = [UInt8(ascii: ")")]
  static let emptyDict: [UInt8] = [UInt8(ascii: "}")]
  static let emptyList: [UInt8] = [UInt8(ascii: "]")]
  static let reduce: [UInt8] = [UInt8(ascii: "R")]
  static let newObject: [UInt8] = [0x81]
  static let build: [UInt8] = [UInt8(ascii: "b")]
  static let setItem: [UInt8] = [UInt8(ascii: "s")]
  static let setItems: [UInt8] = [UInt8(ascii: "u")]
  static let append: [UInt8] = [UInt8(ascii: "a")]
  static let none: [UInt8] = [UInt8(ascii: "N")]
  static let persistent: [UInt8] = [UInt8(ascii: "Q")]

  static func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
  static func text(_ text: String) -> [UInt8] {
    [UInt8(ascii: "X")] + little(UInt32(text.utf8.count)) + Array(text.utf8)
  }
  static func shortText(_ text: String) -> [UInt8] { [0x8C, UInt8(text.utf8.count)] + Array(text.utf8) }
  /// LONG1 of 8 bytes: any integer.
  static func int(_ value: Int) -> [UInt8] { [0x8A, 8] + little(Int64(value)) }
  static func global(_ module: String, _ name: String) -> [UInt8] {
    [UInt8(ascii: "c")] + Array("\(module)\n\(name)\n".utf8)
  }
  static func stackGlobal(_ module: String, _ name: String) -> [UInt8] {
    shortText(module) + shortText(name) + [0x93]
  }
  static func put(_ index: UInt8) -> [UInt8] { [UInt8(ascii: "q"), index] }
  static func get(_ index: UInt8) -> [UInt8] { [UInt8(ascii: "h"), index] }
  static func tuple(_ elements: [UInt8]...) -> [UInt8] { mark + elements.flatMap { $0 } + [UInt8(ascii: "t")] }
  static func dict(_ items: (String, [UInt8])...) -> [UInt8] {
    emptyDict + mark + items.flatMap { text($0.0) + $0.1 } + setItems
  }
  static let orderedDict = global("collections", "OrderedDict") + emptyTuple + reduce

  static func storage(
    _ key: String = "0", _ type: String = "FloatStorage", count: Int = 6, location: String = "cpu"
  ) -> [UInt8] {
    tuple(text("storage"), global("torch", type), text(key), text(location), int(count)) + persistent
  }

  /// `_rebuild_tensor_v2` of a storage; six floats unless told otherwise.
  static func tensor(
    _ storage: [UInt8] = storage(), offset: Int = 0, shape: [Int] = [2, 3], strides: [Int] = [3, 1],
    metadata: [UInt8] = []
  ) -> [UInt8] {
    let (shape, strides) = (tuple(shape.flatMap(int)), tuple(strides.flatMap(int)))
    return global("torch._utils", "_rebuild_tensor_v2")
      + tuple(storage, int(offset), shape, strides, [0x89], orderedDict, metadata) + reduce
  }

  static func pickle(_ value: [UInt8]) -> [UInt8] { proto + value + stop }
}

/// Six floats: 0, 1, 2, 3, 4, 5.
let sixFloats: [UInt8] = (0..<6).flatMap { P.little(Float($0).bitPattern) }

/// Zip archives of PyTorch around pickles written by hand.
struct PyTorchFile {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// The path of an archive with these entries, in order; names are relative to the folder `a`.
  func archive(_ entries: [(String, [UInt8])]) throws -> String {
    let path = directory.file("archive.pt")
    let output = try FileWriter(path, policy: FileWriter.Policy(force: true))
    var zip = ZipWriter(output)
    for (name, bytes) in entries { try zip.add(name, Bytes(bytes), alignment: 64) }
    try zip.finish()
    try output.commit()
    return path
  }

  /// What is read from an archive with this pickle and storages.
  func read(
    _ pickle: [UInt8], storages: [(String, [UInt8])] = [("0", sixFloats)], options: ReadOptions = ReadOptions()
  ) throws -> Checkpoint {
    let entries = [("a/data.pkl", pickle)] + storages.map { ("a/data/\($0.0)", $0.1) } + [("a/version", [0x33, 0x0A])]
    return try Checkpoint.open(archive(entries), options: options)
  }

  /// The error of reading an archive with this pickle and storages, nil when it is read.
  func error(
    _ pickle: [UInt8], storages: [(String, [UInt8])] = [("0", sixFloats)], options: ReadOptions = ReadOptions()
  ) throws -> FileError? {
    do {
      _ = try read(pickle, storages: storages, options: options)
      return nil
    } catch let error as FileError {
      return error
    }
  }
}

extension Tensor {
  /// The elements of an f32 tensor.
  func floats() throws -> [Float] {
    let bytes = try bytes.load()
    return bytes.withUnsafeBytes { buffer in
      (0..<(bytes.count / 4)).map { buffer.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
    }
  }
}
