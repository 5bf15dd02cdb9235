import Checkpoints
import TestSupport
import Testing

/// A model that `onnx.helper` builds with everything that `ONNXModel` holds.
let onnxEverything = """
  import sys
  import numpy as np, onnx
  from onnx import helper as h, numpy_helper as n, TensorProto as T
  inner = h.make_graph([h.make_node("Identity", ["x"], ["y"])], "then", [], [h.make_tensor_value_info("y", T.FLOAT, None)])
  nodes = [
    h.make_node("Constant", [], ["c"], value=n.from_array(np.arange(6, dtype=np.int64).reshape(2, 3))),
    h.make_node("Gelu", ["x"], ["g"], name="gelu", approximate="tanh"),
    h.make_node("Odd", ["g", "", "c"], ["o", "p"], domain="com.example", alpha=0.5, axis=-1, ratios=[1.0, -2.5],
                axes=[-1, 2**62], words=["a", "ö"]),
    h.make_node("If", ["b"], ["y"], then_branch=inner, else_branch=inner),
  ]
  nodes[1].metadata_props.add(key="scope", value="visual.transformer")
  types = [np.float32, np.float16, np.float64, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64,
           np.uint64, np.bool_]
  tensors = [n.from_array(np.array([[0, 1, 2]]).astype(t), f"t.{np.dtype(t).name}") for t in types]
  tensors += [n.from_array(np.float32(4.5), "scalar"), n.from_array(np.zeros((0, 3), np.float32), "empty")]
  graph = h.make_graph(nodes, "graph", [
    h.make_tensor_value_info("x", T.FLOAT, ["batch", 3, None]), h.make_tensor_value_info("b", T.BOOL, []),
  ], [h.make_tensor_value_info("y", T.FLOAT16, None)], tensors)
  model = h.make_model(graph, producer_name="tester", producer_version="1", ir_version=10,
                       opset_imports=[h.make_opsetid("", 20), h.make_opsetid("com.example", 1)])
  h.set_model_props(model, {"key": "value"})
  """

@Suite struct ONNXModelTests {
  @Test func readsEverything() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("model.onnx")
    _ = try Python.run(Python.light, onnxEverything + "\nonnx.save(model, sys.argv[1])", path)
    let model = try ONNX.readModel(InputFile(path))
    #expect(model.irVersion == 10 && model.producer == "tester" && model.producerVersion == "1" && model.opset == 20)
    #expect(model.metadata.map(\.key) == ["key"] && model.metadata.map(\.value) == ["value"])
    let graph = model.graph
    #expect(graph.nodes.map(\.kind) == ["Constant", "Gelu", "Odd", "If"])
    #expect(graph.inputs.map(\.name) == ["x", "b"])
    #expect(graph.inputs[0] == ONNXValue("x", .f32, [.named("batch"), .size(3), .unknown]))
    #expect(graph.inputs[1] == ONNXValue("b", .bool, []))
    #expect(graph.outputs == [ONNXValue("y", .f16, nil)])
    let odd = graph.nodes[2]
    #expect(odd.domain == "com.example" && odd.inputs == ["g", "", "c"] && odd.outputs == ["o", "p"])
    guard case .float(0.5)? = odd.attributes["alpha"], case .integer(-1)? = odd.attributes["axis"],
      case .floats([1, -2.5])? = odd.attributes["ratios"],
      case .integers([-1, 0x4000_0000_0000_0000])? = odd.attributes["axes"],
      case .strings(["a", "ö"])? = odd.attributes["words"],
      case .graph(let inner)? = graph.nodes[3].attributes["then_branch"],
      case .tensor(let constant)? = graph.nodes[0].attributes["value"]
    else {
      Issue.record("an attribute is another: \(odd.attributes)")
      return
    }
    #expect(inner.nodes.map(\.kind) == ["Identity"])
    #expect(constant.dtype == .i64 && constant.shape == [2, 3])
    #expect(graph.nodes[1].metadata.map(\.value) == ["visual.transformer"])
    #expect(
      graph.initializers.map(\.tensor.dtype) == [
        .f32, .f16, .f64, .i8, .u8, .i16, .u16, .i32, .u32, .i64, .u64, .bool, .f32, .f32,
      ])
    #expect(try graph.initializers[0].tensor.bytes.load() == [0, 0, 0, 0, 0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])
  }

  @Test func writesWhatItRead() throws {
    let directory = try TemporaryDirectory()
    let (path, copy) = (directory.file("model.onnx"), directory.file("copy.onnx"))
    _ = try Python.run(Python.light, onnxEverything + "\nonnx.save(model, sys.argv[1])", path)
    let writer = try FileWriter(copy)
    try ONNX.write(ONNX.readModel(InputFile(path)), to: writer)
    try writer.commit()
    let same = """
      import sys, onnx
      print(onnx.load(sys.argv[1]) == onnx.load(sys.argv[2]))
      """
    #expect(try Python.run(Python.light, same, path, copy) == "True\n")
  }
}
