import CLIPModels
import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The official node tests of the onnx package, which `tools/onnx_node_tests.py` writes.
@Suite struct NodeTests {
  @Test func passesTheOfficialNodeTestsOfEveryClaimedOperator() throws {
    let folder = try TemporaryDirectory()
    let script = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/tools/onnx_node_tests.py"
    let names = OperatorTable.names
    let tests = folder.file("tests")
    _ = try Python.run(
      Python.light, "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')",
      [script, tests] + names)
    var (passed, refused, failed): (Int, [String], [String]) = (0, [], [])
    for name in try Directory.names(tests).sorted() where isDirectory("\(tests)/\(name)") {
      do throws(FileError) {
        let problems = try NodeTest("\(tests)/\(name)").problems()
        if problems.isEmpty { passed += 1 } else { failed.append("\(name): \(problems.joined(separator: "; "))") }
      } catch {
        if error.kind == .unsupported {
          refused.append("\(name): \(error.message)")
        } else {
          failed.append("\(name): \(error)")
        }
      }
    }
    print("ONNX operators claimed: \(names.count): \(names.joined(separator: " "))")
    print("official node tests of these: \(passed) passed, \(refused.count) refused, \(failed.count) failed")
    for line in refused + failed { print(line) }
    let others = try String(decoding: Bytes(InputFile("\(tests)/not-claimed.txt")).load(), as: UTF8.self)
    print("official node tests that are not claimed, for types and values that are not ours:\n\(others)")
    #expect(failed.isEmpty)
    #expect(passed > 1000)
    #expect(refused.allSatisfy { $0.hasSuffix("while training") })
  }

  /// There are no official tests of ONNX Runtime's own operators: what they give is asked of it.
  @Test func computesFusedOperatorsAsONNXRuntimeDoes() throws {
    let folder = try TemporaryDirectory()
    let script = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/tools/onnx_fused_tests.py"
    let tests = folder.file("tests")
    _ = try Python.run(
      Python.light, "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')",
      [script, tests])
    let names = try Directory.names(tests)
    #expect(Set(names.map { String($0.prefix { $0 != "-" }) }) == Set(OperatorTable.microsoftNames))
    for name in names { #expect(try NodeTest("\(tests)/\(name)").problems() == [], "\(name)") }
  }
}

/// One test: a model, its inputs, and what it must put out.
private struct NodeTest {
  private let path: String
  private let data: Checkpoint

  init(_ path: String) throws(FileError) {
    self.path = path
    data = try Checkpoint.open("\(path)/data.safetensors")
  }

  /// What is wrong with the outputs; empty when nothing is.
  func problems() throws(FileError) -> [String] {
    let model = try ONNX.readModel(InputFile("\(path)/model.onnx"))
    let evaluator = try ONNXEvaluator(model, threads: 2)
    var inputs: [String: Tensor] = [:]
    for (index, input) in model.graph.inputs.enumerated() { inputs[input.name] = try tensor("input.\(index)") }
    let outputs = try evaluator.evaluate(inputs)
    var problems: [String] = []
    for (index, output) in outputs.enumerated() {
      guard let expected = try tensor("output.\(index)") else { return ["no output.\(index)"] }
      let found = try Tensor(dtype: output.dtype, shape: output.shape, bytes: Bytes(output.bytes()))
      guard found.dtype == expected.dtype, found.shape == expected.shape else {
        problems.append("\(found.dtype) \(found.shape), expected \(expected.dtype) \(expected.shape)")
        continue
      }
      // Two units in the last place of 16-bit floats, as the onnx package itself allows bf16.
      let least = expected.dtype == .bf16 ? 0x1p-6 : expected.dtype == .f16 ? 0x1p-9 : 0
      if let problem = try difference(found, expected, max(least, number("rtol")), number("atol")) {
        problems.append(problem)
      }
    }
    return problems
  }

  private func number(_ key: String) -> Double { data.metadata[key]?.string.flatMap(Double.init) ?? 0 }

  private func tensor(_ name: String) throws(FileError) -> Tensor? {
    guard let tensor = data[name] else { return nil }
    let bits = data.metadata["bf16"]?.string.map { $0.split(separator: " ") } ?? []
    return bits.contains(name[...]) ? try Tensor(dtype: .bf16, shape: tensor.shape, bytes: tensor.bytes) : tensor
  }

  /// Floats may differ as NumPy's `allclose` allows, everything else not at all.
  private func difference(
    _ found: Tensor, _ expected: Tensor, _ relative: Double, _ absolute: Double
  ) throws(FileError) -> String? {
    guard found.dtype.isFloat else {
      let (first, second) = (try found.bytes.load(), try expected.bytes.load())
      guard first != second else { return nil }
      return "\(zip(first, second).count { $0 != $1 }) of \(first.count) bytes differ"
    }
    let (first, second) = (try found.cast(to: .f64).numbers(), try expected.cast(to: .f64).numbers())
    let wrong = zip(first, second).enumerated().first { _, pair in
      if pair.0.isNaN || pair.1.isNaN { return pair.0.isNaN != pair.1.isNaN }
      return pair.0 != pair.1 && !(abs(pair.0 - pair.1) <= absolute + relative * abs(pair.1))
    }
    return wrong.map { "element \($0.offset) is \($0.element.0), expected \($0.element.1)" }
  }
}

extension Tensor {
  /// The numbers of an f64 tensor.
  func numbers() throws(FileError) -> [Double] {
    try bytes.load().withUnsafeBytes { buffer in
      (0..<count).map { buffer.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
    }
  }
}

/// What is in a directory; nothing where there is none.
enum Directory {
  static func names(_ path: String) throws -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}
