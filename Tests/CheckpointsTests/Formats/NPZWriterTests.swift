import Checkpoints
import TestSupport
import Testing

@Suite struct NPZWriterTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  @discardableResult private func write(_ checkpoint: Checkpoint, to name: String) throws -> String {
    let output = try FileWriter(directory.file(name))
    try NPZ.write(checkpoint, to: output)
    try output.commit()
    return directory.file(name)
  }

  private func expectSame(_ left: Checkpoint, _ right: Checkpoint) throws {
    #expect(left.sortedNames == right.sortedNames)
    for name in left.names {
      #expect(left[name]?.dtype == right[name]?.dtype, "\(name)")
      #expect(left[name]?.shape == right[name]?.shape, "\(name)")
      #expect(try left[name]?.bytes.load() == right[name]?.bytes.load(), "\(name)")
    }
    #expect(left.metadata == right.metadata)
  }

  /// The whole file, as NumPy's own writer and APPNOTE lay it out.
  @Test func writesWhatNumPyWrites() throws {
    var checkpoint = Checkpoint()
    try checkpoint.add(
      Tensor(dtype: .f32, shape: [2, 3], bytes: Bytes((0..<6).flatMap { little(Float($0).bitPattern) })),
      named: "numpy-version-1")
    let archive = try ZipArchive(InputFile(write(checkpoint, to: "a.npz")))
    #expect(archive.entries.map(\.name) == ["numpy-version-1.npy"])
    #expect(archive.entries[0].dataOffset == 64)
    #expect(try archive.bytes(of: archive.entries[0]).load() == fixtureBytes("checkpoints/numpy-version-1.npy"))
  }

  @Test(arguments: ["numpy-types.npz", "numpy-types-deflated.npz", "siglip-big-vision.npz"])
  func roundTrips(file: String) throws {
    var checkpoint = try NPZ.read(InputFile(fixture("checkpoints/\(file)")), options: ReadOptions())
    checkpoint.metadata["recipe"] = .string("a “photo”\n of a {}")
    checkpoint.metadata["empty"] = .string("")
    let path = try write(checkpoint, to: "a.npz")
    let again = try NPZ.read(InputFile(path), options: ReadOptions())
    checkpoint.metadata = Metadata()
    checkpoint.metadata["empty"] = .string("")
    checkpoint.metadata["recipe"] = .string("a “photo”\n of a {}")
    try expectSame(again, checkpoint)
    #expect(again["__metadata__"] == nil)

    // The order in which tensors were added, or read, does not show.
    var reversed = Checkpoint(metadata: checkpoint.metadata)
    for name in checkpoint.names.reversed() { try reversed.add(#require(checkpoint[name]), named: name) }
    try write(reversed, to: "b.npz")
    let bytes = try Bytes(InputFile(path)).load()
    #expect(try bytes == Bytes(InputFile(directory.file("b.npz"))).load())

    let archive = try ZipArchive(InputFile(path))
    #expect(archive.entries.allSatisfy { $0.dataOffset % 64 == 0 && $0.method == .stored })
    let names = archive.entries.map { Array($0.name.dropLast(4).utf8) }
    #expect(names == names.sorted { $0.lexicographicallyPrecedes($1) })

    let measured = FileWriter(measuring: "c.npz")
    try NPZ.write(checkpoint, to: measured)
    #expect(measured.offset == bytes.count)
  }

  @Test(.enabled(if: Python.peers != nil)) func isReadByNumPy() throws {
    var checkpoint = try NPZ.read(InputFile(fixture("checkpoints/numpy-types.npz")), options: ReadOptions())
    checkpoint.metadata["recipe"] = .string("é")
    try checkpoint.add(Tensor(dtype: .u8, shape: [0], bytes: Bytes([])), named: "naïve name")
    let path = try write(checkpoint, to: "a.npz")
    let output = try Python.run(
      Python.peers,
      """
      import json, ml_dtypes, numpy, sys, torch
      ours, theirs = numpy.load(sys.argv[1]), numpy.load(sys.argv[2])
      assert set(ours) == set(theirs) | {"__metadata__", "naïve name"}
      for name in theirs:
          a, b = ours[name], theirs[name]
          assert a.shape == b.shape and a.dtype == b.dtype.newbyteorder("<"), name
          assert a.flags.c_contiguous and numpy.array_equal(a, b), name
      weight = ours["little/bf16"]
      assert weight.dtype == numpy.dtype("V2")
      print(weight.view(ml_dtypes.bfloat16).tolist())
      print(torch.from_numpy(weight.view(numpy.int16)).view(torch.bfloat16).tolist())
      print(json.loads(ours["__metadata__"].tobytes()))
      """, path, fixture("checkpoints/numpy-types.npz"))
    let values = "[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]"
    let lines = output.split(separator: "\n").suffix(3)
    #expect(lines == ["\(values)", "\(values)", "{'recipe': 'é'}"])
  }

  /// As NumPy stores `np.array(["a", "né😀", ""])` and `np.array([], "U")`, the padding of the header apart.
  @Test func writesTexts() throws {
    var checkpoint = Checkpoint()
    try checkpoint.add(Tensor(dtype: .u8, shape: [1], bytes: Bytes([7])), named: "n")
    let output = try FileWriter(directory.file("a.npz"))
    try NPZ.write(checkpoint, texts: ["z": ["a", "né😀", ""], "empty": []], to: output)
    try output.commit()
    let archive = try ZipArchive(InputFile(directory.file("a.npz")))
    #expect(archive.entries.map(\.name) == ["empty.npy", "n.npy", "z.npy"])
    let (empty, texts) = try (
      archive.bytes(of: archive.entries[0]).load(), archive.bytes(of: archive.entries[2]).load()
    )
    #expect(
      String(decoding: empty[10...], as: UTF8.self).hasPrefix(
        "{'descr': '<U1', 'fortran_order': False, 'shape': (0,), }"))
    #expect(empty.count % 64 == 0)
    #expect(
      String(decoding: texts[10..<64], as: UTF8.self).hasPrefix("{'descr': '<U3', 'fortran_order': False, 'shape'"))
    let scalars: [UInt32] = [0x61, 0, 0, 0x6E, 0xE9, 0x1F600, 0, 0, 0]
    #expect(Array(texts.suffix(36)) == scalars.flatMap { little($0) })

    // They are no tensors, and no reason not to look at those beside them.
    let again = try NPZ.read(InputFile(directory.file("a.npz")), options: ReadOptions())
    #expect(again.names == ["n"] && again.unreadable.compactMap(\.tensor) == ["empty", "z"])
  }

  /// A table is made piece by piece, wherever a reader's pieces begin.
  @Test func textsAreReadInAnyPieces() throws {
    let array = try TextArray(["ab", "ć", "", "xyz"])
    let whole = try Bytes(array).load()
    #expect(whole.count == 48)
    for start in 0...48 {
      for end in start...48 { #expect(try Bytes(array).slice(start, end - start).load() == Array(whole[start..<end])) }
    }
  }

  @Test func refusesTextsThatNumPyCannotHold() throws {
    let long = String(repeating: "x", count: 1 << 20)
    for (texts, message) in [
      (["a", "b\0"], "text 2 contains NUL, which NumPy's texts cannot"),
      (
        [long] + [String](repeating: "", count: 1024),
        "1025 texts as wide as the longest, 1048576 characters, take more than 4294967296 bytes"
      ),
    ] {
      let error = #expect(throws: FileError.self) {
        try NPZ.write(Checkpoint(), texts: ["t": texts], to: FileWriter(measuring: "a.npz"))
      }
      #expect(error?.message == message && error?.tensor == "t")
    }
  }

  @Test func writesOneArray() throws {
    let tensor = try Tensor(dtype: .f32, shape: [2, 3], bytes: Bytes((0..<6).flatMap { little(Float($0).bitPattern) }))
    let output = try FileWriter(directory.file("a.npy"))
    try NPZ.writeArray(tensor, to: output)
    try output.commit()
    #expect(try Bytes(InputFile(directory.file("a.npy"))).load() == fixtureBytes("checkpoints/numpy-version-1.npy"))
  }

  @Test func refusesWhatItCannotStore() throws {
    let byte = try Tensor(dtype: .u8, shape: [1], bytes: Bytes([1]))
    let names = [
      "": "name of 0 bytes, npz allows 1 to 65531 without NUL",
      "a\0b": "name of 3 bytes, npz allows 1 to 65531 without NUL",
      String(repeating: "é", count: 32_766): "name of 65532 bytes, npz allows 1 to 65531 without NUL",
      "/etc/passwd": "a name that begins with / or has the component '..' is not written to an archive",
      "..": "a name that begins with / or has the component '..' is not written to an archive",
      "a/../../b": "a name that begins with / or has the component '..' is not written to an archive",
      "__metadata__": "npz reserves this name",
    ]
    for (name, message) in names {
      let error = #expect(throws: FileError.self) { try NPZ.checkStorable(byte, named: name) }
      #expect(error?.kind == .unsupported)
      #expect(error?.message == message)
      #expect(error?.tensor == name)
      var checkpoint = Checkpoint()
      try checkpoint.add(byte, named: name)
      #expect(throws: FileError.self) { try NPZ.write(checkpoint, to: FileWriter(measuring: "a.npz")) }
    }
    for name in ["a", "a/b", "..a", "a..", "a/b..c", String(repeating: "n", count: 65_531)] {
      try NPZ.checkStorable(byte, named: name)
      var checkpoint = Checkpoint()
      try checkpoint.add(byte, named: name)
      let path = try write(checkpoint, to: "a.npz")
      #expect(try NPZ.read(InputFile(path), options: ReadOptions()).names == [name])
      try Bytes(InputFile(path)).forEachChunk { _ in }
      directory.remove("a.npz")
    }
    for dtype in DType.allCases where !NPZWriterTests.storable.contains(dtype) {
      let tensor = try Tensor(dtype: dtype, shape: [0], bytes: Bytes([]))
      let error = #expect(throws: FileError.self) { try NPZ.checkStorable(tensor, named: "t") }
      #expect(error?.message == "npz cannot store \(dtype)")
    }
  }

  static let storable: Set<DType> = [
    .bool, .u8, .i8, .u16, .i16, .u32, .i32, .u64, .i64, .f16, .bf16, .f32, .f64, .c64,
  ]
}
