package import Checkpoints

/// What embeddings are made of.
package enum EmbeddingSource: CaseIterable, Sendable {
  case images, prompts

  /// The name of the array of rows.
  var rowsName: String { self == .images ? "image_embeds" : "text_embeds" }
  /// The name of the array of inputs.
  var inputsName: String { self == .images ? "image_paths" : "prompts" }
  /// The member of a JSON line that holds the input.
  var member: String { self == .images ? "path" : "prompt" }
}

/// Some consecutive inputs and what became of them.
package struct EmbeddedBatch {
  package var source: EmbeddingSource
  package var inputs: ArraySlice<String>
  /// Why an input has no row, by its index in `inputs`.
  package var failures: [Int: FileError]
  /// The rows of the other inputs, one after the other.
  package var rows: [Float]

  package init(_ source: EmbeddingSource, inputs: ArraySlice<String>, failures: [Int: FileError] = [:], rows: [Float]) {
    self.source = source
    self.inputs = inputs
    self.failures = failures
    self.rows = rows
  }
}

/// Takes embeddings as they come: the images' batches in order, then the prompts'.
package protocol EmbeddingWriter {
  mutating func write(_ batch: EmbeddedBatch) throws(FileError)
  /// Completes the output and returns its size in bytes.
  mutating func finish(metadata: Metadata) throws(FileError) -> Int
}

/// The files that hold embeddings, by extension: `formats/embeddings.md`, "Written".
package enum EmbeddingFormat: String, Sendable, CaseIterable {
  /// NumPy's archive, with paths, prompts and metadata.
  case npz
  /// NumPy's single array: rows alone.
  case npy
  /// Hugging Face's container, with paths, prompts and metadata.
  case safetensors
  /// One JSON object in a line for each input.
  case jsonl

  /// The format that a path's extension names.
  /// - Throws: `usage` when it names none.
  package init(path: String) throws(FileError) {
    let ending = lastComponent(of: path).split(separator: ".").dropFirst().last.map { $0.lowercased() } ?? ""
    guard let format = EmbeddingFormat(rawValue: ending) else {
      throw FileError(
        .usage, "the output's name does not say its format", file: path,
        hint: "Use an extension: \(Self.allCases.map { ".\($0.rawValue)" }.joined(separator: " "))")
    }
    self = format
  }
}
