import Checkpoints
import TestSupport
import Testing

/// The bytes of a safetensors file with this header and data.
private func file(_ header: String, _ data: [UInt8] = []) -> [UInt8] { file(Array(header.utf8), data) }

private func file(_ header: [UInt8], _ data: [UInt8] = []) -> [UInt8] {
  withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + data
}

private func length(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

/// Reads the bytes as safetensors, whatever detection would say.
private func read(_ bytes: [UInt8]) throws -> Checkpoint {
  let directory = try TemporaryDirectory()
  return try Safetensors.read(InputFile(directory.write(bytes, to: "a.safetensors")), options: ReadOptions())
}

@Suite struct SafetensorsTests {
  /// Each thing that must be refused: bytes, what is said, where.
  struct Refusal: CustomTestStringConvertible, Sendable {
    let says: String
    let offset: Int?
    let bytes: [UInt8]
    var testDescription: String { says }
    init(_ says: String, at offset: Int?, _ bytes: [UInt8]) {
      (self.says, self.offset, self.bytes) = (says, offset, bytes)
    }
  }

  private static let f32 = #""dtype":"F32","shape":[1],"data_offsets""#
  private static let four: [UInt8] = [0, 0, 0, 0]

  static let refusals: [Refusal] = [
    Refusal("header length: expected 8 bytes, 0 remain", at: 0, []),
    Refusal("header length: expected 8 bytes, 7 remain", at: 0, [0, 0, 0, 0, 0, 0, 0]),
    Refusal("JSON ends before its value", at: 8, file("")),
    Refusal("safetensors header is not a JSON object", at: 8, file("[]")),
    Refusal("header of 100000001 bytes, allowed 100000000", at: 0, length(100_000_001) + [0x7B]),
    Refusal("header of 9223372036854775808 bytes, allowed 100000000", at: 0, length(1 << 63) + [0x7B]),
    Refusal("header of 18446744073709551615 bytes, allowed 100000000", at: 0, length(.max) + [0x7B]),
    Refusal("header of 99 bytes, 2 remain", at: 0, length(99) + Array("{}".utf8)),
    Refusal("safetensors header is not a JSON object", at: 8, file([0xEF, 0xBB, 0xBF] + Array("{}".utf8))),
    Refusal("JSON string is not valid UTF-8", at: 10, file([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x30, 0x7D])),
    Refusal(
      "two tensors have this name", at: 62, file(#"{"a":{\#(f32):[0,4]},"a":{\#(f32):[4,8]}}"#, four + four)),
    Refusal(
      "data_offsets [0, 4] overlaps another tensor: expected to begin at 4", at: 62,
      file(#"{"a":{\#(f32):[0,4]},"b":{\#(f32):[0,4]}}"#, four)),
    Refusal(
      "data_offsets [1, 5] leaves a hole: expected to begin at 0", at: 9, file(#"{"a":{\#(f32):[1,5]}}"#, four + [0])),
    Refusal("1 bytes after the last tensor, allowed 0", at: 66, file(#"{"a":{\#(f32):[0,4]}}"#, four + [0])),
    Refusal("data ends at 4, 3 bytes there are", at: 9, file(#"{"a":{\#(f32):[0,4]}}"#, [0, 0, 0])),
    Refusal(
      "shape [4294967296, 4294967296] overflows", at: 9,
      file(#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#, four)),
    Refusal(
      "JSON: found 9223372036854775808, expected a non-negative integer", at: 37,
      file(#"{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}}"#, four)),
    Refusal(
      "more than 32 numbers", at: 101,
      file(
        #"{"a":{"dtype":"F32","shape":[\#(Array(repeating: "1", count: 33).joined(separator: ","))],"data_offsets":[0,4]}}"#,
        four)),
    Refusal(
      "f32 [2] needs 8 bytes, found 4", at: 9, file(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, four)),
    Refusal("__metadata__ 'a' is not a string", at: 29, file(#"{"__metadata__":{"a":1}}"#)),
    Refusal("__metadata__ 'a' is not a string", at: 29, file(#"{"__metadata__":{"a":{"b":"c"}}}"#)),
    Refusal("two __metadata__ objects", at: 27, file(#"{"__metadata__":{},"__metadata__":{}}"#)),
    Refusal("duplicate key 'dtype'", at: 28, file(#"{"a":{"dtype":"F32","dtype":"F16"}}"#)),
    Refusal("unknown key 'extra'", at: 14, file(#"{"a":{"extra":1}}"#)),
    Refusal("entry needs dtype, shape and data_offsets", at: 9, file(#"{"a":{"dtype":"F32"}}"#)),
    Refusal("data_offsets has 1 numbers, expected 2", at: 58, file(#"{"a":{\#(f32):[0]}}"#, four)),
    Refusal("JSON: 1 bytes after the value", at: 10, file("{}x")),
    Refusal("JSON: found '[', expected '{'", at: 13, file(#"{"a":[]}"#)),
    Refusal(
      "more than 32 numbers", at: nil, file(#"{"a":{"shape":[\#(String(repeating: "1,", count: 10_000))1]}}"#)),
    Refusal(
      "JSON is nested deeper than 100", at: nil, file(#"{"a":{"dtype":"# + String(repeating: "[", count: 100_000))),
  ]

  @Test(arguments: refusals) func isRefused(_ refusal: Refusal) throws {
    let error = #expect(throws: FileError.self) { try read(refusal.bytes) }
    if refusal.says.hasPrefix("JSON is nested") {
      // A text is expected there, so that nesting is not even entered.
      #expect(error?.message == "JSON: found '[', expected '\"'")
    } else {
      #expect(error?.message == refusal.says)
    }
    if let offset = refusal.offset { #expect(error?.offset == offset) }
  }

  @Test func acceptsWhatTheRustReaderAccepts() throws {
    let scalar = try read(file(#" {"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   "#, [0, 0, 0x80, 0x3F]))
    #expect(scalar["s"]?.shape == [])
    #expect(try scalar["s"]?.bytes.load() == [0, 0, 0x80, 0x3F])
    let empty = try read(file(#"{"e":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]}}"#))
    #expect(empty["e"]?.shape == [0, 5])
    #expect(try read(file("{}")).names.isEmpty)
  }

  @Test func listsUnknownTypesWithoutReadingThem() throws {
    let checkpoint = try read(
      file(
        #"{"a":{"dtype":"F8_E9M9","shape":[4],"data_offsets":[0,4]},"b":{\#(Self.f32):[4,8]}}"#, Self.four + Self.four))
    #expect(checkpoint.names == ["b"])
    #expect(checkpoint.unreadable.map(\.message) == ["dtype 'F8_E9M9' is not read"])
    #expect(checkpoint.unreadable.first?.tensor == "a")
  }

  /// 100,000 names on one range, 10 MB: refused in linear time.
  @Test func manyOverlapsAreRefusedQuickly() throws {
    let entries = (0..<100_000).map { #""tensor.\#($0)":{\#(Self.f32):[0,4]}"# }.joined(separator: ",")
    let bytes = file("{\(entries)}", Self.four)
    let clock = ContinuousClock()
    let elapsed = clock.measure {
      let error = #expect(throws: FileError.self) { try read(bytes) }
      #expect(error?.message.contains("overlaps another tensor") == true)
    }
    #expect(elapsed < .seconds(20))
  }

  /// Every prefix of a file gives an error with a message, never a trap.
  @Test func everyPrefixIsRefused() throws {
    let bytes = file(#"{"__metadata__":{"k":"v"},"a":{\#(Self.f32):[0,4]}}"#, Self.four)
    _ = try read(bytes)
    for length in 0..<bytes.count {
      let error = #expect(throws: FileError.self) { try read(Array(bytes[..<length])) }
      #expect(error?.message.isEmpty == false)
    }
  }

  /// Every bit of the header flipped, one at a time: an error, or a checkpoint that can be read to its end.
  @Test func everyFlippedBitIsRefusedOrRead() throws {
    let bytes = file(
      #"{"a":{\#(Self.f32):[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}}"#, Self.four + [1, 2])
    for bit in 0..<((bytes.count - 6) * 8) {
      var flipped = bytes
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      do {
        let checkpoint = try read(flipped)
        for name in checkpoint.names { _ = try checkpoint[name]?.bytes.load() }
      } catch let error as FileError {
        #expect(!error.message.isEmpty)
      }
    }
  }

  /// The safetensors library reads every type that it knows as it was written.
  @Test(.enabled(if: Python.light != nil)) func theRealLibraryReadsWhatIsWritten() throws {
    let directory = try TemporaryDirectory()
    var checkpoint = Checkpoint()
    checkpoint.metadata["note"] = .string("tab\t \"quoted\" é")
    try checkpoint.add(
      Tensor(dtype: .f32, shape: [2, 1], bytes: Bytes([0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0])), named: "é.f32")
    try checkpoint.add(Tensor(dtype: .i64, shape: [], bytes: Bytes([7, 0, 0, 0, 0, 0, 0, 0])), named: "z.i64")
    try checkpoint.add(Tensor(dtype: .bool, shape: [3], bytes: Bytes([1, 0, 1])), named: "bool")
    try checkpoint.add(Tensor(dtype: .f16, shape: [0], bytes: Bytes([])), named: "empty")
    let writer = try FileWriter(directory.file("out.safetensors"))
    try Safetensors.write(checkpoint, to: writer)
    try writer.commit()
    let script = """
      import safetensors.numpy, safetensors
      t = safetensors.numpy.load_file('\(directory.file("out.safetensors"))')
      m = safetensors.safe_open('\(directory.file("out.safetensors"))', 'np').metadata()
      print(t['é.f32'].tolist(), t['z.i64'].tolist(), t['bool'].tolist(), t['empty'].shape, sorted(m.items()))
      """
    let expected = #"[[1.0], [-2.0]] 7 [True, False, True] (0,) [('format', 'pt'), ('note', 'tab\t "quoted" é')]"#
    #expect(try Python.run(Python.light, script).split(separator: "\n").last.map(String.init) == expected)
  }
}
