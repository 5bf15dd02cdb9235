/// PyTorch's names for element types: as storage classes (`FloatStorage`) and as types (`torch.float32`).
struct PyTorchDType {
  /// The class of a typed storage, without its module; empty for types that only untyped storages hold.
  var storage: String
  /// The type, without its module.
  var name: String
  /// The bytes of one element.
  var size: Int
  /// Our type, nil for one that is not read.
  var dtype: DType?

  private init(_ storage: String, _ name: String, _ size: Int, _ dtype: DType? = nil) {
    self.storage = storage
    self.name = name
    self.size = size
    self.dtype = dtype
  }

  private static let all: [PyTorchDType] = [
    PyTorchDType("DoubleStorage", "float64", 8, .f64), PyTorchDType("FloatStorage", "float32", 4, .f32),
    PyTorchDType("HalfStorage", "float16", 2, .f16), PyTorchDType("BFloat16Storage", "bfloat16", 2, .bf16),
    PyTorchDType("LongStorage", "int64", 8, .i64), PyTorchDType("IntStorage", "int32", 4, .i32),
    PyTorchDType("ShortStorage", "int16", 2, .i16), PyTorchDType("CharStorage", "int8", 1, .i8),
    PyTorchDType("ByteStorage", "uint8", 1, .u8), PyTorchDType("BoolStorage", "bool", 1, .bool),
    PyTorchDType("ComplexFloatStorage", "complex64", 8, .c64), PyTorchDType("ComplexDoubleStorage", "complex128", 16),
    PyTorchDType("QUInt8Storage", "quint8", 1), PyTorchDType("QInt8Storage", "qint8", 1),
    PyTorchDType("QInt32Storage", "qint32", 4), PyTorchDType("QUInt4x2Storage", "quint4x2", 1),
    PyTorchDType("QUInt2x4Storage", "quint2x4", 1), PyTorchDType("", "uint16", 2, .u16),
    PyTorchDType("", "uint32", 4, .u32), PyTorchDType("", "uint64", 8, .u64),
    PyTorchDType("", "float8_e4m3fn", 1, .f8_e4m3), PyTorchDType("", "float8_e5m2", 1, .f8_e5m2),
    PyTorchDType("", "float8_e4m3fnuz", 1), PyTorchDType("", "float8_e5m2fnuz", 1),
    PyTorchDType("", "float8_e8m0fnu", 1), PyTorchDType("", "float4_e2m1fn_x2", 1), PyTorchDType("", "complex32", 4),
  ]

  /// The bytes of an untyped storage, which `_rebuild_tensor_v3` gives a type.
  static let untyped = PyTorchDType("UntypedStorage", "uint8", 1, .u8)

  private static let storages = Dictionary(
    uniqueKeysWithValues: all.filter { !$0.storage.isEmpty }.map { ($0.storage, $0) })
  private static let types = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// The type of a storage class: `torch.FloatStorage`, `torch.cuda.HalfStorage`, `torch.storage.UntypedStorage`.
  init?(storageClass path: String) {
    guard let dot = path.lastIndex(of: "."), Self.storageModules.contains(String(path[..<dot])) else { return nil }
    let name = path[path.index(after: dot)...]
    guard let found = name == "UntypedStorage" ? Self.untyped : Self.storages[String(name)] else { return nil }
    self = found
  }

  private static let storageModules: Set<String> = ["torch", "torch.cuda", "torch.storage"]

  /// The type of a name as `torch.float32`.
  init?(type path: String) {
    guard path.hasPrefix("torch."), let found = Self.types[String(path.dropFirst(6))] else { return nil }
    self = found
  }

  /// The type that stores ours; nil for GGUF's blocks.
  init?(_ dtype: DType) {
    guard let found = Self.all.first(where: { $0.dtype == dtype }) else { return nil }
    self = found
  }

  /// Whether a global is a storage class or a type.
  static func isName(_ path: String) -> Bool {
    PyTorchDType(storageClass: path) != nil || PyTorchDType(type: path) != nil
  }
}
