import CLIPModels
import Checkpoints

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

// One libFuzzer program for all readers; `tools/fuzz NAME` builds and runs it. It exists in the package only when
// CLIPKIT_FUZZ is set.

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@main
struct Fuzz {
  static func main() {
    var count = CommandLine.argc
    var arguments = CommandLine.unsafeArgv
    exit(
      runDriver(&count, &arguments) { data, size in
        Fuzz.run(Array(UnsafeBufferPointer(start: data, count: size)))
        return 0
      })
  }

  /// `pickle`: the bytes are the data.pkl of a PyTorch file; `npy`: a member of an .npz; else they are a whole file.
  private static let target = getenv("CLIPKIT_FUZZ_TARGET").map { String(cString: $0) } ?? ""
  private static let directory = getenv("CLIPKIT_FUZZ_DIRECTORY").map { String(cString: $0) } ?? "/dev/shm"

  private static func run(_ input: [UInt8]) {
    do throws(FileError) {
      switch target {
      case "model": return try FuzzModel(input, directory: directory)?.run() ?? ()
      case "image": return try FuzzPicture(input).run()
      case "text": return try FuzzTokenizer(directory: directory).encode(input)
      case "sentencepiece": return try FuzzTokenizer(directory: directory).readSentencePiece(input)
      case "vocabulary": return try FuzzTokenizer(directory: directory).read(input)
      default: break
      }
      let path = "\(directory)/input"
      let output = try FileWriter(path, policy: FileWriter.Policy(force: true))
      try store(input, in: output)
      try output.commit()
      if target == "onnx" { try writeAgain(path) }
      // One format for each input, so that the others are as fast.
      try roundTrip(of: try Checkpoint.open(path), in: allFormats[input.count % allFormats.count])
    } catch {
      precondition(!error.message.isEmpty)
    }
  }

  /// A model's graph gives what tensors it can, and is written and read again.
  private static func writeAgain(_ path: String) throws(FileError) {
    let model = try ONNX.readModel(InputFile(path))
    for found in try ONNXRecovery(model).found where found.tensor.bytes.count <= 1 << 20 {
      _ = try found.tensor.bytes.load()
    }
    let copy = "\(directory)/copy"
    let output = try FileWriter(copy, policy: FileWriter.Policy(force: true))
    try ONNX.write(model, to: output)
    try output.commit()
    let again = try ONNX.readModel(InputFile(copy))
    precondition(again.graph.nodes.map(\.kind) == model.graph.nodes.map(\.kind), "onnx: other nodes")
    precondition(again.graph.initializers.map(\.name) == model.graph.initializers.map(\.name), "onnx: other names")
    // The shape of an input of a type that is not read goes with its type.
    let known = { (graph: ONNXGraph) in graph.inputs.filter { $0.dtype != nil } }
    precondition(known(again.graph) == known(model.graph), "onnx: other inputs")
  }

  private static func store(_ input: [UInt8], in output: FileWriter) throws(FileError) {
    switch target {
    case "npy":
      var zip = ZipWriter(output)
      try zip.add("x.npy", Bytes(input))
      try zip.finish()
    case "pickle" where !input.starts(with: legacyMagic):
      var zip = ZipWriter(output)
      try zip.add("a/data.pkl", Bytes(input))
      for key in 0..<4 {
        try zip.add("a/data/\(key)", Bytes([UInt8](repeating: UInt8(key), count: 1024)), alignment: 64)
      }
      try zip.add("a/version", Bytes(Array("3\n".utf8)))
      try zip.finish()
    default:
      try output.write(input)
    }
  }

  /// How torch.save began before 1.6: protocol 2, then a long integer of ten bytes.
  private static let legacyMagic: [UInt8] = [0x80, 2, 0x8A, 10, 0x6C]

  /// Every tensor can be read, and what can be stored in the format comes back from it.
  private static func roundTrip(
    of checkpoint: Checkpoint, in format: any CheckpointFormat.Type
  ) throws(FileError) {
    guard checkpoint.byteCount <= 4 << 20, checkpoint.names.count <= 10_000 else { return }
    for name in checkpoint.names {
      guard let tensor = checkpoint[name] else { fatalError("no tensor of a listed name") }
      let (bytes, size) = (try tensor.bytes.load(), try tensor.dtype.byteCount(shape: tensor.shape))
      precondition(bytes.count == size)
    }
    guard storable(checkpoint, in: format) else { return }
    let path = "\(directory)/output"
    let output = try FileWriter(path, policy: FileWriter.Policy(force: true))
    try format.write(checkpoint, to: output)
    try output.commit()
    expectSame(checkpoint, path, format.name)
  }

  private static func storable(_ checkpoint: Checkpoint, in format: any CheckpointFormat.Type) -> Bool {
    do throws(FileError) {
      for name in checkpoint.names {
        if let tensor = checkpoint[name] { try format.checkStorable(tensor, named: name) }
      }
      return true
    } catch {
      return false
    }
  }

  private static func expectSame(_ checkpoint: Checkpoint, _ path: String, _ format: String) {
    do throws(FileError) {
      let again = try Checkpoint.open(path)
      precondition(Set(again.names) == Set(checkpoint.names), "\(format): other names")
      for name in checkpoint.names {
        guard let before = checkpoint[name], let after = again[name] else { continue }
        precondition(before.dtype == after.dtype, "\(format): other type")
        precondition(before.shape == after.shape || before.count == 1, "\(format): other shape")
        let same = try before.bytes.load() == after.bytes.load()
        precondition(same, "\(format): other bytes")
      }
    } catch {
      fatalError("\(format): what was written is not read: \(error)")
    }
  }
}
