import Checkpoints
import TestSupport
import Testing

/// Every array and member that must be refused, with the words that say why.
@Suite struct NPZRefusalTests {
  private let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var kind: FileError.Kind
    var message: String
    var offset: Int
    var bytes: [UInt8]

    /// A valid array of three bytes, spoilt by `change`.
    init(
      _ name: String, _ kind: FileError.Kind, _ message: String, at offset: Int, change: (inout NPYFile) -> Void
    ) {
      var file = NPYFile(shape: "(3,)", data: [1, 2, 3])
      change(&file)
      testDescription = name
      self.kind = kind
      self.message = message
      self.offset = offset
      bytes = file.bytes
    }

    /// A valid array with another `descr`, `fortran_order` or `shape`.
    init(
      descr: String = "'|u1'", order: String = "False", shape: String = "(3,)", data: [UInt8] = [1, 2, 3],
      _ kind: FileError.Kind, _ message: String, at offset: Int
    ) {
      self.init("\(descr) \(order) \(shape)", kind, message, at: offset) {
        $0 = NPYFile(descr: descr, order: order, shape: shape, data: data)
      }
    }
  }

  static let dtypes: [Case] = [
    Case(descr: "'|O'", .unsupported, "dtype '|O': object arrays hold pickles; not read", at: 20),
    Case(descr: "'O8'", .unsupported, "dtype 'O8': object arrays hold pickles; not read", at: 20),
    Case(descr: "[('a', '<f4')]", .unsupported, "arrays of a structured dtype are not read", at: 20),
    Case(descr: "('<f4', (2,))", .unsupported, "arrays of a structured dtype are not read", at: 20),
    Case(descr: "'<U3'", .unsupported, "dtype '<U3' is not read, allowed after < > or |: b1 u1", at: 20),
    Case(descr: "'|S3'", .unsupported, "dtype '|S3' is not read", at: 20),
    Case(descr: "'<M8[ns]'", .unsupported, "dtype '<M8[ns]' is not read", at: 20),
    Case(descr: "'<m8'", .unsupported, "dtype '<m8' is not read", at: 20),
    Case(descr: "'|V1'", .unsupported, "dtype '|V1' is not read", at: 20),
    Case(descr: "'|V3'", .unsupported, "dtype '|V3' is not read", at: 20),
    Case(descr: "'>V2'", .unsupported, "dtype '>V2' is not read", at: 20),
    Case(descr: "'<c16'", .unsupported, "dtype '<c16' is not read", at: 20),
    Case(descr: "'<f16'", .unsupported, "dtype '<f16' is not read", at: 20),
    Case(descr: "'|f4'", .unsupported, "dtype '|f4' is not read", at: 20),
    Case(descr: "'=f4'", .unsupported, "dtype '=f4' is not read", at: 20),
    Case(descr: "'f4'", .unsupported, "dtype 'f4' is not read", at: 20),
    Case(descr: "''", .unsupported, "dtype '' is not read", at: 20),
    Case(descr: "4", .malformed, "array header: found '4, 'fortran_orde', expected a string", at: 20),
    Case(descr: "'<\\x664'", .malformed, "expected a string of plain ASCII characters", at: 20),
    Case(descr: "'|u1", .unsupported, "dtype '|u1, ' is not read", at: 20),
  ]

  static let shapes: [Case] = [
    Case(shape: "(-1,)", .malformed, "found '-1,), }\\u{a}', expected a dimension of at least 0", at: 61),
    Case(shape: "(True,)", .malformed, "found 'True,), }\\u{a}', expected a dimension of at least 0", at: 61),
    Case(shape: "(3.0,)", .malformed, "found '.0,), }\\u{a}', expected ','", at: 62),
    Case(shape: "(3)", .malformed, "found '), }\\u{a}', expected ','", at: 62),
    Case(shape: "(03,)", .malformed, "expected a dimension of at least 0", at: 61),
    Case(shape: "3", .malformed, "expected '('", at: 60),
    Case(shape: "[3]", .malformed, "expected '('", at: 60),
    Case(shape: "(3,,)", .malformed, "expected a dimension of at least 0", at: 63),
    Case(shape: "(3, 1 1)", .malformed, "found '1), }\\u{a}', expected ','", at: 66),
    Case(shape: "(99999999999999999999,)", .malformed, "dimension of 20 digits overflows", at: 61),
    Case(shape: "(4294967296, 4294967296)", .malformed, "shape [4294967296, 4294967296] overflows", at: 0),
    Case(
      descr: "'<f8'", shape: "(2305843009213693952,)", .malformed, "shape [2305843009213693952] of f64 overflows", at: 0
    ),
    Case(
      shape: "(\(String(repeating: "1, ", count: 33)))", .malformed, "more than 32 dimensions", at: 157),
    Case(shape: "(4,)", .truncated, "u8 [4] needs 4 bytes, found 3", at: 68),
    Case(shape: "(2,)", .malformed, "u8 [2] needs 2 bytes, found 3", at: 68),
    Case(shape: "(1000000000000,)", .truncated, "u8 [1000000000000] needs 1000000000000 bytes, found 3", at: 80),
    Case(order: "True", shape: "(0, 4611686018427387904, 4)", .malformed, "overflows", at: 0),
    Case(order: "1", .malformed, "found '1, 'shape': (3,)', expected True or False", at: 44),
    Case(order: "true", .malformed, "expected True or False", at: 44),
  ]

  static let headers: [Case] = [
    Case("version 9.9", .unsupported, "array of version 9.9, allowed 1.0, 2.0, 3.0", at: 6) { $0.version = [9, 9] },
    Case("version 0.0", .unsupported, "array of version 0.0", at: 6) { $0.version = [0, 0] },
    Case("version 1.1", .unsupported, "array of version 1.1", at: 6) { $0.version = [1, 1] },
    Case("header of 4 GiB", .malformed, "array header of 4294967295 bytes, allowed 10000", at: 8) {
      $0.version = [2, 0]
      $0.headerLength = .max
    },
    Case("header of 10,001 bytes", .malformed, "array header of 10001 bytes, allowed 10000", at: 8) {
      $0.header += String(repeating: " ", count: 10_001 - $0.header.utf8.count)
    },
    Case("header beyond the end", .truncated, "array header of 9000 bytes, 61 remain", at: 8) {
      $0.headerLength = 9000
    },
    Case("no header", .malformed, "array header: found '', expected '{'", at: 10) { $0.headerLength = 0 },
    Case("two descr", .malformed, "two 'descr' in the array header", at: 27) {
      $0.header = "{'descr': '|u1', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}"
    },
    Case("no shape", .malformed, "array header needs descr, fortran_order and shape", at: 10) {
      $0.header = "{'descr': '|u1', 'fortran_order': False}"
    },
    Case("unknown key", .malformed, "unknown key 'align' in the array header", at: 11) {
      $0.header = "{'align': True}"
    },
    Case("more than a dictionary", .malformed, "found '+ {}\\u{a}', expected the end of the array header", at: 67) {
      $0.header = String($0.header.dropLast()) + "+ {}\n"
    },
    Case("a call", .malformed, "array header: found '__import__('os')', expected '{'", at: 10) {
      $0.header = "__import__('os').system('true')"
    },
    Case("no comma", .malformed, "expected ','", at: 26) { $0.header = "{'descr': '|u1' 'shape': (3,)}" },
  ]

  @Test(arguments: dtypes + shapes + headers) func refusesToRead(_ array: Case) throws {
    let path = try directory.write(array.bytes, to: "x.npy")
    let error = #expect(throws: FileError.self) { try NPZ.read(InputFile(path), options: ReadOptions()) }
    #expect(error?.kind == array.kind)
    #expect(error?.message.contains(array.message) == true, "found: \(error?.description ?? "")")
    #expect(error?.offset == array.offset)
    #expect(error?.tensor == "x")

    // The same array in an archive, where the place in the file is another, and where what is only not read is listed.
    let archive = try directory.write(ZipBuilder([.init("d/x.npy", array.bytes)]).bytes, to: "x.npz")
    var inside: FileError?
    do throws(FileError) {
      let checkpoint = try NPZ.read(InputFile(archive), options: ReadOptions())
      #expect(array.kind == .unsupported && checkpoint.names.isEmpty && checkpoint.unreadable.count == 1)
      inside = checkpoint.unreadable.first
    } catch {
      #expect(array.kind != .unsupported)
      inside = error
    }
    #expect(inside?.message == error?.message)
    #expect(inside?.tensor == "d/x")
    #expect(inside?.offset == 37 + (error?.offset ?? 0))
  }

  @Test func refusesMembersThatAreNoArrays() throws {
    let array = NPYFile(shape: "(1,)", data: [7]).bytes
    let cases: [(ZipBuilder.Entry, String)] = [
      (.init("readme.txt", [1]), "entry 'readme.txt' is not an array: expected a name and .npy"),
      (.init("x", array), "entry 'x' is not an array: expected a name and .npy"),
      (.init(".npy", array), "entry '.npy' is not an array: expected a name and .npy"),
      (.init("x.npy", [1, 2, 3]), "no array: begins without \\x93NUMPY"),
      (.init("x.npy", []), "no array: begins without \\x93NUMPY"),
      (.init("x.npy", Array(array.prefix(11))), "array of 11 bytes, its header alone needs more"),
      (.init("y.npy", array), "two entries are named 'y.npy', allowed one"),
    ]
    for (entry, message) in cases {
      let path = try directory.write(ZipBuilder([.init("y.npy", array), entry]).bytes, to: "x.npz")
      let error = #expect(throws: FileError.self) { try NPZ.read(InputFile(path), options: ReadOptions()) }
      #expect(error?.message == message)
      #expect(error?.offset != nil)
    }
  }

  @Test(arguments: [
    ("'<f4'", "(1,)", [0, 0, 0, 0], "f32 [1], expected the bytes of a JSON object"),
    ("'|u1'", "(1, 2)", Array("{}".utf8), "u8 [1, 2], expected the bytes of a JSON object"),
    ("'|u1'", "(2,)", Array("[]".utf8), "not a JSON object"), ("'|u1'", "(5,)", Array(#"{"":1"#.utf8), "JSON"),
    ("'|u1'", "(7,)", Array(#"{"a":1}"#.utf8), "'a' is not a string"),
  ]) func refusesMetadata(_ descr: String, _ shape: String, _ data: [UInt8], _ message: String) throws {
    let array = NPYFile(descr: descr, shape: shape, data: data).bytes
    let path = try directory.write(ZipBuilder([.init("__metadata__.npy", array)]).bytes, to: "x.npz")
    let error = #expect(throws: FileError.self) { try NPZ.read(InputFile(path), options: ReadOptions()) }
    #expect(error?.message.contains(message) == true, "found: \(error?.description ?? "")")
    #expect(error?.tensor == "__metadata__")
  }
}
