import TestSupport
import Testing

@testable import Checkpoints

private typealias W = Wire

/// Two f32 numbers.
private let eight = W.bytes(9, [1, 2, 3, 4, 5, 6, 7, 8])

private func graphs(nested depth: Int) -> [UInt8] {
  var graph: [UInt8] = []
  for _ in 0..<depth { graph = W.bytes(1, W.text(4, "If") + W.bytes(5, W.text(1, "then_branch") + W.bytes(6, graph))) }
  return W.model(graph)
}

/// O1, O3 and O5 to O7 of what may be wrong with a file: what is wrong, and how the error begins.
private let refused: [(what: String, bytes: [UInt8], says: String)] = [
  ("O1: graphs nested 101 deep", graphs(nested: 101), "nesting > 100"),
  ("O1: graphs nested 182 deep", graphs(nested: 182), "nesting > 100"),
  ("O1: graphs nested 3,000 deep", graphs(nested: 3_000), "nesting > 100"),
  ("O3: a length past the end", W.integer(1, 8) + [0x3A, 200, 1, 0], "protobuf: graph of 200 bytes, 1 remain"),
  ("O3: a length past the end of the message", W.model([0x12, 9, 65]), "protobuf: name of 9 bytes, 1 remain"),
  (
    "O3: an integer of 11 bytes", W.model([0x38] + [UInt8](repeating: 0x80, count: 10) + [1]),
    "protobuf: a field is an integer of more than 64 bits"
  ),
  ("O3: an integer that does not end", W.model([0x08, 0x80]), "protobuf: node has wire type 0, allowed 2"),
  ("O3: field 0", W.model([0x02, 0]), "protobuf: field number 0, allowed 1 to 536870911"),
  ("O3: wire type 3", W.model([0x0B]), "protobuf: field 1 has wire type 3, allowed 0, 1, 2 and 5"),
  ("O3: wire type 4", W.model([0x0C]), "protobuf: field 1 has wire type 4, allowed 0, 1, 2 and 5"),
  ("O3: wire type 6", W.model([0x0E]), "protobuf: field 1 has wire type 6, allowed 0, 1, 2 and 5"),
  ("O3: wire type 7", W.model([0x0F]), "protobuf: field 1 has wire type 7, allowed 0, 1, 2 and 5"),
  ("O5: no graph", W.integer(1, 8) + W.bytes(8, W.integer(2, 17)), "no graph"),
  ("O6: ir_version 99", W.model([], version: 99), "ir_version 99, allowed 3 to 14"),
  ("O6: ir_version 2", W.model([], version: 2), "ir_version 2, allowed 3 to 14"),
  ("O6: no operator set", W.model([], opset: nil), "no operator set: opset_import is empty"),
  ("O6: opset 2^31", W.model([], opset: 1 << 31), "version 2147483648 of the operators '', allowed 1 to 1000"),
  (
    "O7: raw_data of another size", W.model(tensor: W.tensor(W.bytes(9, [1, 2, 3, 4]))),
    "raw_data of 4 bytes, f32 [2] needs 8"
  ),
  (
    "O7: raw_data and float_data", W.model(tensor: W.tensor(eight + W.bytes(4, [0, 0, 0, 0]))),
    "data in 2 fields, allowed one"
  ),
  ("O7: float_data of another size", W.model(tensor: W.tensor(W.bytes(4, [0, 0, 0, 0]))), "f32 [2] needs 2 values"),
  ("O7: data of another type", W.model(tensor: W.tensor(W.bytes(7, [1, 2]))), "f32 [2] needs 2 values"),
  ("O7: no data", W.model(tensor: W.tensor([])), "f32 [2] needs 2 values in the field of its type, found 0"),
  ("O7: data without elements", W.model(tensor: W.tensor(eight, dims: [0])), "raw_data of 8 bytes, f32 [0] needs 0"),
  ("O7: dimension -1", W.model(tensor: W.tensor(eight, dims: [-1])), "dimension -1, allowed 0 to"),
  (
    "O7: an overflow", W.model(tensor: W.tensor(eight, dims: [1 << 40, 1 << 40])),
    "shape [1099511627776, 1099511627776] overflows"
  ),
  ("O7: data_type 99", W.model(tensor: W.tensor(eight, type: 99)), "data_type 99, allowed 1 to 26"),
  ("O7: data_type 0", W.model(tensor: W.tensor(eight, type: 0)), "data_type 0, allowed 1 to 26"),
  (
    "a value beyond its type", W.model(tensor: W.tensor(W.integer(5, 300), dims: [1], type: 2)),
    "value 300, allowed 0 to 255"
  ),
  ("two raw_data", W.model(tensor: W.tensor(eight + eight)), "protobuf: two raw_data in one tensor"),
  ("two graphs", W.model([]) + W.bytes(7, []), "protobuf: two graph in one model"),
  ("a name that is not UTF-8", W.model(W.bytes(2, [0xFF])), "name is not valid UTF-8"),
  ("a name with a NUL byte", W.model(W.bytes(2, [65, 0])), "name 'A\\u{0}' with a NUL byte"),
  (
    "two initializers of one name", W.model(W.bytes(5, W.tensor(eight)) + W.bytes(5, W.tensor(eight))),
    "two initializers have this name"
  ),
  ("a sparse initializer", W.model(W.bytes(15, [])), "sparse_initializer is not read"),
  ("a segment of a tensor", W.model(tensor: W.tensor(W.bytes(3, []) + eight)), "segment is not read"),
  (
    "a million empty initializers", W.model([UInt8](repeating: 0, count: 1_000_000).flatMap { [0x2A, $0] }),
    "a model of so many parts"
  ),
  (
    "numbers of one byte that take eight",
    W.model(tensor: W.tensor(W.bytes(7, [UInt8](repeating: 1, count: 10 << 20)), type: 7)),
    "a model of so many parts"
  ),
]

@Suite struct ONNXRefusalTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: refused.indices) func refuses(_ index: Int) throws {
    let (what, bytes, says) = refused[index]
    let path = try directory.write(bytes, to: "model.onnx")
    let error = #expect(throws: FileError.self, "\(what)") { try Checkpoint.open(path) }
    #expect(error?.message.hasPrefix(says) == true, "\(what): \(error?.message ?? "")")
    #expect(error?.file == path)
  }

  @Test func thirtyGraphsInOneAnotherAreRead() throws {
    let path = try directory.write(graphs(nested: 30), to: "model.onnx")
    #expect(try ONNX.readModel(InputFile(path)).graph.nodes.count == 1)
  }

  /// O4: a message of 2 GiB is more than readers take.
  @Test func refusesFilesThatNeedExternalData() throws {
    let path = try directory.write(W.model([]), to: "model.onnx")
    try directory.resize("model.onnx", to: 1 << 31)
    let error = #expect(throws: FileError.self) { try ONNX.readModel(InputFile(path)) }
    #expect(error?.hint == "Save it with external data")
  }

  /// What no tensor of ours has is listed, and refused when it is used.
  @Test func strangeTypesAreListed() throws {
    let path = try directory.write(
      W.model(tensor: W.tensor(W.bytes(6, [65]) + W.bytes(6, []), type: 8)), to: "model.onnx")
    let checkpoint = try Checkpoint.open(path)
    #expect(checkpoint.unreadable.map(\.message) == ["type 8 (STRING) is not read"])
    #expect(checkpoint.unreadable.map(\.tensor) == ["t"])
  }

  /// Every list that may hold elements instead of `raw_data`, packed and not, as the comments of `onnx.proto` say.
  @Test(
    arguments: [
      (type: 1, data: W.bytes(4, [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]), bytes: [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]),
      (type: 1, data: [0x25, 0, 0, 0x80, 0x3F, 0x25, 0, 0, 0, 0x40], bytes: [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]),
      (type: 10, data: W.integer(5, 0x3C00) + W.integer(5, 0xC000), bytes: [0, 0x3C, 0, 0xC0]),
      (type: 16, data: W.bytes(5, W.varint(0x3F80) + W.varint(0x4000)), bytes: [0x80, 0x3F, 0, 0x40]),
      (type: 3, data: W.integer(5, -1) + W.integer(5, 127), bytes: [0xFF, 0x7F]),
      (type: 9, data: W.integer(5, 1) + W.integer(5, 0), bytes: [1, 0]),
      (
        type: 7, data: W.integer(7, -2) + W.integer(7, 3),
        bytes: [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0, 0, 0, 0, 0]
      ),
      (type: 12, data: W.bytes(11, [1, 2]), bytes: [1, 0, 0, 0, 2, 0, 0, 0]),
    ] as [(type: Int, data: [UInt8], bytes: [UInt8])])
  func listsOfElements(type: Int, data: [UInt8], bytes: [UInt8]) throws {
    let path = try directory.write(W.model(tensor: W.tensor(data, type: type)), to: "model.onnx")
    #expect(try Checkpoint.open(path)["t"]?.bytes.load() == bytes)
  }
}
