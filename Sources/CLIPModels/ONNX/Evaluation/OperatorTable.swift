import Checkpoints

/// The operators that are evaluated.
package enum OperatorTable {
  /// What computes an operator.
  struct Body: Sendable {
    let apply: @Sendable (NodeCall) throws(FileError) -> [DenseTensor]
    init(_ apply: @escaping @Sendable (NodeCall) throws(FileError) -> [DenseTensor]) { self.apply = apply }
  }

  /// The versions of ONNX's operators that are known: from the one that fixed how shapes are repeated on.
  static let opsets = 7...28

  /// The names of ONNX's own operators that are evaluated, sorted.
  package static var names: [String] { standard.keys.sorted() }

  /// What computes an operator; nil for those that are not evaluated.
  static func body(domain: String, kind: String) -> Body? {
    switch domain {
    case "", "ai.onnx": standard[kind]
    case "com.microsoft": microsoft[kind]
    default: nil
    }
  }

  /// What ONNX Runtime's optimisers and quantiser write.
  private static let microsoft: [String: Body] = [
    "QuickGelu": Body(Fused.quickGelu),
    "Gelu": Body(Fused.gelu),
    "BiasGelu": Body(Fused.gelu),
    "FastGelu": Body(Fused.gelu),
    "FusedMatMul": Body(Fused.matMul),
    "MatMulIntegerToFloat": Body(Fused.integerProduct),
    "DynamicQuantizeMatMul": Body(Fused.dynamicProduct),
    "FusedConv": Body(Fused.convolution),
    "SkipLayerNormalization": Body(Fused.layerNorm),
    "Attention": Body(Fused.attention),
  ]

  /// Those of domain `com.microsoft`.
  package static var microsoftNames: [String] { microsoft.keys.sorted() }

  private static let standard: [String: Body] = {
    var table: [String: Body] = [:]
    for part in [elementwise, functions, shapes, movement, rows, products, quantized] {
      table.merge(part) { first, _ in first }
    }
    return table
  }()

  private static let elementwise: [String: Body] = {
    let arithmetic: [String: Arithmetic] = [
      "Add": .add, "Sub": .subtract, "Mul": .multiply, "Div": .divide, "Pow": .power, "Mod": .remainder,
      "Min": .minimum, "Max": .maximum,
    ]
    let comparisons: [String: Comparison] = [
      "Equal": .equal, "Greater": .greater, "GreaterOrEqual": .greaterOrEqual, "Less": .less,
      "LessOrEqual": .lessOrEqual, "And": .and, "Or": .or, "Xor": .exclusiveOr,
    ]
    var table: [String: Body] = [
      "Where": Body(Selection.choose),
      "Sum": Body(Elementwise.sum),
      "Mean": Body(Elementwise.sum),
    ]
    for (name, operation) in arithmetic { table[name] = Body(operation.apply) }
    for (name, operation) in comparisons { table[name] = Body(operation.apply) }
    return table
  }()

  private static let functions: [String: Body] = {
    let functions: [String: Function] = [
      "Sqrt": .squareRoot, "Reciprocal": .reciprocal, "Exp": .exponential, "Log": .logarithm, "Erf": .errorFunction,
      "Tanh": .tangens, "Sigmoid": .sigmoid, "Sin": .sine, "Cos": .cosine, "Floor": .floor, "Ceil": .ceiling,
      "Round": .rounded, "Softplus": .softplus, "Softsign": .softsign, "HardSwish": .hardSwish, "Mish": .mish,
      "Relu": .rectifier,
    ]
    var table: [String: Body] = [
      "Gelu": Body(Elementwise.gelu),
      "PRelu": Body(Elementwise.slopes),
      "Clip": Body(Elementwise.clip),
      "Not": Body(Elementwise.not),
    ]
    for (name, function) in functions { table[name] = Body(function.apply) }
    for name in ["LeakyRelu", "Elu", "Celu", "Selu", "Swish", "ThresholdedRelu", "HardSigmoid"] {
      table[name] = Body(Elementwise.parametric)
    }
    for name in ["Abs", "Neg", "Sign"] { table[name] = Body(Elementwise.sign) }
    for name in ["IsNaN", "IsInf"] { table[name] = Body(Elementwise.classify) }
    for name in ["Cast", "CastLike"] { table[name] = Body(Elementwise.cast) }
    for name in ["Identity", "Dropout"] {
      table[name] = Body(Elementwise.identity)
    }
    return table
  }()

  private static let shapes: [String: Body] = [
    "Shape": Body(Shapes.shape),
    "Size": Body(Shapes.size),
    "Reshape": Body(Shapes.reshape),
    "Flatten": Body(Shapes.flatten),
    "Squeeze": Body(Shapes.squeeze),
    "Unsqueeze": Body(Shapes.unsqueeze),
    "Constant": Body(Shapes.constant),
    "ConstantOfShape": Body(Shapes.constantOfShape),
    "Range": Body(Shapes.range),
    "If": Body(Shapes.branch),
  ]

  private static let movement: [String: Body] = [
    "Transpose": Body(Movement.transpose),
    "Expand": Body(Movement.expand),
    "Tile": Body(Movement.tile),
    "Concat": Body(Movement.concatenate),
    "Split": Body(Movement.split),
    "Slice": Body(Movement.slice),
    "Pad": Body(Movement.pad),
    "Trilu": Body(Movement.triangle),
    "Gather": Body(Indexing.gather),
    "GatherElements": Body(Indexing.gatherElements),
    "GatherND": Body(Indexing.gatherND),
    "ScatterND": Body(Indexing.scatterND),
    "ScatterElements": Body(Indexing.scatterElements),
    "NonZero": Body(Indexing.nonZero),
    "OneHot": Body(Indexing.oneHot),
  ]

  private static let rows: [String: Body] = {
    var table: [String: Body] = [
      "LpNormalization": Body(AxisRows.normalize),
      "CumSum": Body(AxisRows.runningSum),
      "LayerNormalization": Body(Norms.layer),
      "RMSNormalization": Body(Norms.rootMeanSquare),
      "BatchNormalization": Body(Norms.batch),
      "InstanceNormalization": Body(Norms.group),
      "GroupNormalization": Body(Norms.group),
    ]
    for name in ["Softmax", "LogSoftmax"] { table[name] = Body(AxisRows.softmax) }
    for name in ["ArgMax", "ArgMin"] { table[name] = Body(AxisRows.extreme) }
    for name in [
      "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
      "ReduceLogSum", "ReduceLogSumExp",
    ] {
      guard let reduction = Reduction(rawValue: name) else { continue }
      table[name] = Body(reduction.apply)
    }
    return table
  }()

  private static let products: [String: Body] = {
    var table: [String: Body] = [
      "MatMul": Body(Products.matMul),
      "Gemm": Body(Products.gemm),
      "Conv": Body(Convolutions.convolution),
    ]
    for name in ["MaxPool", "AveragePool"] { table[name] = Body(Pools.pool) }
    for name in ["GlobalMaxPool", "GlobalAveragePool"] {
      table[name] = Body(Pools.global)
    }
    return table
  }()

  private static let quantized: [String: Body] = [
    "QuantizeLinear": Body(Quantization.quantize),
    "DequantizeLinear": Body(Quantization.dequantize),
    "DynamicQuantizeLinear": Body(Quantization.dynamic),
    "MatMulInteger": Body(Products.matMulInteger),
    "ConvInteger": Body(Convolutions.convInteger),
    "QLinearMatMul": Body(Quantization.matMul),
    "QLinearConv": Body(Quantization.convolution),
  ]
}
