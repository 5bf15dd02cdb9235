import Checkpoints
import TestSupport
import Testing

/// What is written, held against torch's layout; `tools/check_peers.py` has torch itself read it.
@Suite struct PyTorchWriterTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func write(_ checkpoint: Checkpoint, to name: String = "out.pt") throws -> String {
    let output = try FileWriter(directory.file(name), policy: FileWriter.Policy(force: true))
    try PyTorch.write(checkpoint, to: output)
    try output.commit()
    return directory.file(name)
  }

  private func entries(_ path: String) throws -> [(name: String, bytes: [UInt8], offset: Int)] {
    let zip = try ZipArchive(InputFile(path))
    return try zip.entries.map { ($0.name, try zip.bytes(of: $0).load(), $0.dataOffset) }
  }

  /// Opcode by opcode what `torch.load` needs: protocol 2, the memo counted from 0, one storage for each tensor.
  @Test func pickleIsTheOneTorchExpects() throws {
    var checkpoint = Checkpoint()
    try checkpoint.add(Tensor(dtype: .f32, shape: [2, 3], bytes: Bytes(sixFloats)), named: "w")
    try checkpoint.add(Tensor(dtype: .u16, shape: [], bytes: Bytes([7, 0])), named: "n")
    let entries = try entries(write(checkpoint))
    #expect(
      entries.map(\.name) == [
        "archive/data.pkl", "archive/byteorder", "archive/data/0", "archive/data/1", "archive/version",
      ])
    #expect(entries.map(\.bytes).dropFirst() == [Array("little".utf8), [7, 0], sixFloats, [0x33, 0x0A]])
    #expect(entries.allSatisfy { $0.offset % 64 == 0 })

    let ordered: [UInt8] = P.global("collections", "OrderedDict") + P.put(0) + P.emptyTuple + P.reduce
    let again: [UInt8] = P.get(0) + P.emptyTuple + P.reduce
    let first: [UInt8] =
      P.text("n") + P.put(1) + P.global("torch._utils", "_rebuild_tensor_v3") + P.put(2) + P.mark + P.mark
      + P.text("storage") + P.put(3) + P.global("torch.storage", "UntypedStorage") + P.put(4) + P.text("0") + P.put(5)
      + P.text("cpu") + P.put(6) + [0x4B, 2, 0x74, 0x51, 0x4B, 0, 0x28, 0x74, 0x28, 0x74, 0x89] + again
      + P.global("torch", "uint16") + P.put(7) + [0x74, 0x52]
    let second: [UInt8] =
      P.text("w") + P.put(8) + P.global("torch._utils", "_rebuild_tensor_v2") + P.put(9) + P.mark + P.mark + P.get(3)
      + P.global("torch", "FloatStorage") + P.put(10) + P.text("1") + P.put(11) + P.get(6)
      + [0x4B, 6, 0x74, 0x51, 0x4B, 0, 0x28, 0x4B, 2, 0x4B, 3, 0x74, 0x28, 0x4B, 3, 0x4B, 1, 0x74, 0x89] + again
      + [0x74, 0x52]
    #expect(entries[0].bytes == P.proto + ordered + P.mark + first + second + P.setItems + P.stop)
  }

  /// Every type that torch has, and what it gave for them, comes back unchanged.
  @Test(arguments: ["types-p2.pt", "views.pt", "script.pt", "nested.pt"])
  func writtenFilesHoldTheSame(_ file: String) throws {
    let source = try Checkpoint.open(fixture("checkpoints/pytorch/\(file)"))
    let copy = try Checkpoint.open(write(source))
    try PyTorchFixtureTests.expect(copy, holds: PyTorchFixtureTests.expected(file))
    #expect(copy.names == source.sortedNames)
    #expect(copy.metadata == source.metadata)
    #expect(copy.notes.isEmpty)
  }

  @Test func outputIsDeterministic() throws {
    let source = try Checkpoint.open(fixture("checkpoints/pytorch/types-p2.pt"))
    var reversed = Checkpoint(metadata: source.metadata)
    for name in source.names.reversed() { try reversed.add(#require(source[name]), named: name) }
    let first = try Bytes(InputFile(write(source, to: "a.pt"))).load()
    let second = try Bytes(InputFile(write(reversed, to: "b.ckpt"))).load()
    #expect(first == second)
  }

  @Test func measuringCountsTheSameBytes() throws {
    let source = try Checkpoint.open(fixture("checkpoints/pytorch/views.pt"))
    let measure = FileWriter(measuring: "x")
    try PyTorch.write(source, to: measure)
    #expect(measure.offset == (try InputFile(write(source)).count))
  }

  /// Names and numbers too long for the short opcodes.
  @Test func longNamesAndManyTensors() throws {
    var checkpoint = Checkpoint()
    let long = String(repeating: "ü", count: 40_000)
    try checkpoint.add(
      Tensor(dtype: .u8, shape: [70_000], bytes: Bytes([UInt8](repeating: 1, count: 70_000))), named: long)
    try checkpoint.add(Tensor(dtype: .u8, shape: [0, 1 << 40], bytes: Bytes([])), named: "none")
    for index in 0..<300 {
      try checkpoint.add(
        Tensor(dtype: .u8, shape: [300], bytes: Bytes([UInt8](repeating: 2, count: 300))), named: "t\(index)")
    }
    let copy = try Checkpoint.open(write(checkpoint))
    #expect(copy.names == checkpoint.sortedNames)
    #expect(copy[long]?.shape == [70_000])
    #expect(copy["none"]?.shape == [0, 1 << 40])
    #expect(try copy["t299"]?.bytes.load() == [UInt8](repeating: 2, count: 300))
  }

  @Test func metadataKeepsItsTypes() throws {
    var metadata = Metadata()
    let values: [MetadataValue] = [
      .uint8(255), .int8(-128), .uint16(65535), .int16(-32768), .uint32(.max), .int32(.min), .uint64(.max),
      .int64(.min),
      .float32(0.1), .float32(.infinity), .float64(0.1), .float64(-.infinity), .float64(.leastNonzeroMagnitude),
      .bool(true),
      .string("a\n\"ü\u{0}"), .strings(["", "b"]), .bools([true, false]), .floats([1.5, .greatestFiniteMagnitude]),
      .doubles([.leastNonzeroMagnitude]), .integers([-1]), .uint8s([0]), .int8s([-1]), .uint16s([1]), .int16s([-2]),
      .uint32s([.max]), .uint64s([.max]), .int64s([.min]), .strings([]),
    ]
    for (index, value) in values.enumerated() { metadata["key.\(index)"] = value }
    let copy = try Checkpoint.open(write(Checkpoint(metadata: metadata)))
    #expect(copy.metadata == metadata)

    metadata = Metadata()
    metadata["nan"] = .float32(.nan)
    let nan = try Checkpoint.open(write(Checkpoint(metadata: metadata))).metadata["nan"]
    if case .float32(let value) = nan { #expect(value.isNaN) } else { Issue.record("\(String(describing: nan))") }
  }

  @Test func blocksCannotBeStored() throws {
    var checkpoint = Checkpoint()
    try checkpoint.add(Tensor(dtype: .q8_0, shape: [32], bytes: Bytes([UInt8](repeating: 0, count: 34))), named: "w")
    let error = #expect(throws: FileError.self) { try write(checkpoint) }
    #expect(error?.kind == .unsupported)
    #expect(error?.message == "PyTorch cannot store q8_0")
    #expect(error?.tensor == "w")
    #expect(FileIdentity(path: directory.file("out.pt")) == nil)
  }
}
