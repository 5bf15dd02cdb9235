import Checkpoints
import TestSupport
import Testing

/// P7 to P19 and Z18: one hand-made file for each refusal, and the valid neighbours that must load.
@Suite struct PyTorchRefusalTests {
  let file: PyTorchFile
  init() throws { file = try PyTorchFile() }

  private func model(_ tensor: [UInt8]) -> [UInt8] { P.pickle(P.dict(("w", tensor))) }

  static let tensors: [(tensor: [UInt8], message: String)] = [
    // P7: more elements than the storage has.
    (P.tensor(P.storage(count: 7)), "storage '0' has 24 bytes, 7 float32 need 28"),
    (P.tensor(shape: [7], strides: [1]), "7 elements at 0 reach beyond the 6 of the storage"),
    (P.tensor(offset: 1), "6 elements at 1 reach beyond the 6 of the storage"),
    (P.tensor(offset: .max), "6 elements at 9223372036854775807 reach beyond"),
    // P8: sizes that wrap.
    (P.tensor(P.storage(count: 1 << 62)), "storage of 4611686018427387904 elements of 4 bytes overflows"),
    (P.tensor(shape: [1 << 32, 1 << 32], strides: [1 << 32, 1]), "shape [4294967296, 4294967296] overflows"),
    (P.tensor(shape: [1 << 62], strides: [1]), "4611686018427387904 elements at 0 reach beyond"),
    (P.tensor(shape: [.max, 2], strides: [2, 1]), "shape [9223372036854775807, 2] overflows"),
    // P9: strides that lead out of the storage.
    (P.tensor(strides: [4, 1]), "view of shape [2, 3], strides [4, 1] at 0 needs 7 elements, the storage holds 6"),
    (P.tensor(strides: [-3, 1]), "offset 0 and strides [-3, 1] do not fit shape [2, 3]"),
    (P.tensor(offset: -1), "offset -1 and strides [3, 1] do not fit shape [2, 3]"),
    (P.tensor(strides: [.max, 1]), "strides [9223372036854775807, 1] of shape [2, 3] overflow"),
    (P.tensor(strides: [1]), "offset 0 and strides [1] do not fit shape [2, 3]"),
    (P.tensor(shape: [-1, 3]), "dimension -1 of shape [-1, 3] is negative"),
    (
      P.tensor(shape: [7_000, 1_000], strides: [0, 0]),
      "view of 7000000 elements repeats a storage of 6, allowed 1000 times"
    ),
    (
      P.tensor(shape: [Int](repeating: 1, count: 33), strides: [Int](repeating: 1, count: 33)),
      "arguments of torch._utils._rebuild_tensor_v2"
    ),
    // P11: storages that are not there; the keys are no paths.
    (P.tensor(P.storage("1")), "storage '1' is not in the archive"),
    (P.tensor(P.storage("../../etc/passwd")), "storage '../../etc/passwd' is not in the archive"),
    (P.tensor(P.storage("/etc/passwd")), "storage '/etc/passwd' is not in the archive"),
    (P.tensor(P.storage("../data.pkl")), "storage '../data.pkl' is not in the archive"),
    // P14: a device without data.
    (P.tensor(P.storage(location: "meta")), "is on the device 'meta', which keeps no data"),
    (
      P.global("torch._utils", "_rebuild_meta_tensor_no_storage") + P.tuple(P.global("torch", "float32")) + P.reduce,
      "is on the device 'meta'"
    ),
    // What torch would not load either.
    (P.tensor(P.storage(count: -1)), "storage without a key, location and size"),
    (P.tensor(P.none), "storage is None, not a reference"),
    (P.tensor(P.tuple(P.text("storage")) + P.persistent), "reference to something that is not a storage"),
    (P.tensor(P.int(3) + P.persistent), "reference to something that is not a storage"),
    (
      P.global("torch._utils", "_rebuild_tensor_v2") + P.emptyTuple + P.reduce,
      "arguments of torch._utils._rebuild_tensor_v2"
    ),
    (
      P.global("torch._utils", "_rebuild_parameter") + P.emptyTuple + P.reduce,
      "arguments of torch._utils._rebuild_parameter"
    ),
    (P.global("torch._utils", "_rebuild_parameter") + P.none + [0x85] + P.reduce, "tensor is None"),
  ]

  @Test(arguments: tensors.indices) func refusesTensors(_ index: Int) throws {
    let (tensor, message) = Self.tensors[index]
    let error = try #require(try file.error(model(tensor)))
    #expect(error.message.hasPrefix(message), "\(error)")
    #expect(error.tensor == "w")
    #expect(error.offset != nil)
    #expect(error.kind == .malformed || error.kind == .truncated)
  }

  /// P14: a device is where the tensor was; the data is here.
  @Test(arguments: ["cuda:7", "mps", "cpu", "xla:1"]) func devicesAreIgnored(_ location: String) throws {
    let checkpoint = try file.read(model(P.tensor(P.storage(location: location))))
    #expect(try checkpoint["w"]?.floats() == [0, 1, 2, 3, 4, 5])
  }

  static let views: [(tensor: [UInt8], shape: [Int], values: [Float])] = [
    (P.tensor(shape: [3, 2], strides: [1, 3]), [3, 2], [0, 3, 1, 4, 2, 5]),
    (P.tensor(offset: 1, shape: [2], strides: [3]), [2], [1, 4]),
    (P.tensor(offset: 4, shape: [2], strides: [1]), [2], [4, 5]),
    (P.tensor(shape: [], strides: []), [], [0]), (P.tensor(shape: [0, 5], strides: [5, 1]), [0, 5], []),
    (P.tensor(offset: 100, shape: [0], strides: [1]), [0], []),
    (P.tensor(shape: [2, 2], strides: [0, 1]), [2, 2], [0, 1, 0, 1]),
    (P.tensor(shape: [1, 3], strides: [99, 1]), [1, 3], [0, 1, 2]),
    (P.tensor(shape: [3, 4], strides: [1, 1]), [3, 4], [0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5]),
  ]

  @Test(arguments: views.indices) func readsViews(_ index: Int) throws {
    let (tensor, shape, values) = Self.views[index]
    let found = try #require(try file.read(model(tensor))["w"])
    #expect(found.shape == shape)
    #expect(try found.floats() == values)
  }

  /// P12: two names, one storage. Views that only overlap are no aliases.
  @Test func tiedTensorsAreReported() throws {
    let pickle = P.pickle(
      P.dict(
        ("a", P.tensor() + P.put(9)), ("b", P.get(9)), ("c", P.tensor()), ("d", P.tensor(shape: [3], strides: [1]))))
    let checkpoint = try file.read(pickle)
    #expect(checkpoint.names == ["a", "b", "c", "d"])
    #expect(checkpoint.notes == ["alias: 'b' shares the data of 'a'", "alias: 'c' shares the data of 'a'"])
  }

  @Test func oneStorageHasOneType() throws {
    let pickle = P.pickle(P.dict(("a", P.tensor()), ("b", P.tensor(P.storage("0", "IntStorage")))))
    let error = try file.error(pickle)
    #expect(error?.message == "storage '0' is used as FloatStorage and as IntStorage, allowed one type")
    #expect(error?.tensor == "b")
  }

  @Test func oneNameHasOneTensor() throws {
    let error = try file.error(P.pickle(P.dict(("w", P.tensor()), ("w", P.tensor()))))
    #expect(error?.message == "two tensors have this name")
    let joined = try file.error(P.pickle(P.dict(("a.w", P.tensor()), ("a", P.dict(("w", P.tensor()))))))
    #expect(joined?.tensor == "a.w")
  }

  @Test func keysOfTensorsAreTextOrIntegers() throws {
    let error = try file.error(P.pickle(P.emptyDict + P.emptyTuple + P.tensor() + P.setItem))
    #expect(error?.message == "key of a tensor in '' is neither text nor integer")
    let number = try file.read(P.pickle(P.emptyDict + P.int(-3) + P.tensor() + P.setItem))
    #expect(number.names == ["-3"])
  }

  /// Valid tensors of kinds that are not read are listed; the others load.
  @Test func unknownKindsAreListed() throws {
    let sparse = P.global("torch._utils", "_rebuild_sparse_tensor") + P.emptyTuple + P.reduce
    let bits = P.tensor(metadata: P.dict(("conj", [0x88])))
    let double = P.tensor(P.storage("1", "ComplexDoubleStorage", count: 1), shape: [1], strides: [1])
    let unknown = P.tensor(P.storage("0", "FancyStorage"))
    let checkpoint = try file.read(
      P.pickle(P.dict(("w", P.tensor()), ("s", sparse), ("c", bits), ("d", double), ("u", unknown))),
      storages: [("0", sixFloats), ("1", [UInt8](repeating: 0, count: 16))])
    #expect(checkpoint.names == ["w"])
    #expect(checkpoint.unreadable.map(\.tensor) == ["s", "c", "d", "u"])
    #expect(checkpoint.unreadable.allSatisfy { $0.kind == .unsupported })
  }

  @Test func unsetBitsChangeNothing() throws {
    let tensor = P.tensor(metadata: P.dict(("conj", [0x89]), ("neg", [0x89])))
    #expect(try file.read(model(tensor)).names == ["w"])
  }

  @Test func filesWithoutTensorsAreRefused() throws {
    for value in [P.none, P.int(3), P.text("x"), P.dict(("epoch", P.int(1))), P.emptyList, P.global("a", "b")] {
      let error = try file.error(P.pickle(value))
      #expect(error?.message.hasPrefix("no tensors: the file holds") == true)
    }
    #expect(try file.read(P.pickle(P.emptyDict)).names.isEmpty)
    #expect(try file.read(P.pickle(P.tensor())).names == ["tensor"])
  }

  static let layouts: [(entries: [(String, [UInt8])], message: String)] = [
    // Z18
    ([("a/version", [0x33])], "zip archive without a data.pkl: 1 entries, the first 'a/version'"),
    (
      [("a/data.pkl", P.pickle(P.emptyDict)), ("b/data.pkl", P.pickle(P.emptyDict))],
      "2 pickles, 'a/data.pkl', 'b/data.pkl', allowed one"
    ),
    (
      [("data.pkl", P.pickle(P.emptyDict)), ("b/data.pkl", P.pickle(P.emptyDict))],
      "2 pickles, 'data.pkl', 'b/data.pkl', allowed one"
    ),
    ([("a/b/data.pkl", P.pickle(P.emptyDict))], "zip archive without a data.pkl: 1 entries"),
    ([("model.pt", [0x50, 0x4B, 3, 4])], "zip archive without a data.pkl: 1 entries, the first 'model.pt'"),
    // P17
    (
      [("a/data.pkl", P.pickle(P.emptyDict)), ("a/bytecode.pkl", [])],
      "PyTorch Mobile archive (.ptl), which is not read"
    ),
    (
      [("a/archive_format", Array("pt2".utf8)), ("a/models/model.json", [])],
      "exported program (.pt2), which is not read"
    ),
    ([("serialized_exported_program.json", [])], "exported program (.pt2), which is not read"),
    (
      [("a/model.json", []), ("a/attributes.pkl", [])], "TorchScript archive of PyTorch 1.2 or older, which is not read"
    ),
    ([("a/.data/extern_modules", []), ("a/.data/version", [])], "torch.package archive, which is not read"),
    // P13
    (
      [("a/data.pkl", P.pickle(P.emptyDict)), ("a/byteorder", Array("middle".utf8))],
      "byteorder is neither 'little' nor 'big'"
    ),
    (
      [("a/data.pkl", P.pickle(P.emptyDict)), ("a/byteorder", [UInt8](repeating: 0, count: 99))], "byteorder is neither"
    ),
    (
      [("a/data.pkl", P.pickle(P.emptyDict)), ("a/clipkit_metadata.json", Array("[]".utf8))],
      "metadata is not a JSON object"
    ),
    (
      [("a/data.pkl", P.pickle(P.emptyDict)), ("a/clipkit_metadata.json", Array(#"{"a":{"uint8":256}}"#.utf8))],
      "metadata 'a' is not one value of a known type"
    ),
    (
      [("a/data.pkl", P.pickle(P.emptyDict)), ("a/clipkit_metadata.json", Array(#"{"a":{"date":"x"}}"#.utf8))],
      "metadata 'a' is not one value of a known type"
    ),
  ]

  @Test(arguments: layouts.indices) func refusesArchives(_ index: Int) throws {
    let (entries, message) = Self.layouts[index]
    let path = try file.archive(entries)
    let error = #expect(throws: FileError.self) { try Checkpoint.open(path) }
    #expect(error?.message.hasPrefix(message) == true, "\(error?.description ?? "")")
  }

  @Test func aFolderIsNotNeeded() throws {
    let path = try file.archive([("data.pkl", P.pickle(P.dict(("w", P.tensor())))), ("data/0", sixFloats)])
    #expect(try Checkpoint.open(path).names == ["w"])
  }

  static let files: [(bytes: [UInt8], message: String)] = [
    (P.pickle(P.emptyDict + P.text("a") + P.none + P.setItem), "a pickle without PyTorch's magic number"),
    (P.pickle(P.global("posix", "system")), "names 'posix.system'"),
    ([0, 0, 0, 0] + Array("PTMF".utf8) + [0, 0, 0, 0], "PyTorch Mobile flatbuffer (.ptl), which is not read"),
    ([28, 0, 0, 0] + Array("ET12".utf8) + [0, 0, 0, 0], "ExecuTorch program (.pte), which is not read"),
    (
      Array("sys_info".utf8) + [UInt8](repeating: 0, count: 249) + Array("ustar".utf8)
        + [UInt8](repeating: 0, count: 250), "tar archive of PyTorch 0.1"
    ),
  ]

  @Test(arguments: files.indices) func refusesOtherKinds(_ index: Int) throws {
    let (bytes, message) = Self.files[index]
    let path = try file.directory.write(bytes, to: "model.bin")
    let error = #expect(throws: FileError.self) { try Checkpoint.open(path) }
    #expect(error?.message.hasPrefix(message) == true, "\(error?.description ?? "")")
    #expect(error?.offset != nil)
  }
}
