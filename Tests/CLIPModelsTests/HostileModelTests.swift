import CLIPModels
import Checkpoints
import TestSupport
import Testing

/// Valid files whose numbers would overflow what is computed from them: refused or listed, never a trap.
@Suite struct HostileModelTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func empty(_ shape: [Int]) throws -> Tensor { try Tensor(dtype: .f32, shape: shape, bytes: Bytes([])) }

  @Test func hugeBlockNumbersNameNoBlock() throws {
    var checkpoint = try Checkpoint.open(fixture("checkpoints/openclip-vit"))
    try checkpoint.add(empty([0]), named: "visual.transformer.resblocks.9223372036854775807.ln_1.weight")
    let model = try #require(try CLIPModel(checkpoint))
    #expect(model.config.integer(.visionLayers) == 2)
  }

  @Test func hugeDimensionsBesideZeroAreNoFacts() throws {
    var checkpoint = try Checkpoint.open(fixture("checkpoints/openclip-vit"))
    let names = checkpoint.names.filter { $0 != "visual.conv1.weight" }
    var tensors: [(String, Tensor)] = []
    for name in names { if let tensor = checkpoint[name] { tensors.append((name, tensor)) } }
    checkpoint.removeAllTensors()
    for (name, tensor) in tensors { try checkpoint.add(tensor, named: name) }
    try checkpoint.add(empty([1 << 62, 0, 1, 1]), named: "visual.conv1.weight")
    let model = try #require(try CLIPModel(checkpoint))
    #expect(model.config[.visionWidth] == nil)
  }

  @Test func rowsThatOverflowAreRefused() throws {
    let part = try empty([1 << 62, 0])
    #expect(throws: FileError.self) { try Tensor(concatenating: [part, part, part]) }
  }

  /// A header of 123 bytes begins with the byte of '{', one of 31,520 with a space and it.
  @Test(arguments: [123, 31_520]) func lengthsThatLookLikeJSONAreLengths(_ length: Int) throws {
    let header = #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#
    let padded = Array(header.utf8) + [UInt8](repeating: 0x20, count: length - header.utf8.count)
    let bytes = withUnsafeBytes(of: UInt64(length).littleEndian) { Array($0) } + padded + [7]
    let checkpoint = try Checkpoint.open(directory.write(bytes, to: "a.safetensors"))
    #expect(try checkpoint["a"]?.bytes.load() == [7])
  }

  /// TorchScript's typed containers nested a hundred thousand deep, as a pickle of a few bytes each.
  @Test func nestedTypedContainersDoNotOverflowTheStack() throws {
    let depth = 100_000
    let head = Array("\u{2}ctorch.jit._pickle\nbuild_intlist\nq\0".utf8)
    let pickle: [UInt8] =
      [0x80] + head + [UInt8](repeating: 0x32, count: depth - 1) + [0x5D]
      + (0..<depth).flatMap { _ in [0x85, 0x52] as [UInt8] } + [0x2E]
    let writer = try FileWriter(directory.file("nested.pt"))
    var zip = ZipWriter(writer)
    try zip.add("archive/data.pkl", Bytes(pickle))
    try zip.finish()
    try writer.commit()
    #expect(throws: FileError.self) {
      let checkpoint = try Checkpoint.open(directory.file("nested.pt"))
      guard checkpoint.names.isEmpty else { return }
      throw FileError(.missing, "nothing in it, which is as good")
    }
  }

  /// A column of a large matrix is read without the matrix.
  @Test func columnsOfLargeMatricesAreReadAlone() throws {
    struct Counting: ByteSource {
      let count = 64 << 20
      func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
        for index in buffer.indices { buffer[index] = UInt8(truncatingIfNeeded: (offset + index) / 1024) }
      }
    }
    let view = try StridedBytes(
      Bytes(Counting()), elementSize: 4, shape: [1 << 16, 1], strides: [256, 1], offset: 0)
    #expect(!view.loadsWhole)
    let bytes = try Bytes(view).load()
    #expect(bytes.count == 4 << 16)
    #expect((0..<(1 << 16)).allSatisfy { bytes[$0 * 4] == UInt8(truncatingIfNeeded: $0) })
  }

  @Test func noOutputReplacesTheConfig() throws {
    let config = try directory.write(fixtureBytes("checkpoints/hf-clip/config.json"), to: "c.json")
    var options = ConversionOptions()
    options.config = ConfigOptions(file: config)
    options.format = "gguf"
    options.policy = FileWriter.Policy(force: true)
    let error = #expect(throws: FileError.self) {
      try convert(fixture("checkpoints/hf-clip"), to: config, options: options)
    }
    #expect(error?.kind == .usage)
  }
}
