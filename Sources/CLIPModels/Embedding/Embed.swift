public import Checkpoints

/// Encodes images and prompts and writes their embeddings: `formats/embeddings.md`.
///
/// An input that fails has no row and is told of in the report; everything else that goes wrong ends the run, and then
/// nothing is written to a file. The same model, inputs and options give the same bytes.
/// - Throws: what reading the model says, and creating the output; `usage` when there is nothing to embed.
public func embed(
  _ path: String, images: ImageList?, prompts: PromptList?, to target: EmbeddingTarget,
  options: EmbeddingOptions = EmbeddingOptions()
) throws(FileError) -> EmbeddingReport {
  guard images != nil || prompts != nil else { throw FileError(.usage, "neither images nor prompts") }
  var format = EmbeddingFormat.jsonl
  if case .file(let output) = target { format = try EmbeddingFormat(path: output) }
  guard let model = try CLIPModel.open(path, reading: options.reading, options: options.config) else {
    throw FileError(.unsupported, "not a CLIP that clipkit knows", file: path)
  }
  if let problem = model.problems.first, try !GraphEncoder.holdsGraph(model.checkpoint) {
    throw problem.located(file: path)
  }
  var run = try EmbeddingRun(
    model, path: path, images: images, prompts: prompts, format: format, target: target, options: options)
  return try run.run()
}
