import Checkpoints
import TestSupport
import Testing

/// Files that torch wrote, held against what torch reads from them.
@Suite struct PyTorchFixtureTests {
  /// What torch found, as `Fixtures/expected/pytorch.json` has it.
  struct Expected {
    var dtype: DType?
    var shape: [Int]
    var sha256: String
  }

  /// torch's names of the types that are not called the same here.
  static let dtypes: [String: DType] = [
    "float64": .f64, "float32": .f32, "float16": .f16, "bfloat16": .bf16, "int64": .i64, "int32": .i32, "int16": .i16,
    "int8": .i8, "uint8": .u8, "uint16": .u16, "uint32": .u32, "uint64": .u64, "bool": .bool, "complex64": .c64,
    "float8_e4m3fn": .f8_e4m3, "float8_e5m2": .f8_e5m2,
  ]

  static func expected(_ file: String) throws -> [String: Expected] {
    let json = try JSONValue(contentsOf: fixture("expected/pytorch.json"))
    let object = try #require(json[file]?.object)
    var tensors: [String: Expected] = [:]
    for name in object.keys {
      let entry = try #require(object[name])
      tensors[name] = Expected(
        dtype: dtypes[entry["dtype"]?.string ?? ""], shape: (entry["shape"]?.array ?? []).compactMap(\.integer),
        sha256: entry["sha256"]?.string ?? "")
    }
    return tensors
  }

  static let files = [
    "types-p1.pt", "types-p2.pt", "types-p3.pt", "types-p4.pt", "types-p5.pt",
    "types-legacy-p2.pt", "types-legacy-p4.pt", "views.pt", "views-legacy.pt",
    "views-big-endian.pt", "module.pt", "module-p4.pt", "module-legacy.pt",
    "module-training.pt", "objects-p2.pt", "objects-p4.pt", "nested.pt",
    "unreadable.pt", "script.pt", "script-1.7.pt",
  ]

  @Test(arguments: files) func holdsWhatTorchFinds(_ file: String) throws {
    let checkpoint = try Checkpoint.open(fixture("checkpoints/pytorch/\(file)"))
    #expect(checkpoint.format == "pytorch")
    try Self.expect(checkpoint, holds: Self.expected(file))
  }

  static func expect(_ checkpoint: Checkpoint, holds expected: [String: Expected]) throws {
    #expect(Set(checkpoint.names) == Set(expected.keys))
    for (name, expected) in expected {
      let tensor = try #require(checkpoint[name])
      #expect(tensor.dtype == expected.dtype, "\(name)")
      #expect(tensor.shape == expected.shape, "\(name)")
      #expect(SHA256.hex(try SHA256.hash(of: tensor.bytes)) == expected.sha256, "\(name)")
    }
  }

  @Test func keyChoosesBetweenCandidates() throws {
    let path = fixture("checkpoints/pytorch/two.pt")
    let error = #expect(throws: FileError.self) { try Checkpoint.open(path) }
    #expect(error?.kind == .usage)
    #expect(error?.message == "several members hold tensors: 'state_dict', 'state_dict_ema'")
    #expect(error?.hint?.contains("--key NAME") == true)

    let average = try Checkpoint.open(path, options: ReadOptions(key: "state_dict_ema"))
    try Self.expect(average, holds: Self.expected("two.pt"))
    #expect(average.notes.contains("tensors are in 'state_dict_ema'"))
    #expect(average.notes.contains("tensors beside them are left out: 'state_dict', 'optimizer'"))

    let whole = try Checkpoint.open(path, options: ReadOptions(key: "."))
    #expect(whole["state_dict.weight"] != nil && whole["state_dict_ema.weight"] != nil)

    let wrong = #expect(throws: FileError.self) {
      try Checkpoint.open(path, options: ReadOptions(key: "model"))
    }
    #expect(wrong?.kind == .usage)
    #expect(wrong?.hint == "Members that do: 'state_dict', 'state_dict_ema'")
  }

  @Test func keyMayBeAPath() throws {
    let path = fixture("checkpoints/pytorch/nested.pt")
    let part = try Checkpoint.open(path, options: ReadOptions(key: "visual.conv"))
    #expect(Set(part.names) == ["weight", "bias"])
  }

  @Test(arguments: ["objects-p2.pt", "objects-p4.pt"])
  func unknownObjectsAreSkippedAndListed(_ file: String) throws {
    let path = fixture("checkpoints/pytorch/\(file)")
    let checkpoint = try Checkpoint.open(path)
    let note = try #require(checkpoint.notes.first { $0.hasPrefix("skipped") })
    for name in ["argparse.Namespace", "pathlib.PurePosixPath", "numpy._core.multiarray.scalar"] {
      #expect(note.contains(name))
    }
    #expect(checkpoint.notes.contains("tensors beside them are left out: 'optimizer', 'rng_state'"))
    #expect(checkpoint.metadata["epoch"] == .int64(12))
    #expect(checkpoint.metadata["lr"] == .float64(0.5))
    #expect(checkpoint.metadata["best"] == .bool(true))
    #expect(checkpoint.metadata["arch"] == .string("ViT-B-32"))

    let error = #expect(throws: FileError.self) { try Checkpoint.open(path, options: ReadOptions(strict: true)) }
    #expect(error?.kind == .unsupported)
    #expect(error?.message.contains("argparse.Namespace") == true)
    #expect(error?.offset != nil)
  }

  @Test func strictAcceptsTensorsAndPlainValues() throws {
    for file in ["types-p2.pt", "module-training.pt", "script.pt", "two.pt"] {
      _ = try Checkpoint.open(
        fixture("checkpoints/pytorch/\(file)"),
        options: ReadOptions(key: file == "two.pt" ? "state_dict" : nil, strict: true))
    }
  }

  @Test func unreadableKindsAreListed() throws {
    let checkpoint = try Checkpoint.open(fixture("checkpoints/pytorch/unreadable.pt"))
    #expect(checkpoint.names == ["good"])
    #expect(
      checkpoint.unreadable.compactMap(\.tensor) == [
        "sparse", "csr", "quantized", "complex128", "conj", "negated", "f8",
      ])
    #expect(checkpoint.unreadable.allSatisfy { $0.kind == .unsupported && $0.offset != nil })
  }

  @Test func sharedDataIsReported() throws {
    let views = try Checkpoint.open(fixture("checkpoints/pytorch/views.pt"))
    #expect(views.notes == ["alias: 'tied_again' shares the data of 'tied'"])
    let module = try Checkpoint.open(fixture("checkpoints/pytorch/module.pt"))
    #expect(module.notes.contains("alias: 'shared.proj' shares the data of 'visual.proj'"))
  }

  @Test func detailSaysWhatKindOfFile() throws {
    let details = [
      "types-p2.pt": "zip archive", "types-legacy-p2.pt": "legacy file (before PyTorch 1.6)",
      "script.pt": "TorchScript archive",
    ]
    for (file, detail) in details {
      #expect(try Checkpoint.open(fixture("checkpoints/pytorch/\(file)")).formatDetail == detail)
    }
    #expect(try Checkpoint.open(fixture("checkpoints/pytorch/script.pt")).metadata["context_length"] == .int64(77))
  }

  @Test(arguments: [
    ("pytorch-canary-p2.pt", "names 'posix.system'"), ("pytorch-canary-p4.pt", "names 'posix.system'"),
    ("pytorch-canary-legacy.pt", "names 'posix.system'"), ("pytorch-meta.pt", "device 'meta'"),
    ("pytorch-mobile.ptl", "PyTorch Mobile"), ("pytorch-exported.pt2", "exported program (.pt2)"),
  ])
  func hostileFilesAreRefused(_ file: String, _ message: String) throws {
    let error = #expect(throws: FileError.self) { try Checkpoint.open(fixture("hostile/\(file)")) }
    #expect(error?.message.contains(message) == true)
    #expect(error?.offset != nil)
    #expect(FileIdentity(path: "clipkit-canary") == nil)
  }
}
