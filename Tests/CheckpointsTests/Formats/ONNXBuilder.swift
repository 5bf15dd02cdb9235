/// Protobuf by hand, and messages of ONNX made of it.
enum Wire {
  static func varint(_ value: UInt64) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
  }

  static func integer(_ field: Int, _ value: Int) -> [UInt8] {
    varint(UInt64(field) << 3) + varint(UInt64(bitPattern: Int64(value)))
  }

  static func bytes(_ field: Int, _ bytes: [UInt8]) -> [UInt8] {
    varint(UInt64(field) << 3 | 2) + varint(UInt64(bytes.count)) + bytes
  }

  static func text(_ field: Int, _ text: String) -> [UInt8] { bytes(field, Array(text.utf8)) }

  /// `ModelProto`: version 8, the graph, opset 17.
  static func model(_ graph: [UInt8], version: Int = 8, opset: Int? = 17) -> [UInt8] {
    integer(1, version) + bytes(7, graph) + (opset.map { bytes(8, text(1, "") + integer(2, $0)) } ?? [])
  }

  /// `TensorProto` of f32 and shape [2] under the name `t`, its data as given.
  static func tensor(_ data: [UInt8], dims: [Int] = [2], type: Int = 1) -> [UInt8] {
    dims.flatMap { integer(1, $0) } + integer(2, type) + text(8, "t") + data
  }

  /// A model with one initializer.
  static func model(tensor: [UInt8]) -> [UInt8] { model(bytes(5, tensor)) }

  /// `external_data` and `data_location`.
  static func external(_ entries: [(String, String)]) -> [UInt8] {
    entries.flatMap { bytes(13, text(1, $0.0) + text(2, $0.1)) } + integer(14, 1)
  }
}
