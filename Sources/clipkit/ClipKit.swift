import ArgumentParser
import CLIPModels
import Checkpoints

/// The version in `--version` and in what is written.
let toolVersion = "0.1.0"

@main
struct ClipKit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clipkit",
    abstract: "Convert, compare and check CLIP checkpoints, and embed with them.",
    discussion: """
      Reads safetensors, PyTorch (zip, TorchScript, legacy), GGUF, npz and ONNX, in the names of OpenAI, open_clip, \
      Hugging Face, clip.cpp, llama.cpp and big_vision; a file is recognised by its content. Nothing is executed from a file.

      Exit codes: 0 done, 1 a check failed, 64 usage, 65 bad data, 66 no input, 70 internal, 73 cannot create, \
      74 I/O, 77 no permission, 129/130/143 interrupted.
      """,
    version: toolVersion,
    subcommands: [
      Inspect.self, Convert.self, Embed.self, Reference.self, Verify.self, Diff.self, Hash.self, Tokenize.self,
    ])

  static func main() {
    Process.prepare()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let error as FileError {
      Process.fail(error, asJSON: CommandLine.arguments.contains("--json"))
    } catch {
      if CommandLine.arguments.contains("--json"), exitCode(for: error) == .validationFailure {
        let usage = FileError(.usage, message(for: error))
        let json = JSONValue.object(["schema": 1, "error": usage.json]).text(pretty: true)
        Output.write(json, exitCode: exitCode(for: error).rawValue)
      }
      Output.makeRoomForHelp()
      Process.end(with: fullMessage(for: error), code: exitCode(for: error).rawValue)
    }
  }
}
