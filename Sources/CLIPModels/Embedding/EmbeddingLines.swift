package import Checkpoints

/// Embeddings as one JSON object in a line for each input, in a file or wherever lines go.
package struct EmbeddingLines: EmbeddingWriter {
  private let dimension: Int
  private let file: FileWriter?
  private let put: (String) throws(FileError) -> Void
  private var bytes = 0

  /// Lines for a file, which has no name before `finish`.
  package init(_ path: String, policy: FileWriter.Policy, dimension: Int) throws(FileError) {
    let file = try FileWriter(path, policy: policy)
    self.file = file
    self.dimension = dimension
    put = { (text) throws(FileError) in try file.write(text) }
  }

  /// Lines that are given away, all of a batch at once.
  package init(dimension: Int, to put: @escaping (String) -> Void) {
    file = nil
    self.dimension = dimension
    self.put = put
  }

  package mutating func write(_ batch: EmbeddedBatch) throws(FileError) {
    var text = ""
    var row = 0
    for (index, input) in zip(batch.inputs.indices, batch.inputs) {
      text += "{\"\(batch.source.member)\":\(JSONValue.string(input).text()),"
      if let failure = batch.failures[index] {
        text += "\"error\":\(failure.json.text())}\n"
      } else {
        text += "\"embedding\":["
        for position in row..<row + dimension {
          if position > row { text += "," }
          // The fewest digits that read back as the same number.
          text += batch.rows[position].isFinite ? "\(batch.rows[position])" : "null"
        }
        text += "]}\n"
        row += dimension
      }
    }
    bytes += text.utf8.count
    try put(text)
  }

  package mutating func finish(metadata: Metadata) throws(FileError) -> Int {
    try file?.commit()
    return bytes
  }
}
