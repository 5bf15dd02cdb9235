import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The Python environments that `tools/setup` makes, for tests that let the real libraries read what we write.
public enum Python {
  /// numpy, safetensors, gguf and onnx.
  public static let light = interpreter("python")
  /// Also torch, open_clip and transformers.
  public static let peers = interpreter("python-peers")

  private static func interpreter(_ environment: String) -> String? {
    let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let path = "\(root)/.build/\(environment)/bin/python"
    return access(path, X_OK) == 0 ? path : nil
  }

  /// What a script prints; throws with its error output when it fails.
  public static func run(_ interpreter: String?, _ script: String, _ arguments: String...) throws -> String {
    try run(interpreter, script, arguments)
  }

  /// The same, for any number of arguments.
  public static func run(_ interpreter: String?, _ script: String, _ arguments: [String]) throws -> String {
    guard let interpreter else { throw FileError(.missing, "no Python environment", hint: "Run tools/setup --peers") }
    let directory = try TemporaryDirectory()
    let file = try directory.write(Array(script.utf8), to: "script.py")
    let words = [interpreter, file] + arguments
    let command = words.map(quoted).joined(separator: " ") + " 2>&1"
    guard let pipe = popen(command, "r") else { throw FileError(.io, "cannot run Python") }
    var output: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { output += buffer[..<count] }
    let text = String(decoding: output, as: UTF8.self)
    guard pclose(pipe) == 0 else { throw FileError(.io, "Python failed: \(text)") }
    return text
  }

  private static func quoted(_ word: String) -> String {
    "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
