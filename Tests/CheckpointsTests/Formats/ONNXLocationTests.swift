import Checkpoints
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private typealias W = Wire

/// O8: a location that leads elsewhere is refused by its text, before anything is opened or even looked at. The system
/// calls of the program, as strace counts them, are the proof.
@Suite(.enabled(if: access("/usr/bin/strace", X_OK) == 0)) struct ONNXLocationTests {
  @Test(arguments: [
    "../x", "a/../../x", "/etc/passwd", "C:\\x", "file:///x", "", "x\0y", String(repeating: "a", count: 5_000),
  ])
  func nothingElsewhereIsTouched(_ location: String) throws {
    let directory = try TemporaryDirectory()
    for folder in ["model", "model/a"] { #expect(mkdir(directory.file(folder), 0o777) == 0) }
    for name in ["x", "model/x", "model/C:\\x"] { try directory.write([UInt8](1...8), to: name) }
    let entries = [("location", location), ("length", "8")]
    let model = try directory.write(W.model(tensor: W.tensor(W.external(entries))), to: "model/model.onnx")
    let log = directory.file("calls")
    for verb in [["inspect", model], ["convert", model, directory.file("out.npz")]] {
      let run = try Clipkit(verb, script: "exec strace -f -qq -y -o '\(log)' -e trace=%file \"$@\"").wait()
      #expect(run.exitCode == 65)
      #expect(run.stderr.split(separator: "\n").count == 1 && run.stderr.hasPrefix("error: "), "\(run.stderr)")
      // What the program did once it had opened the model.
      let calls = try String(decoding: Bytes(InputFile(log)).load(), as: UTF8.self).split(separator: "\n")
      let opened = try #require(calls.firstIndex { $0.contains("openat(") && $0.contains("model/model.onnx") })
      let others = calls[opened...].filter { !$0.contains("model/model.onnx") && !$0.contains("+++") }
      let named = others.filter { call in ["/x\"", "passwd", "aaaa", "C:", "file:"].contains { call.contains($0) } }
      #expect(named.isEmpty, "\(named)")
    }
  }
}
