extension GGUF {
  /// The type of a metadata value, by its number in the file.
  enum ValueType: UInt32 {
    case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

    /// The fewest bytes that a value takes: a string is at least its length.
    var minimumSize: Int {
      switch self {
      case .uint8, .int8, .bool: 1
      case .uint16, .int16: 2
      case .uint32, .int32, .float32: 4
      case .string, .uint64, .int64, .float64: 8
      case .array: 12
      }
    }
  }

  /// A type of tensors, as ggml numbers it.
  struct TensorType: Sendable {
    let number: UInt32
    let name: String
    /// Values of the last dimension that are stored together, and their bytes.
    let blockElements: Int
    let blockBytes: Int
    /// What it is read as; nil for a type that is not read.
    let dtype: DType?

    /// The type of a number; throws `unsupported` when ggml has none, or no more.
    init(number: UInt32) throws(FileError) {
      if let type = Self.byNumber[number] {
        self = type
      } else if let name = Self.removed[number] {
        throw FileError(.unsupported, "type \(number) (\(name)) was removed from GGUF", hint: "Convert the model anew")
      } else {
        throw FileError(.unsupported, "type \(Int32(bitPattern: number)) is not known, allowed 0 to 42")
      }
    }

    private init(_ number: UInt32, _ name: String, _ elements: Int, _ bytes: Int) {
      self.number = number
      self.name = name
      blockElements = elements
      blockBytes = bytes
      dtype = nil
    }

    private init(_ number: UInt32, _ name: String, _ dtype: DType) {
      self.number = number
      self.name = name
      blockElements = dtype.blockElements
      blockBytes = dtype.blockBytes
      self.dtype = dtype
    }

    /// The bytes that a tensor of this shape takes; throws on overflow and on partial blocks.
    func byteCount(shape: [Int]) throws(FileError) -> Int {
      let elements = try DType.elementCount(of: shape)
      guard (shape.last ?? 1) % blockElements == 0 else {
        throw FileError(
          .malformed, "last dimension of shape \(shape) is not a multiple of \(name)'s block of \(blockElements)")
      }
      let (bytes, overflow) = (elements / blockElements).multipliedReportingOverflow(by: blockBytes)
      guard !overflow else { throw FileError(.malformed, "shape \(shape) of \(name) overflows") }
      return bytes
    }

    /// The type that stores a `DType`, or nil.
    static func storing(_ dtype: DType) -> TensorType? { all.first { $0.dtype == dtype } }

    private static let byNumber = Dictionary(uniqueKeysWithValues: all.map { ($0.number, $0) })

    static let all: [TensorType] = [
      TensorType(0, "F32", .f32), TensorType(1, "F16", .f16),
      TensorType(2, "Q4_0", .q4_0), TensorType(3, "Q4_1", .q4_1),
      TensorType(6, "Q5_0", .q5_0), TensorType(7, "Q5_1", .q5_1),
      TensorType(8, "Q8_0", .q8_0), TensorType(9, "Q8_1", 32, 36),
      TensorType(10, "Q2_K", 256, 84), TensorType(11, "Q3_K", 256, 110), TensorType(12, "Q4_K", 256, 144),
      TensorType(13, "Q5_K", 256, 176), TensorType(14, "Q6_K", 256, 210), TensorType(15, "Q8_K", 256, 292),
      TensorType(16, "IQ2_XXS", 256, 66), TensorType(17, "IQ2_XS", 256, 74), TensorType(18, "IQ3_XXS", 256, 98),
      TensorType(19, "IQ1_S", 256, 50), TensorType(20, "IQ4_NL", 32, 18), TensorType(21, "IQ3_S", 256, 110),
      TensorType(22, "IQ2_S", 256, 82), TensorType(23, "IQ4_XS", 256, 136),
      TensorType(24, "I8", .i8), TensorType(25, "I16", .i16), TensorType(26, "I32", .i32), TensorType(27, "I64", .i64),
      TensorType(28, "F64", .f64), TensorType(29, "IQ1_M", 256, 56), TensorType(30, "BF16", .bf16),
      TensorType(34, "TQ1_0", 256, 54), TensorType(35, "TQ2_0", 256, 66), TensorType(39, "MXFP4", 32, 17),
      TensorType(40, "NVFP4", 64, 36), TensorType(41, "Q1_0", 128, 18), TensorType(42, "Q2_0", 64, 18),
    ]

    private static let removed: [UInt32: String] = [
      4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8",
      36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
    ]
  }
}
