import CLIPModels
import Checkpoints

extension EmbeddingReport {
  /// The report for people: what was embedded, and what was not.
  var text: String {
    var text = ""
    if let output { text += "\(escaped(model, limit: 4096)) → \(escaped(output, limit: 4096)) (\(format))\n" }
    let tallies = [images.map { tally($0, "image") }, prompts.map { tally($0, "prompt") }].compactMap(\.self)
    text += "embedded \(tallies.joined(separator: " and ")), \(dimension) numbers each"
    text += output == nil ? "\n" : ", \(byteText(bytes))\n"
    if shard != .whole { text += "  shard \(shard)\n" }
    if !failures.isEmpty { text += "  failed: \(grouped(failures.count))\n" }
    if skipped > 0 { text += "  not images, passed over: \(counted(skipped, "file"))\n" }
    return text
  }

  private func tally(_ tally: Tally, _ noun: String) -> String {
    tally.embedded == tally.inputs
      ? counted(tally.inputs, noun) : "\(grouped(tally.embedded)) of \(counted(tally.inputs, noun))"
  }

  /// The report for programs.
  var json: JSONValue {
    [
      "schema": 1, "model": .string(model), "dialect": .string(dialect), "output": JSONValue(output),
      "format": .string(format), "bytes": JSONValue(bytes), "dimension": JSONValue(dimension),
      "normalized": .bool(isNormalized), "shard": .string("\(shard)"), "images": Self.json(images),
      "prompts": Self.json(prompts), "skipped": JSONValue(skipped), "truncated": JSONValue(truncated),
      "errors": .array(failures.map(\.json)), "warnings": .array(warnings.map(JSONValue.string)),
    ]
  }

  private static func json(_ tally: Tally?) -> JSONValue {
    tally.map { ["inputs": JSONValue($0.inputs), "embedded": JSONValue($0.embedded)] } ?? .null
  }
}
