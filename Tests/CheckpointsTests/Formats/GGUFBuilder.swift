import Checkpoints
import TestSupport

/// A GGUF file put together field by field, so that each can be wrong.
struct GGUFBuilder {
  var magic = Array("GGUF".utf8)
  var version: UInt32 = 3
  /// The counts that the header states; by default the true ones.
  var tensorCount: UInt64?
  var metadataCount: UInt64?
  var metadata: [[UInt8]] = []
  var tensors: [[UInt8]] = []
  var alignment = 32
  /// What follows the padded header; nil for as many zeros as `dataSize` says.
  var data: [UInt8] = []

  /// Adds a metadata entry of a value type, given as the value's bytes.
  func adding(_ key: String, _ type: UInt32, _ value: [UInt8]) -> GGUFBuilder {
    var copy = self
    copy.metadata.append(string(key) + little(type) + value)
    return copy
  }

  /// Adds a tensor's entry; `dimensions` in the order of the file.
  func adding(tensor name: String, _ dimensions: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) -> GGUFBuilder {
    var copy = self
    copy.tensors.append(
      string(name) + little(UInt32(dimensions.count)) + dimensions.flatMap { little($0) } + little(type)
        + little(offset))
    return copy
  }

  func with(data: [UInt8]) -> GGUFBuilder { changed { $0.data = data } }

  func changed(_ change: (inout GGUFBuilder) -> Void) -> GGUFBuilder {
    var copy = self
    change(&copy)
    return copy
  }

  /// Everything before the data, without padding.
  var header: [UInt8] {
    magic + little(version) + little(tensorCount ?? UInt64(tensors.count))
      + little(metadataCount ?? UInt64(metadata.count)) + metadata.flatMap { $0 } + tensors.flatMap { $0 }
  }

  var bytes: [UInt8] {
    let header = header
    return header + [UInt8](repeating: 0, count: (alignment - header.count % alignment) % alignment) + data
  }

  /// The checkpoint that GGUF reads from these bytes.
  func read() throws -> Checkpoint { try readGGUF(bytes) }
}

/// The little-endian bytes of an integer.
func little(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

/// A length and the bytes of a text.
func string(_ text: String) -> [UInt8] { little(UInt64(text.utf8.count)) + Array(text.utf8) }

/// A length and bytes that need not be text.
func string(_ bytes: [UInt8]) -> [UInt8] { little(UInt64(bytes.count)) + bytes }

/// What GGUF reads from a file of these bytes.
func readGGUF(_ bytes: [UInt8]) throws -> Checkpoint {
  let directory = try TemporaryDirectory()
  return try GGUF.read(InputFile(directory.write(bytes, to: "test.gguf")), options: ReadOptions())
}

/// What GGUF writes for a checkpoint.
func writtenGGUF(_ checkpoint: Checkpoint) throws -> [UInt8] {
  let directory = try TemporaryDirectory()
  let writer = try FileWriter(directory.file("test.gguf"))
  try GGUF.write(checkpoint, to: writer)
  try writer.commit()
  return try Bytes(InputFile(directory.file("test.gguf"))).load()
}
