extension ONNX {
  /// The element types of the specification by their numbers; nil for what no tensor of ours has.
  static let dataTypes: [(name: String, dtype: DType?)] = [
    ("UNDEFINED", nil), ("FLOAT", .f32), ("UINT8", .u8), ("INT8", .i8), ("UINT16", .u16), ("INT16", .i16),
    ("INT32", .i32), ("INT64", .i64), ("STRING", nil), ("BOOL", .bool), ("FLOAT16", .f16), ("DOUBLE", .f64),
    ("UINT32", .u32), ("UINT64", .u64), ("COMPLEX64", .c64), ("COMPLEX128", nil), ("BFLOAT16", .bf16),
    ("FLOAT8E4M3FN", .f8_e4m3), ("FLOAT8E4M3FNUZ", nil), ("FLOAT8E5M2", .f8_e5m2), ("FLOAT8E5M2FNUZ", nil),
    ("UINT4", nil), ("INT4", nil), ("FLOAT4E2M1", nil), ("FLOAT8E8M0", nil), ("UINT2", nil), ("INT2", nil),
  ]

  /// The element type of a number; nil for what no tensor of ours has, and for numbers that are none.
  package static func dtype(of number: Int) -> DType? {
    dataTypes.indices.contains(number) ? dataTypes[number].dtype : nil
  }

  /// The number of a type, nil when the specification has none.
  static func number(of dtype: DType) -> Int32? {
    dataTypes.firstIndex { $0.dtype == dtype }.map(Int32.init)
  }

  /// The numbers of attributes' types, as `AttributeProto.type` holds them.
  enum AttributeType {
    static let float: Int32 = 1
    static let integer: Int32 = 2
    static let string: Int32 = 3
    static let tensor: Int32 = 4
    static let graph: Int32 = 5
    static let floats: Int32 = 6
    static let integers: Int32 = 7
    static let strings: Int32 = 8
  }
}
