import Checkpoints

/// `general.file_type` of a GGUF file, in llama.cpp's numbers: the type that most of its numbers have.
enum FileType {
  private static let types: [(number: Int, dtype: DType)] = [
    (0, .f32), (1, .f16), (2, .q4_0), (3, .q4_1), (7, .q8_0), (8, .q5_0), (9, .q5_1), (32, .bf16),
  ]

  /// The type that a number stands for.
  static func dtype(_ number: Int) -> DType? { types.first { $0.number == number }?.dtype }

  /// The number of a type; nil when llama.cpp has none for it.
  static func number(_ dtype: DType) -> Int? { types.first { $0.dtype == dtype }?.number }

  /// The type of most numbers.
  static func main(of tensors: some Sequence<Tensor>) -> DType? {
    var elements: [DType: Int] = [:]
    for tensor in tensors { elements[tensor.dtype, default: 0] += tensor.count }
    return elements.max { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }?.key
  }
}
