import CLIPModels
import Checkpoints

/// Evaluates an ONNX file on given inputs and writes its outputs, for tools that hold them against ONNX Runtime's.
struct EvaluatorBench {
  private let model: ONNXModel
  private let inputs: [String: Tensor]
  private let output: String
  private let runs: Int
  private let threads: Int

  /// `evaluate MODEL INPUTS.safetensors OUTPUTS.safetensors THREADS RUNS`
  init(_ arguments: [String]) throws {
    model = try ONNX.readModel(InputFile(arguments[1]))
    let given = try Checkpoint.open(arguments[2])
    var inputs: [String: Tensor] = [:]
    for name in given.names { inputs[name] = given[name] }
    (self.inputs, output) = (inputs, arguments[3])
    threads = Int(arguments[4]) ?? processorCount
    runs = Int(arguments[5]) ?? 1
  }

  /// Prints the milliseconds of the preparation, then those of each run.
  func answer() throws {
    var start = Bench.nanoseconds()
    let evaluator = try ONNXEvaluator(model, threads: threads)
    var times = [Double(Bench.nanoseconds() - start) * 1e-6]
    var outputs: [DenseTensor] = []
    for _ in 0..<runs {
      start = Bench.nanoseconds()
      outputs = try evaluator.evaluate(inputs)
      times.append(Double(Bench.nanoseconds() - start) * 1e-6)
    }
    var checkpoint = Checkpoint()
    for (value, result) in zip(model.graph.outputs, outputs) {
      let tensor = try Tensor(dtype: result.dtype, shape: result.shape, bytes: Bytes(result.bytes()))
      try checkpoint.add(tensor, named: value.name)
    }
    let writer = try FileWriter(output, policy: FileWriter.Policy(force: true))
    try Safetensors.write(checkpoint, to: writer)
    try writer.commit()
    print(times.map { "\($0)" }.joined(separator: " "))
  }
}
