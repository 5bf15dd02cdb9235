extension ONNX {
  /// The messages of `formats/onnx.proto`, as far as the scanner must know them.
  enum Message: String {
    case model, graph, node, attribute, tensor, value, type, tensorType, shape, dimension, opset, pair

    /// The fields that are read, by number.
    var fields: [Int: Field] { ONNX.fields[self] ?? [:] }

    /// Bytes of memory that one takes, ours and protobuf-c's together, without what it holds.
    var memory: Int {
      switch self {
      case .graph, .node, .attribute, .tensor, .value: 600
      default: 200
      }
    }
  }

  /// A field of a message.
  struct Field {
    enum Kind: Equatable {
      case message(Message)
      case string
      case bytes
      /// An integer of at most 64 bits.
      case integer
      /// A number of so many bytes.
      case fixed(Int)
      /// The tensor's elements as they are in memory: they stay where they are in the file.
      case payload
      /// What makes a model another than it looks without it.
      case refused
    }

    var name: String
    var kind: Kind
    var isRepeated: Bool

    static func one(_ name: String, _ kind: Kind) -> Field { Field(name: name, kind: kind, isRepeated: false) }
    static func many(_ name: String, _ kind: Kind) -> Field { Field(name: name, kind: kind, isRepeated: true) }

    /// The wire type of its value; repeated numbers may also be packed into type 2.
    var wireType: UInt64 {
      switch kind {
      case .integer: 0
      case .fixed(4): 5
      case .fixed: 1
      default: 2
      }
    }

    var isNumber: Bool { wireType != 2 }
  }

  static let fields: [Message: [Int: Field]] = [
    .model: [
      1: .one("ir_version", .integer), 2: .one("producer_name", .string), 3: .one("producer_version", .string),
      7: .one("graph", .message(.graph)), 8: .many("opset_import", .message(.opset)),
      14: .many("metadata_props", .message(.pair)),
    ],
    .graph: [
      1: .many("node", .message(.node)), 2: .one("name", .string), 5: .many("initializer", .message(.tensor)),
      11: .many("input", .message(.value)), 12: .many("output", .message(.value)),
      15: .many("sparse_initializer", .refused),
    ],
    .node: [
      1: .many("input", .string), 2: .many("output", .string), 3: .one("name", .string), 4: .one("op_type", .string),
      5: .many("attribute", .message(.attribute)), 7: .one("domain", .string),
      9: .many("metadata_props", .message(.pair)),
    ],
    .attribute: [
      1: .one("name", .string), 2: .one("f", .fixed(4)), 3: .one("i", .integer), 4: .one("s", .bytes),
      5: .one("t", .message(.tensor)), 6: .one("g", .message(.graph)), 7: .many("floats", .fixed(4)),
      8: .many("ints", .integer), 9: .many("strings", .bytes), 20: .one("type", .integer),
    ],
    .tensor: [
      1: .many("dims", .integer), 2: .one("data_type", .integer), 3: .one("segment", .refused),
      4: .many("float_data", .fixed(4)), 5: .many("int32_data", .integer), 7: .many("int64_data", .integer),
      8: .one("name", .string), 9: .one("raw_data", .payload), 10: .many("double_data", .fixed(8)),
      11: .many("uint64_data", .integer), 13: .many("external_data", .message(.pair)),
      14: .one("data_location", .integer),
    ],
    .value: [1: .one("name", .string), 2: .one("type", .message(.type))],
    .type: [1: .one("tensor_type", .message(.tensorType))],
    .tensorType: [1: .one("elem_type", .integer), 2: .one("shape", .message(.shape))],
    .shape: [1: .many("dim", .message(.dimension))],
    .dimension: [1: .one("dim_value", .integer), 2: .one("dim_param", .string)],
    .opset: [1: .one("domain", .string), 2: .one("version", .integer)],
    .pair: [1: .one("key", .string), 2: .one("value", .string)],
  ]
}
