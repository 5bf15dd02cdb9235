import Checkpoints

/// The second operand of products, packed: a constant is packed once, when the graph is prepared.
enum PackedOperand: Sendable {
  /// A matrix of f32.
  case matrix(PackedMatrix)
  /// A matrix for each group of a convolution.
  case groups([PackedMatrix])
  /// Whole numbers less their zero point, in blocks of inputs whose products are exact.
  case whole([WholeMatrix])

  /// A constant operand of a node; nil where the operator has none that is packed.
  ///
  /// - Parameter inputs: the node's constant inputs, nil for others.
  init?(_ node: ONNXNode, inputs: [DenseTensor?], _ shop: Workshop) throws(FileError) {
    guard ["", "ai.onnx"].contains(node.domain), inputs.count > 1, let given = inputs[1] else { return nil }
    let width = given.shape.last ?? 0
    switch node.kind {
    case "MatMul":
      let tensor = try shop.widened(given)
      guard tensor.dtype == .f32, tensor.shape.count == 2, width >= SmallProduct.columns, tensor.count > 0 else {
        return nil
      }
      self = .matrix(try Self.packed(columns: tensor, shop))
    case "Gemm":
      let tensor = try shop.widened(given)
      guard tensor.dtype == .f32, tensor.shape.count == 2, tensor.count > 0 else { return nil }
      if case .integer(let value) = node.attributes["transB"], value != 0 {
        guard tensor.shape[0] >= SmallProduct.columns else { return nil }
        self = .matrix(try Self.packed(rows: tensor, outputs: tensor.shape[0], shop))
      } else {
        guard width >= SmallProduct.columns else { return nil }
        self = .matrix(try Self.packed(columns: tensor, shop))
      }
    case "Conv":
      guard let matrices = try Self.groups(shop.widened(given), node, shop) else { return nil }
      self = .groups(matrices)
    case "MatMulInteger":
      let zero = inputs.count > 3 ? inputs[3] : nil
      guard inputs.count < 4 || node.inputs[3].isEmpty || zero != nil, given.shape.count == 2, given.count > 0 else {
        return nil
      }
      self = .whole([try WholeMatrix(columns: given, zero: zero, shop)])
    default: return nil
    }
  }

  /// A tensor [inputs, outputs].
  static func packed(columns tensor: DenseTensor, _ shop: Workshop) throws(FileError) -> PackedMatrix {
    let (inputs, outputs) = (tensor.shape[0], tensor.shape[1])
    let size = try PackedMatrix.byteCount(outputs: outputs, inputs: inputs)
    try shop.memory.admit(size)
    return tensor.read(Float.self) { source in
      guard let start = source.baseAddress else { preconditionFailure("packed nothing") }
      return PackedMatrix(
        outputs: outputs, inputs: inputs, columns: start, stride: outputs, into: PageMemory(count: size))
    }
  }

  /// A tensor [outputs, inputs …].
  static func packed(rows tensor: DenseTensor, from first: Int = 0, outputs: Int, _ shop: Workshop)
    throws(FileError) -> PackedMatrix
  {
    let inputs = tensor.shape.dropFirst().reduce(1, *)
    try shop.memory.admit(PackedMatrix.byteCount(outputs: outputs, inputs: inputs))
    return try tensor.read(Float.self) { (source) throws(FileError) in
      guard let start = source.baseAddress else { preconditionFailure("packed nothing") }
      return try PackedMatrix(outputs: outputs, inputs: inputs, rows: start + first * inputs)
    }
  }

  /// The kernel of a convolution, group by group; nil when each has too few outputs for panels.
  private static func groups(
    _ kernel: DenseTensor, _ node: ONNXNode, _ shop: Workshop
  ) throws(FileError) -> [PackedMatrix]? {
    var count = 1
    if case .integer(let value) = node.attributes["group"] { count = Int(value) }
    guard kernel.dtype == .f32, kernel.shape.count > 2, kernel.count > 0, count > 0, kernel.shape[0] % count == 0
    else { return nil }
    let outputs = kernel.shape[0] / count
    guard outputs >= SmallProduct.columns else { return nil }
    return try (0..<count).map { (group) throws(FileError) in
      try packed(rows: kernel, from: group * outputs, outputs: outputs, shop)
    }
  }
}

/// Products of few columns are not worth packing: panels are 16 columns wide and more.
enum SmallProduct {
  static let columns = 8

  /// out[row, column] = Σ a[row, input] · b[input, column], or b[column, input] when `isTransposed`.
  static func multiply(
    _ a: UnsafePointer<Float>, rows: Int, inputs: Int, _ b: UnsafePointer<Float>, columns: Int,
    isTransposed: Bool = false,
    into out: UnsafeMutablePointer<Float>
  ) {
    let (step, next) = isTransposed ? (1, inputs) : (columns, 1)
    for row in 0..<rows {
      for column in 0..<columns {
        var sum: Float = 0
        for input in 0..<inputs { sum += a[row * inputs + input] * b[input * step + column * next] }
        out[row * columns + column] = sum
      }
    }
  }
}

/// A matrix of whole numbers of at most 8 bits and a sign, [inputs, outputs], for exact products.
///
/// Numbers are at most 255, so that 256 products of them add up to less than 2^24, below which f32 is exact: products
/// of f32 over blocks of 256 inputs are added up as whole numbers.
struct WholeMatrix: Sendable {
  private static let block = 256
  let inputs: Int
  let outputs: Int
  private let blocks: [PackedMatrix]

  /// From a tensor [inputs, outputs] of u8 or i8 and a zero point for all, or for each output.
  init(columns tensor: DenseTensor, zero: DenseTensor?, _ shop: Workshop) throws(FileError) {
    try self.init(centred: Self.centred(tensor, zero, shop), shop)
  }

  /// From whole numbers in f32, less their zero point.
  init(centred numbers: DenseTensor, _ shop: Workshop) throws(FileError) {
    let (inputs, outputs) = (numbers.shape[0], numbers.shape[1])
    (self.inputs, self.outputs) = (inputs, outputs)
    blocks = try stride(from: 0, to: inputs, by: Self.block).map { (first) throws(FileError) in
      let rows = min(Self.block, inputs - first)
      let size = try PackedMatrix.byteCount(outputs: outputs, inputs: rows)
      try shop.memory.admit(size)
      return numbers.read(Float.self) { source in
        guard let start = source.baseAddress else { preconditionFailure("packed nothing") }
        return PackedMatrix(
          outputs: outputs, inputs: rows, columns: start + first * outputs, stride: outputs,
          into: PageMemory(count: size))
      }
    }
  }

  /// The numbers less their zero point, which is one, or one for each place of the last dimension.
  static func centred(_ tensor: DenseTensor, _ zero: DenseTensor?, _ shop: Workshop) throws(FileError) -> DenseTensor {
    guard tensor.dtype == .u8 || tensor.dtype == .i8 else {
      throw FileError(.unsupported, "whole numbers of type \(tensor.dtype), expected u8 or i8")
    }
    let numbers = try convert(tensor, to: .f32, shop)
    guard let zero else { return numbers }
    guard zero.dtype == tensor.dtype else { throw FileError(.mismatch, "a zero point of type \(zero.dtype)") }
    let result = try Arithmetic.subtract.combine(numbers, convert(zero, to: .f32, shop), shop)
    guard result.shape == tensor.shape else {
      throw FileError(.mismatch, "zero points of shape \(zero.shape) for \(tensor.shape)")
    }
    return result
  }

  /// out[row, output] = Σ x[row, input] · w[input, output], for x of whole numbers from -255 to 255.
  func multiply(
    _ x: UnsafePointer<Float>, rows: Int, stride: Int, into out: UnsafeMutablePointer<Int32>,
    partial: UnsafeMutablePointer<Float>, team: WorkTeam
  ) {
    let count = rows * outputs
    for (index, block) in blocks.enumerated() {
      block.multiply(x + index * Self.block, rows: rows, stride: stride, into: partial, team: team)
      if index == 0 {
        for place in 0..<count { out[place] = Int32(partial[place]) }
      } else {
        for place in 0..<count { out[place] &+= Int32(partial[place]) }
      }
    }
  }
}
