import Checkpoints
import TestSupport
import Testing

/// P17: files from before PyTorch 1.6, written by hand.
@Suite struct PyTorchLegacyTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// 0x1950a86a20f9469cfc6c, little-endian.
  private static let magic = P.pickle([0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19])
  private static let version = P.pickle([0x4D, 0xE9, 0x03])
  private static let system = P.pickle(P.dict(("protocol_version", P.int(1001)), ("little_endian", [0x88])))

  /// Legacy references have a sixth part.
  private static func storage(
    _ key: String = "0", _ type: String = "FloatStorage", count: Int = 6, view: [UInt8] = P.none
  )
    -> [UInt8]
  {
    P.tuple(P.text("storage"), P.global("torch", type), P.text(key), P.text("cpu"), P.int(count), view) + P.persistent
  }

  private static func keys(_ keys: String...) -> [UInt8] {
    P.pickle(P.emptyList + P.mark + keys.flatMap(P.text) + [0x65])
  }

  private static let model = P.pickle(P.dict(("w", P.tensor(storage()))))
  private static let data = P.little(Int64(6)) + sixFloats
  private static let whole = magic + version + system + model + keys("0") + data

  private func open(_ bytes: [UInt8]) throws -> Checkpoint {
    try Checkpoint.open(directory.write(bytes, to: "model.pth"))
  }

  @Test func readsOneTensor() throws {
    let checkpoint = try open(Self.whole)
    #expect(checkpoint.formatDetail == "legacy file (before PyTorch 1.6)")
    #expect(try checkpoint["w"]?.floats() == [0, 1, 2, 3, 4, 5])
  }

  /// Protocols 1 and 4 write the magic number in other ways.
  @Test func everyProtocolIsRecognised() throws {
    let framed: [UInt8] = [0x80, 4, 0x95, 13, 0, 0, 0, 0, 0, 0, 0] + Self.magic.dropFirst(2)
    let decimal = Array("L119547037146038801333356L\n.".utf8)
    for magic in [framed, decimal] {
      #expect(try open(magic + Self.whole.dropFirst(Self.magic.count)).names == ["w"])
    }
  }

  /// Before PyTorch 0.4 a tensor could be a view of a part of a storage that others shared.
  @Test func viewsOfStorages() throws {
    let view = P.tuple(P.text("v"), P.int(2), P.int(3))
    let tensor = P.tensor(Self.storage(view: view), shape: [3], strides: [1])
    let bytes =
      Self.magic + Self.version + Self.system + P.pickle(P.dict(("v", tensor), ("w", P.tensor(Self.storage()))))
    let checkpoint = try open(bytes + Self.keys("0") + Self.data)
    #expect(try checkpoint["v"]?.floats() == [2, 3, 4])
    #expect(try checkpoint["w"]?.floats() == [0, 1, 2, 3, 4, 5])
  }

  /// A pickled module refers to its class with the class's source, which nobody reads.
  @Test func classesMayComeWithTheirSource() throws {
    let source =
      P.tuple(P.text("module"), P.global("my.net", "Net"), P.text("net.py"), P.text("import os")) + P.persistent
    let net =
      source + P.emptyTuple + P.newObject
      + P.dict(
        ("_parameters", P.dict(("w", P.tensor(Self.storage())))), ("_buffers", P.emptyDict), ("_modules", P.emptyDict))
      + P.build
    let checkpoint = try open(Self.magic + Self.version + Self.system + P.pickle(net) + Self.keys("0") + Self.data)
    #expect(checkpoint.names == ["w"])
    #expect(checkpoint.notes.isEmpty)
  }

  static let refused: [(bytes: [UInt8], message: String)] = [
    (
      magic + P.pickle([0x4D, 0xEA, 0x03]) + system + model + keys("0") + data,
      "legacy file of another version than 1001"
    ),
    (whole + [0], "1 bytes after the last storage, allowed 0"),
    (whole.dropLast(), "storage '0': 6 of at least 4 bytes each, 23 bytes remain"),
    (
      magic + version + system + model + keys("0") + P.little(Int64(5)) + sixFloats,
      "storage '0' has 5 elements, its tensors say 6"
    ),
    (
      magic + version + system + model + keys("0") + P.little(Int64(-1)) + sixFloats,
      "storage '0': 18446744073709551615 of at least 4 bytes each"
    ),
    (
      magic + version + system + model + keys("0") + P.little(Int64(1 << 62)) + sixFloats,
      "storage '0': 4611686018427387904 of at least 4 bytes each"
    ),
    (magic + version + system + model + keys(), "storage '0' is not in the file"),
    (magic + version + system + model + keys("0", "0") + data + data, "storage '0' is listed twice"),
    (magic + version + system + model + keys("0", "1") + data + data, "storage '1' is of no tensor"),
    (magic + version + system + model + P.pickle(P.emptyDict), "list of storages is a dict"),
    (
      magic + version + system
        + P.pickle(P.dict(("a", P.tensor(storage())), ("b", P.tensor(storage("0", "IntStorage"))))) + keys("0") + data,
      "storage '0' has two types or sizes, allowed one"
    ),
    (
      magic + version + system
        + P.pickle(P.dict(("a", P.tensor(storage())), ("b", P.tensor(storage(count: 5), shape: [1], strides: [1]))))
        + keys("0") + data, "storage '0' has two types or sizes, allowed one"
    ),
    (
      magic + version + system
        + P.pickle(P.dict(("w", P.tensor(storage(view: P.tuple(P.text("v"), P.int(4), P.int(3))))))) + keys("0") + data,
      "view of a storage of 6 elements does not fit it"
    ),
    (
      magic + version + system
        + P.pickle(P.dict(("w", P.tensor(storage(view: P.tuple(P.text("v"), P.int(.max), P.int(3))))))) + keys("0")
        + data, "view of a storage of 6 elements does not fit it"
    ),
    (magic + version + P.pickle(P.global("os", "system")) + model + keys("0") + data, "names 'os.system'"),
    (magic + version + system + model + P.pickle(P.global("os", "system")), "names 'os.system'"),
  ]

  @Test(arguments: refused.indices) func refuses(_ index: Int) throws {
    let (bytes, message) = Self.refused[index]
    let error = #expect(throws: FileError.self) { try open(Array(bytes)) }
    #expect(error?.message.hasPrefix(message) == true, "\(error?.description ?? "")")
    #expect(error?.offset != nil)
  }
}
