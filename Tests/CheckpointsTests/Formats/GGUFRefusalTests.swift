import Checkpoints
import Testing

/// One case for each thing that a reader must not accept: bytes, and what is said about them.
@Suite struct GGUFRefusalTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var message: String
    var kind: FileError.Kind
    var offset: Int?
    var tensor: String?
    var bytes: [UInt8]
    var testDescription: String { message }

    init(
      _ message: String, _ kind: FileError.Kind = .malformed, at offset: Int?, tensor: String? = nil,
      _ builder: GGUFBuilder
    ) {
      self.init(message, kind, at: offset, tensor: tensor, bytes: builder.bytes)
    }

    init(
      _ message: String, _ kind: FileError.Kind = .malformed, at offset: Int?, tensor: String? = nil, bytes: [UInt8]
    ) {
      (self.message, self.kind, self.offset, self.tensor, self.bytes) = (message, kind, offset, tensor, bytes)
    }
  }

  private static let empty = GGUFBuilder()
  /// A valid file of one tensor of four floats: its entry begins at 24, its type at 45, its offset at 49.
  private static let one = GGUFReaderTests.plain
  private static let zeros = [UInt8](repeating: 0, count: 32)

  private func expect(_ item: Case) {
    let error = #expect(throws: FileError.self) { try readGGUF(item.bytes) }
    #expect(error?.message == item.message)
    #expect(error?.kind == item.kind)
    #expect(error?.offset == item.offset)
    #expect(error?.tensor == item.tensor)
  }

  static let headers: [Case] = [
    Case("magic 'FUGG', expected 'GGUF'", at: 0, one.changed { $0.magic = Array("FUGG".utf8) }),
    Case("version 0, allowed 2 and 3", .unsupported, at: 4, one.changed { $0.version = 0 }),
    Case("version 1, allowed 2 and 3", .unsupported, at: 4, one.changed { $0.version = 1 }),
    Case("version 4, allowed 2 and 3", .unsupported, at: 4, one.changed { $0.version = 4 }),
    Case(
      "big-endian file (version 3), allowed little-endian", .unsupported, at: 4,
      one.changed { $0.version = 0x0300_0000 }),
    Case(
      "number of tensors: 18446744073709551615 of at least 24 bytes each, 64 bytes remain", .truncated, at: 8,
      one.changed { $0.tensorCount = .max }),
    Case(
      "number of tensors: 9223372036854775808 of at least 24 bytes each, 64 bytes remain", .truncated, at: 8,
      one.changed { $0.tensorCount = 1 << 63 }),
    Case(
      "number of metadata entries: 1099511627776 of at least 14 bytes each, 56 bytes remain", .truncated, at: 16,
      one.changed { $0.metadataCount = 1 << 40 }),
  ]
  @Test(arguments: headers) func header(item: Case) { expect(item) }

  private static func nested(_ depth: Int) -> [UInt8] {
    (0..<depth).flatMap { _ in little(UInt32(9)) + little(UInt64(1)) }
  }

  static let values: [Case] = [
    Case(
      "length of metadata key 0: 18446744073709551615 of at least 1 bytes each, 20 bytes remain", .truncated, at: 24,
      bytes: empty.changed { $0.metadataCount = 1 }.header + little(UInt64.max) + [UInt8](repeating: 65, count: 20)),
    Case(
      "length of metadata 'k': 1073741824 of at least 1 bytes each, 107 bytes remain", .truncated, at: 37,
      bytes: empty.adding("k", 8, little(UInt64(1 << 30))).header + [UInt8](repeating: 65, count: 107)),
    Case("metadata key 0 of 0 bytes, allowed 1 to 65535", at: 24, empty.adding("", 0, [1])),
    Case(
      "metadata key 1 of 65536 bytes, allowed 1 to 65535", at: 38,
      empty.adding("k", 0, [1]).adding(String(repeating: "k", count: 65_536), 0, [1])),
    Case("metadata key 'é' is not printable ASCII", at: 24, empty.adding("é", 0, [1])),
    Case("metadata key '\\u{0}' is not printable ASCII", at: 24, empty.adding("\0", 0, [1])),
    Case("two metadata entries 'k'", at: 38, empty.adding("k", 0, [1]).adding("k", 1, [1])),
    Case("metadata 'k' has type 13, allowed 0 to 12", at: 33, empty.adding("k", 13, [1])),
    Case("metadata 'k' has type 255, allowed 0 to 12", at: 33, empty.adding("k", 255, [1])),
    Case(
      "metadata 'k' has type 255, allowed 0 to 12", at: 37,
      empty.adding("k", 9, little(UInt32(255)) + little(UInt64(0)))
    ),
    Case(
      "metadata 'k' is an array of arrays, allowed an array of plain values", at: 37,
      empty.adding("k", 9, nested(100_000))),
    Case(
      "count of metadata 'k': 2305843009213693952 of at least 8 bytes each, 40 bytes remain", .truncated, at: 41,
      bytes: empty.adding("k", 9, little(UInt32(12)) + little(UInt64(1) << 61)).header
        + [UInt8](repeating: 0, count: 40)),
    Case("metadata 'k' is a bool of 2, allowed 0 and 1", at: 37, empty.adding("k", 7, [2])),
    Case(
      "metadata 'k' is a bool of 255, allowed 0 and 1", at: 51,
      empty.adding("k", 9, little(UInt32(7)) + little(UInt64(3)) + [0, 1, 255])),
    Case("metadata 'k' is not valid UTF-8", at: 45, empty.adding("k", 8, string([0x61, 0xFF]))),
    Case(
      "metadata 'k' is not valid UTF-8", at: 65,
      empty.adding("k", 9, little(UInt32(8)) + little(UInt64(2)) + string("") + string([0xC3]))),
  ]
  @Test(arguments: values) func metadata(item: Case) { expect(item) }

  private static func alignment(_ type: UInt32, _ value: [UInt8]) -> GGUFBuilder {
    empty.adding("general.alignment", type, value).adding(tensor: "w", [4]).with(data: zeros)
  }

  static let alignments: [Case] =
    [0, 13, 1 << 21, 1 << 31].map {
      Case(
        "general.alignment is \($0), allowed a power of two up to 1048576", at: nil, alignment(4, little(UInt32($0))))
    } + [
      Case("general.alignment is '32' of another type, allowed a u32", at: nil, alignment(5, little(Int32(32)))),
      Case("general.alignment is '32' of another type, allowed a u32", at: nil, alignment(10, little(UInt64(32)))),
      Case("general.alignment is '32' of another type, allowed a u32", at: nil, alignment(8, string("32"))),
    ]
  @Test(arguments: alignments) func alignment(item: Case) { expect(item) }

  static let names: [Case] = [
    Case(
      "tensor name of 64 bytes, allowed 63", at: 24,
      empty.adding(tensor: String(repeating: "n", count: 64), [4]).with(data: zeros)),
    Case(
      "length of a tensor's name: 18446744073709551615 of at least 1 bytes each, 100 bytes remain", .truncated, at: 24,
      bytes: empty.changed { $0.tensorCount = 1 }.header + little(UInt64.max) + [UInt8](repeating: 65, count: 100)),
    Case(
      "tensor name is not valid UTF-8", at: 32,
      empty.changed { $0.tensors = [string([0xE6, 0x97]) + zeros] }),
    Case("name with a NUL byte", at: 24, tensor: "a\0b", empty.adding(tensor: "a\0b", [4]).with(data: zeros)),
    Case(
      "two tensors have this name", at: 57, tensor: "w",
      empty.adding(tensor: "w", [4]).adding(tensor: "w", [4], offset: 32).with(data: zeros + zeros)),
    Case(
      "two tensors have this name", at: 24, tensor: "w",
      empty.adding(tensor: "w", [0], type: 12).adding(tensor: "w", [4]).with(data: zeros)),
    Case(
      "two tensors have this name", at: 57, tensor: "w",
      empty.adding(tensor: "w", [0], type: 12).adding(tensor: "w", [0], type: 13)),
    Case(
      "two tensors have this name", at: 58, tensor: "e\u{301}",
      empty.adding(tensor: "é", [4]).adding(tensor: "e\u{301}", [4], offset: 32).with(data: zeros + zeros)),
  ]
  @Test(arguments: names) func name(item: Case) { expect(item) }

  private static func shape(_ dimensions: [UInt64], type: UInt32 = 0) -> GGUFBuilder {
    empty.adding(tensor: "w", dimensions, type: type).with(data: zeros)
  }

  static let shapes: [Case] = [
    Case("5 dimensions, allowed 4", at: 33, tensor: "w", shape([1, 1, 1, 1, 1])),
    Case("dimension of 9223372036854775808, allowed 9223372036854775807", at: 37, tensor: "w", shape([1 << 63])),
    Case(
      "shape [4294967296, 4294967296] overflows", at: 53, tensor: "w", shape([1 << 32, 1 << 32])),
    Case("shape [9223372036854775807] of F64 overflows", at: 45, tensor: "w", shape([(1 << 63) - 1], type: 28)),
    Case(
      "last dimension of shape [1, 31] is not a multiple of Q8_0's block of 32", at: 53, tensor: "w",
      shape([31, 1], type: 8)),
    Case(
      "last dimension of shape [64, 1] is not a multiple of Q4_0's block of 32", at: 53, tensor: "w",
      shape([1, 64], type: 2)),
    Case(
      "last dimension of shape [] is not a multiple of Q8_0's block of 32", at: 37, tensor: "w", shape([], type: 8)),
    Case(
      "last dimension of shape [32] is not a multiple of Q4_K's block of 256", at: 45, tensor: "w",
      shape([32], type: 12)),
  ]
  @Test(arguments: shapes) func shape(item: Case) { expect(item) }

  static let types: [Case] =
    [(4, "Q4_2"), (5, "Q4_3"), (31, "Q4_0_4_4"), (36, "IQ4_NL_4_4")].map {
      Case(
        "type \($0.0) (\($0.1)) was removed from GGUF", .unsupported, at: 45, tensor: "w",
        shape([32], type: UInt32($0.0)))
    }
    + [43, 99, -1].map {
      Case(
        "type \($0) is not known, allowed 0 to 42", .unsupported, at: 45, tensor: "w",
        shape([32], type: UInt32(bitPattern: $0)))
    }
  @Test(arguments: types) func type(item: Case) { expect(item) }

  private static func second(at offset: UInt64, data: [UInt8] = zeros + zeros + zeros) -> GGUFBuilder {
    empty.adding(tensor: "w", [4]).adding(tensor: "x", [4], offset: offset).with(data: data)
  }

  static let offsets: [Case] = [
    Case("data offset 16 is not aligned to 32, expected 32", at: 57, tensor: "x", second(at: 16)),
    Case("data offset 64 leaves a gap, expected 32", at: 57, tensor: "x", second(at: 64)),
    Case("data offset 0 overlaps the tensor before, expected 32", at: 57, tensor: "x", second(at: 0)),
    Case(
      "data offset 18446744073709551584 leaves a gap, expected 32", at: 57, tensor: "x",
      second(at: UInt64.max - 31)),
    Case(
      "data offset 32 leaves a gap, expected 0", at: 24, tensor: "w",
      empty.adding(tensor: "w", [4], offset: 32).with(data: zeros + zeros)),
    Case(
      "16 bytes of data at 128, the file ends at 143", .truncated, at: 57, tensor: "x",
      second(at: 32, data: zeros + zeros.prefix(15))),
    Case(
      "1152921504606846972 bytes of data at 64, the file ends at 80", .truncated, at: 24, tensor: "w",
      empty.adding(tensor: "w", [(1 << 60) / 4 - 1]).with(data: [UInt8](zeros.prefix(16)))),
    Case("data begins at 64, the file ends at 57", .truncated, at: 57, bytes: empty.adding(tensor: "w", [0]).header),
  ]
  @Test(arguments: offsets) func offset(item: Case) { expect(item) }

  static let ends: [Case] = [
    Case(
      "byte 1 in the padding after the last tensor, allowed 0", at: 80, one.with(data: [UInt8](1...16) + [1])),
    Case(
      "byte 9 in the padding after the last tensor, allowed 0", at: 95,
      one.with(data: [UInt8](1...16) + [UInt8](repeating: 0, count: 15) + [9])),
    Case(
      "17 bytes after the last tensor, allowed 16 of padding", at: 80,
      one.with(data: [UInt8](1...16) + [UInt8](repeating: 0, count: 17))),
    Case(
      "1048576 bytes after the last tensor, allowed 16 of padding", at: 80,
      one.with(data: [UInt8](1...16) + [UInt8](repeating: 0, count: 1 << 20))),
    Case("9 bytes after the last tensor, allowed 8 of padding", at: 24, bytes: empty.header + zeros.prefix(9)),
  ]
  @Test(arguments: ends) func end(item: Case) { expect(item) }

  private static func scalars(_ value: [UInt8], type: UInt32 = 9) -> GGUFBuilder {
    empty.adding("clipkit.scalars", type, value).adding(tensor: "w", [4]).with(data: zeros)
  }

  static let scalarLists: [Case] = [
    Case("clipkit.scalars is not an array of strings", at: nil, scalars(string("w"), type: 8)),
    Case(
      "clipkit.scalars names what is no tensor of shape [1]", at: nil, tensor: "w",
      scalars(little(UInt32(8)) + little(UInt64(1)) + string("w"))),
    Case(
      "clipkit.scalars names what is no tensor of shape [1]", at: nil, tensor: "absent",
      scalars(little(UInt32(8)) + little(UInt64(1)) + string("absent"))),
  ]
  @Test(arguments: scalarLists) func scalarList(item: Case) { expect(item) }
}
