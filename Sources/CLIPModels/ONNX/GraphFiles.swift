import Checkpoints

extension Checkpoint {
  /// The files of an ONNX model that hold graphs, and these: one for each encoder in a directory. None for other formats;
  /// the files besides hold the graphs' data.
  /// - Throws: what reading a graph throws, with its file.
  func graphFiles() throws(FileError) -> [(file: InputFile, model: ONNXModel)] {
    guard format == ONNX.name else { return [] }
    var result: [(file: InputFile, model: ONNXModel)] = []
    for (index, file) in files.enumerated() where index == 0 || file.path.hasSuffix(".onnx") {
      do throws(FileError) { result.append((file, try ONNX.readModel(file))) } catch {
        throw error.located(file: file.path)
      }
    }
    return result
  }
}
