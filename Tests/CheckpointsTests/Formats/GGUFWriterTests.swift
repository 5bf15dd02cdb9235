import Checkpoints
import TestSupport
import Testing

@Suite struct GGUFWriterTests {
  private func tensor(_ dtype: DType, _ shape: [Int], _ bytes: [UInt8]) throws -> Tensor {
    try Tensor(dtype: dtype, shape: shape, bytes: Bytes(bytes))
  }

  /// By hand from the specification: names in the order of their bytes, dimensions reversed, zeros after every tensor.
  @Test func bytesAsSpecified() throws {
    var metadata = Metadata()
    metadata["general.architecture"] = .string("clip")
    metadata["a"] = .floats([1, -2])
    var checkpoint = Checkpoint(metadata: metadata)
    try checkpoint.add(tensor(.f32, [2, 1], [UInt8](1...8)), named: "b")
    try checkpoint.add(tensor(.i8, [3], [9, 10, 11]), named: "B")

    var expected = Array("GGUF".utf8) + little(UInt32(3)) + little(UInt64(2)) + little(UInt64(2))
    expected += string("general.architecture") + little(UInt32(8)) + string("clip")
    expected += string("a") + little(UInt32(9)) + little(UInt32(6)) + little(UInt64(2))
    expected += [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0]
    expected += string("B") + little(UInt32(1)) + little(UInt64(3)) + little(UInt32(24)) + little(UInt64(0))
    expected += string("b") + little(UInt32(2)) + little(UInt64(1)) + little(UInt64(2)) + little(UInt32(0))
    expected += little(UInt64(32))
    expected += [UInt8](repeating: 0, count: (32 - expected.count % 32) % 32)
    expected += [9, 10, 11] + [UInt8](repeating: 0, count: 29)
    expected += [UInt8](1...8) + [UInt8](repeating: 0, count: 24)
    #expect(try writtenGGUF(checkpoint) == expected)
  }

  /// gguf-py wrote the file with each type of metadata and tensor; ours differs in the order of the tensors only.
  @Test(arguments: ["types.gguf", "version2.gguf", "blocks.gguf"]) func readsBackEqual(name: String) throws {
    let read = try GGUF.read(InputFile(fixture("checkpoints/gguf/\(name)")), options: ReadOptions())
    let again = try readGGUF(writtenGGUF(read))
    #expect(again.metadata == read.metadata)
    #expect(again.names == read.sortedNames)
    for name in read.names {
      #expect(again[name]?.dtype == read[name]?.dtype)
      #expect(again[name]?.shape == read[name]?.shape)
      #expect(try again[name]?.bytes.load() == read[name]?.bytes.load())
    }
    #expect(try writtenGGUF(again) == writtenGGUF(read))
  }

  @Test func measuringGivesTheSize() throws {
    let read = try GGUF.read(InputFile(fixture("checkpoints/gguf/types.gguf")), options: ReadOptions())
    let measure = FileWriter(measuring: "x.gguf")
    try GGUF.write(read, to: measure)
    #expect(try measure.offset == writtenGGUF(read).count)
  }

  @Test func scalarsAreListed() throws {
    var checkpoint = Checkpoint()
    for name in ["t", "s"] { try checkpoint.add(tensor(.f16, [], [1, 2]), named: name) }
    try checkpoint.add(tensor(.f16, [1], [3, 4]), named: "r")
    // Stale: it is the container's to say.
    checkpoint.metadata["clipkit.scalars"] = .strings(["r"])
    let bytes = try writtenGGUF(checkpoint)
    let list = little(UInt32(9)) + little(UInt32(8)) + little(UInt64(2)) + string("s") + string("t")
    #expect(Array(bytes[24..<(24 + 8 + 15 + list.count)]) == string("clipkit.scalars") + list)
    let again = try readGGUF(bytes)
    #expect(["r", "s", "t"].map { again[$0]?.shape } == [[1], [], []])
    #expect(again.metadata.isEmpty)
  }

  @Test func alignmentIsWrittenOnlyWhenUnusual() throws {
    var checkpoint = Checkpoint()
    try checkpoint.add(tensor(.i8, [1], [7]), named: "w")
    checkpoint.metadata["general.alignment"] = .uint32(32)
    #expect(try readGGUF(writtenGGUF(checkpoint)).metadata.isEmpty)
    checkpoint.metadata["general.alignment"] = .uint32(128)
    let bytes = try writtenGGUF(checkpoint)
    #expect(bytes.count == 256)
    #expect(bytes[128] == 7)
    #expect(try readGGUF(bytes).metadata["general.alignment"] == .uint32(128))
  }

  /// One file comes out, whatever the input was part of.
  @Test func keysOfASplitAreLeftOut() throws {
    var checkpoint = Checkpoint()
    checkpoint.metadata["split.no"] = .uint16(0)
    checkpoint.metadata["split.count"] = .uint16(3)
    checkpoint.metadata["split.tensors.count"] = .int32(12)
    checkpoint.metadata["k"] = .bool(true)
    #expect(try readGGUF(writtenGGUF(checkpoint)).metadata.keys == ["k"])
  }

  @Test func nothingAtAll() throws {
    let bytes = try writtenGGUF(Checkpoint())
    #expect(bytes == Array("GGUF".utf8) + [3, 0, 0, 0] + [UInt8](repeating: 0, count: 24))
    #expect(try readGGUF(bytes).names.isEmpty)
  }

  @Test(arguments: DType.allCases) func storableTypes(dtype: DType) throws {
    let stored: Set<DType> = [
      .f32, .f16, .bf16, .f64, .i8, .i16, .i32, .i64, .q8_0, .q4_0, .q4_1, .q5_0, .q5_1,
    ]
    let shape = [2, 32]
    let bytes = try [UInt8](repeating: 1, count: dtype.byteCount(shape: shape))
    var checkpoint = Checkpoint()
    try checkpoint.add(tensor(dtype, shape, bytes), named: "w")
    if stored.contains(dtype) {
      let again = try readGGUF(writtenGGUF(checkpoint))
      #expect(again["w"]?.dtype == dtype)
      #expect(again["w"]?.shape == shape)
    } else {
      let error = #expect(throws: FileError.self) { try writtenGGUF(checkpoint) }
      #expect(error?.kind == .unsupported)
      #expect(error?.message == "GGUF cannot store \(dtype)")
      #expect(error?.tensor == "w")
    }
  }

  private func refusal(_ shape: [Int], _ name: String) throws -> String? {
    let count = shape.reduce(1, *)
    let tensor = try tensor(.i8, shape, [UInt8](repeating: 0, count: count))
    do throws(FileError) {
      try GGUF.checkStorable(tensor, named: name)
      return nil
    } catch {
      return error.message
    }
  }

  @Test func unstorableNamesAndShapes() throws {
    #expect(try refusal([1, 1, 1, 1], String(repeating: "n", count: 63)) == nil)
    #expect(try refusal([1, 1, 1, 1, 1], "w") == "5 dimensions, GGUF allows 4")
    let long = String(repeating: "é", count: 32)
    #expect(try refusal([1], long) == "name of 64 bytes, GGUF allows 63 without NUL")
    #expect(try refusal([1], "a\0") == "name with a NUL byte, GGUF allows 63 without NUL")
  }

  @Test(arguments: ["", "ключ", "a\nb", String(repeating: "k", count: 65_536)]) func unstorableKeys(key: String) throws
  {
    var checkpoint = Checkpoint()
    checkpoint.metadata[key] = .bool(true)
    let error = #expect(throws: FileError.self) { try writtenGGUF(checkpoint) }
    #expect(error?.kind == .unsupported)
    #expect(error?.message.hasSuffix("GGUF allows 1 to 65535 bytes of printable ASCII") == true)
  }

  @Test func alignmentThatIsNone() throws {
    var checkpoint = Checkpoint()
    checkpoint.metadata["general.alignment"] = .uint32(48)
    let error = #expect(throws: FileError.self) { try writtenGGUF(checkpoint) }
    #expect(error?.message == "general.alignment is 48, allowed a power of two up to 1048576")
  }
}
