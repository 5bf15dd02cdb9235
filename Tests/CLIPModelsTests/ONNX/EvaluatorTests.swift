import CLIPModels
import Checkpoints
import Testing

/// What the evaluator refuses, and that it keeps to its limits. Its numbers are for `NodeTests`.
@Suite struct EvaluatorTests {
  private func tensor(_ dtype: DType, _ shape: [Int], _ values: [Int64]) throws -> Tensor {
    var bytes: [UInt8] = []
    for value in values { withUnsafeBytes(of: value.littleEndian) { bytes += $0.prefix(dtype.blockBytes) } }
    return try Tensor(dtype: dtype, shape: shape, bytes: Bytes(bytes))
  }

  /// A model of these nodes, whose input is `x` and whose output is `y`.
  private func model(
    _ nodes: [ONNXNode], constants: [(name: String, tensor: Tensor)] = [], opset: Int64 = 17
  ) -> ONNXModel {
    var model = ONNXModel()
    model.opsets = [("", opset)]
    model.graph.nodes = nodes
    model.graph.initializers = constants
    model.graph.inputs = [ONNXValue("x", .i64, nil)]
    model.graph.outputs = [ONNXValue("y", nil, nil)]
    return model
  }

  private func refusal(_ model: ONNXModel) throws -> String {
    let x = try tensor(.i64, [2], [1, 2])
    do throws(FileError) {
      _ = try ONNXEvaluator(model, threads: 1).evaluate(["x": x])
      return "nothing"
    } catch { return error.message }
  }

  @Test func refusesOperatorsThatItDoesNotKnow() throws {
    let unknown = model([ONNXNode("Fold", name: "n", inputs: ["x"], outputs: ["y"])])
    #expect(try refusal(unknown) == "node 'n' (Fold): operator Fold is not evaluated")
    let foreign = model([ONNXNode("Add", name: "n", domain: "z", inputs: ["x", "x"], outputs: ["y"])])
    #expect(try refusal(foreign) == "node 'n' (Add): operator z.Add is not evaluated")
    let fused = model([ONNXNode("QAttention", name: "n", domain: "com.microsoft", inputs: ["x"], outputs: ["y"])])
    #expect(try refusal(fused) == "node 'n' (QAttention): operator com.microsoft.QAttention is not evaluated")
    let old = model([ONNXNode("Add", inputs: ["x", "x"], outputs: ["y"])], opset: 6)
    #expect(try refusal(old) == "operators of version 6, known are 7 to 28")
  }

  @Test func refusesGraphsThatAreNone() throws {
    let missing = model([ONNXNode("Add", inputs: ["x", "z"], outputs: ["y"])])
    #expect(try refusal(missing) == "node 'y' (Add): nothing before it makes its input 'z'")
    let twice = model([ONNXNode("Neg", inputs: ["x"], outputs: ["y"]), ONNXNode("Neg", inputs: ["x"], outputs: ["y"])])
    #expect(try refusal(twice) == "node 'y' (Neg): its output 'y' is made twice")
    let circle = model([ONNXNode("Neg", inputs: ["y"], outputs: ["z"]), ONNXNode("Neg", inputs: ["z"], outputs: ["y"])])
    #expect(try refusal(circle) == "node 'z' (Neg): it takes what is made of its own output")
    #expect(try refusal(model([])) == "no node makes the output 'y'")
  }

  @Test func computesNodesInWhateverOrderTheyAreWritten() throws {
    let model = model([
      ONNXNode("Neg", inputs: ["b"], outputs: ["y"]), ONNXNode("Neg", inputs: ["a"], outputs: ["b"]),
      ONNXNode("Neg", inputs: ["x"], outputs: ["a"]),
    ])
    let output = try ONNXEvaluator(model, threads: 1).evaluate(["x": tensor(.i64, [2], [1, 2])])
    #expect(try output[0].bytes() == tensor(.i64, [2], [-1, -2]).bytes.load())
  }

  @Test func limitsMemory() throws {
    let sizes = try tensor(.i64, [2], [1 << 20, 1 << 20])
    let zeros = model(
      [ONNXNode("ConstantOfShape", name: "n", inputs: ["s"], outputs: ["y"])], constants: [("s", sizes)])
    #expect(try refusal(zeros).hasPrefix("node 'n' (ConstantOfShape): "))
    let expanded = model(
      [
        ONNXNode("Unsqueeze", inputs: ["x", "a"], outputs: ["u"]),
        ONNXNode("Expand", inputs: ["u", "s"], outputs: ["y"]),
      ],
      constants: [("a", try tensor(.i64, [1], [0])), ("s", try tensor(.i64, [2], [1 << 40, 2]))])
    #expect(try refusal(expanded).hasPrefix("node 'y' (Expand): "))
    let overflowing = model(
      [ONNXNode("Tile", inputs: ["x", "s"], outputs: ["y"])], constants: [("s", try tensor(.i64, [1], [.max]))])
    #expect(try refusal(overflowing).hasPrefix("node 'y' (Tile): "))
  }

  /// A few hundred bytes that ask for hours.
  @Test func limitsTime() throws {
    let side = try tensor(.i64, [2], [4096, 4096])
    var products = [ONNXNode("ConstantOfShape", inputs: ["s"], outputs: ["v0"])]
    for index in 0..<64 {
      products.append(
        ONNXNode("MatMul", inputs: ["v\(index)", "v\(index)"], outputs: [index == 63 ? "y" : "v\(index + 1)"]))
    }
    let message = try refusal(model(products, constants: [("s", side)]))
    #expect(message.contains("computes more than any model of its size"))
  }

  /// Queries and keys that are turned by their place would be computed as if they were not.
  @Test func refusesAttentionThatIsTurned() throws {
    let floats = try tensor(.f32, [1, 2, 6], [Int64](repeating: 0, count: 12))
    let node = ONNXNode(
      "Attention", name: "n", domain: "com.microsoft", inputs: ["a", "b"], outputs: ["y"],
      attributes: ["num_heads": .integer(1), "do_rotary": .integer(1)])
    let hostile = model([node], constants: [("a", floats), ("b", floats)])
    #expect(try refusal(hostile) == "node 'n' (Attention): attention with do_rotary")
  }

  @Test func fusedOperatorsTakeNothingOnTrust() throws {
    let shapes = [[], [0], [6], [6, 6], [5, 1, 6], [1, 2, 6], [2, 1, 0], [2, 3, 1, 6]]
    let extremes: [String: ONNXAttribute] = [
      "num_heads": .integer(.max), "alpha": .float(.infinity), "group": .integer(.max), "scale": .float(.nan),
      "transA": .integer(1), "transBatchA": .integer(1), "unidirectional": .integer(1),
      "pads": .integers([.max, .max]),
    ]
    for kind in OperatorTable.microsoftNames {
      for (first, second) in shapes.flatMap({ shape in shapes.map { (shape, $0) } }) {
        for attributes in [extremes, ["num_heads": .integer(1)]] {
          let floats = try [first, second].map { shape in
            try Tensor(dtype: .f32, shape: shape, bytes: Bytes([UInt8](repeating: 0, count: 4 * shape.reduce(1, *))))
          }
          let node = ONNXNode(
            kind, domain: "com.microsoft", inputs: ["a", "b", "b", kind == "Attention" ? "" : "b"], outputs: ["y"],
            attributes: attributes)
          // Any answer will do, as long as there is one.
          _ = try refusal(model([node], constants: [("a", floats[0]), ("b", floats[1])]))
        }
      }
    }
  }

  @Test func takesNothingTwiceFromHostileNumbers() throws {
    let extreme = try tensor(.i64, [1], [.min])
    for (kind, attributes) in [
      ("Reshape", [:]), ("Expand", [:]), ("Unsqueeze", [:]), ("Squeeze", [:]), ("ReduceSum", [:]), ("Tile", [:]),
      ("Split", ["axis": .integer(.max)]), ("Concat", ["axis": .integer(.min)]), ("Gather", ["axis": .integer(.min)]),
      ("GatherND", ["batch_dims": .integer(.max)]), ("ArgMax", ["axis": .integer(.max)]), ("Softmax", [:]),
      ("Flatten", ["axis": .integer(.min)]), ("Pad", [:]), ("Mod", [:]), ("Div", [:]), ("Trilu", [:]),
      ("ConstantOfShape", [:]), ("CumSum", [:]), ("Range", [:]), ("OneHot", ["axis": .integer(.min)]),
      ("Slice", [:]), ("MaxPool", ["kernel_shape": .integers([.max])]),
      ("Transpose", ["perm": .integers([.min])]), ("LayerNormalization", ["axis": .integer(.max)]),
    ] as [(String, [String: ONNXAttribute])] {
      for inputs in [["x", "e"], ["e", "x"], ["x", "e", "e"], ["e", "e", "e"], ["x", "e", "e", "z", "e"]] {
        let node = ONNXNode(kind, inputs: inputs, outputs: ["y"], attributes: attributes)
        let hostile = model([node], constants: [("e", extreme), ("z", try tensor(.i64, [1], [0]))])
        // Any answer will do, as long as there is one.
        _ = try refusal(hostile)
      }
    }
  }
}
