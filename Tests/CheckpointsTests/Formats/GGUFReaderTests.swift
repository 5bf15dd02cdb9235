import Checkpoints
import TestSupport
import Testing

@Suite struct GGUFReaderTests {
  static let plain = GGUFBuilder().adding(tensor: "w", [4]).with(data: [UInt8](1...16))

  private func open(_ name: String) throws -> Checkpoint {
    try GGUF.read(InputFile(fixture("checkpoints/gguf/\(name)")), options: ReadOptions())
  }

  @Test func recognisedByMagic() throws {
    let directory = try TemporaryDirectory()
    for (bytes, expected) in [("GGUF", true), ("FUGG", true), ("GGML", false), ("GGU", false), ("", false)] {
      let path = try directory.write(Array(bytes.utf8), to: "any.name")
      #expect(try GGUF.matches(InputFile(path)) == expected, "\(bytes)")
    }
  }

  /// What gguf-py finds in the files that it wrote, tensors and metadata, in their order.
  @Test(arguments: ["types", "version2", "k-quants"]) func fixturesAsGGUFPy(name: String) throws {
    let checkpoint = try open("\(name).gguf")
    let expected = try JSONValue(contentsOf: fixture("expected/gguf/\(name).json"))
    #expect(checkpoint.formatDetail == (name == "version2" ? "version 2" : "version 3"))

    let metadata = try #require(expected["metadata"]?.object)
    #expect(checkpoint.metadata.keys == metadata.keys)
    for key in metadata.keys {
      #expect(checkpoint.metadata[key] == metadataValue(metadata[key]), "\(key)")
    }

    let tensors = try #require(expected["tensors"]?.object)
    let unreadable = checkpoint.unreadable.compactMap(\.tensor)
    #expect(tensors.keys.filter { !unreadable.contains($0) } == checkpoint.names)
    for tensor in checkpoint.names {
      let read = try #require(checkpoint[tensor])
      #expect(read.dtype.rawValue == tensors[tensor]?["dtype"]?.string, "\(tensor)")
      #expect(JSONValue(read.shape) == tensors[tensor]?["shape"], "\(tensor)")
      #expect(try hexadecimal(SHA256.hash(of: read.bytes)) == tensors[tensor]?["sha256"]?.string, "\(tensor)")
    }
  }

  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The value that the expected file describes as its type's name and JSON.
  private func metadataValue(_ json: JSONValue?) -> MetadataValue? {
    guard let json, let value = json["value"], let type = json["type"]?.string else { return nil }
    func integer<T: FixedWidthInteger>(_ value: JSONValue) -> T {
      if case .number(let text) = value { T(text) ?? 0 } else { 0 }
    }
    func integers<T: FixedWidthInteger>() -> [T] { (value.array ?? []).map(integer) }
    let numbers = (value.array ?? []).compactMap(\.number)
    return switch type {
    case "uint8": .uint8(integer(value))
    case "int8": .int8(integer(value))
    case "uint16": .uint16(integer(value))
    case "int16": .int16(integer(value))
    case "uint32": .uint32(integer(value))
    case "int32": .int32(integer(value))
    case "uint64": .uint64(integer(value))
    case "int64": .int64(integer(value))
    case "float32": value.number.map { .float32(Float($0)) }
    case "float64": value.number.map(MetadataValue.float64)
    case "bool": value.bool.map(MetadataValue.bool)
    case "string": value.string.map(MetadataValue.string)
    case "uint8s": .uint8s(integers())
    case "int8s": .int8s(integers())
    case "uint16s": .uint16s(integers())
    case "int16s": .int16s(integers())
    case "uint32s": .uint32s(integers())
    case "int32s": .integers(integers())
    case "uint64s": .uint64s(integers())
    case "int64s": .int64s(integers())
    case "float32s": .floats(numbers.map { Float($0) })
    case "float64s": .doubles(numbers)
    case "bools": .bools((value.array ?? []).compactMap(\.bool))
    case "strings": .strings((value.array ?? []).compactMap(\.string))
    default: nil
    }
  }

  @Test func knownTypesThatAreNotReadAreListed() throws {
    let checkpoint = try open("k-quants.gguf")
    #expect(checkpoint.names == ["first", "last"])
    #expect(
      checkpoint.unreadable.map(\.message) == [
        "type 12 (Q4_K) is not read", "type 20 (IQ4_NL) is not read", "type 35 (TQ2_0) is not read",
      ])
    #expect(checkpoint.unreadable.map(\.tensor) == ["q4_k", "iq4_nl", "tq2_0"])
    #expect(checkpoint.unreadable.allSatisfy { $0.kind == .unsupported })
  }

  /// By hand: an entry of two dimensions, stored fastest first.
  @Test func dimensionsAreReversed() throws {
    let checkpoint = try GGUFBuilder().adding(tensor: "w", [3, 2], type: 26).with(data: [UInt8](1...24)).read()
    let tensor = try #require(checkpoint["w"])
    #expect(tensor.dtype == .i32)
    #expect(tensor.shape == [2, 3])
    #expect(try tensor.bytes.load() == [UInt8](1...24))
  }

  @Test func tensorsWithoutDimensionsAreScalars() throws {
    let checkpoint = try GGUFBuilder().adding(tensor: "s", []).with(data: [0, 0, 0x80, 0x3F]).read()
    #expect(checkpoint["s"]?.shape == [])
    #expect(try checkpoint["s"]?.bytes.load() == [0, 0, 0x80, 0x3F])
  }

  /// Zero-size tensors take no space, wherever they stand.
  @Test func tensorsWithoutElements() throws {
    let checkpoint = try GGUFBuilder().adding(tensor: "a", [0, 3]).adding(tensor: "b", [1])
      .adding(tensor: "c", [32, 0], type: 8, offset: 32).with(data: [UInt8](repeating: 0, count: 32)).read()
    #expect(checkpoint["a"]?.shape == [3, 0])
    #expect(checkpoint["c"]?.shape == [0, 32])
    #expect(checkpoint["c"]?.bytes.count == 0)
  }

  @Test func emptyValues() throws {
    let checkpoint = try GGUFBuilder().adding("a", 8, string("")).adding("b", 9, little(UInt32(8)) + little(UInt64(0)))
      .adding("c", 9, little(UInt32(6)) + little(UInt64(0))).read()
    #expect(checkpoint.metadata["a"] == .string(""))
    #expect(checkpoint.metadata["b"] == .strings([]))
    #expect(checkpoint.metadata["c"] == .floats([]))
  }

  /// Strings of every length near the size of the reader's buffer, so that each way to read one is taken.
  @Test func stringsOfAllSizes() throws {
    var list = (0...300).map { String(repeating: "é日", count: $0) }
    list += (65_520...65_540).map { String(repeating: "x", count: $0) } + ["", "end"]
    let checkpoint = try GGUFBuilder()
      .adding("list", 9, little(UInt32(8)) + little(UInt64(list.count)) + list.flatMap { string($0) })
      .adding("last", 8, string(String(repeating: "y", count: 200_000))).read()
    #expect(checkpoint.metadata["list"] == .strings(list))
    #expect(checkpoint.metadata["last"]?.string?.utf8.count == 200_000)
  }

  /// Padding after the last value may be there, in part or not at all.
  @Test(arguments: 0...16) func paddingAtTheEnd(count: Int) throws {
    let padded = Self.plain.with(data: [UInt8](1...16) + [UInt8](repeating: 0, count: count))
    #expect(try padded.read()["w"]?.bytes.load() == [UInt8](1...16))
  }

  @Test func filesWithoutTensors() throws {
    let builder = GGUFBuilder().adding("general.name", 8, string("x"))
    #expect(try readGGUF(builder.header).metadata["general.name"] == .string("x"))
    #expect(try readGGUF(builder.bytes).names.isEmpty)
  }

  @Test(arguments: [1, 2, 4, 8, 64, 4096, 1 << 20]) func alignments(alignment: Int) throws {
    let second = UInt64(max(16, alignment))
    let data = [UInt8](1...16) + [UInt8](repeating: 0, count: Int(second) - 16) + [7]
    let builder = GGUFBuilder(alignment: alignment).adding("general.alignment", 4, little(UInt32(alignment)))
      .adding(tensor: "w", [4]).adding(tensor: "x", [1], type: 24, offset: second).with(data: data)
    let checkpoint = try builder.read()
    #expect(try checkpoint["w"]?.bytes.load() == [UInt8](1...16))
    #expect(try checkpoint["x"]?.bytes.load() == [7])
    #expect(checkpoint.metadata["general.alignment"] == .uint32(UInt32(alignment)))
  }

  @Test func listedTensorsAreScalarsAgain() throws {
    let list = little(UInt32(8)) + little(UInt64(1)) + string("s")
    let checkpoint = try GGUFBuilder().adding("clipkit.scalars", 9, list).adding("k", 4, little(UInt32(5)))
      .adding(tensor: "s", [1]).adding(tensor: "t", [1], offset: 32).with(data: [UInt8](repeating: 1, count: 36)).read()
    #expect(checkpoint["s"]?.shape == [])
    #expect(checkpoint["t"]?.shape == [1])
    #expect(checkpoint.metadata.keys == ["k"])
  }
}
