import CLIPModels
import Checkpoints

extension ConversionReport {
  /// The report for people: what was written, and what changed on the way.
  func text(listsTensors: Bool) -> String {
    let from = [sourceFormat, sourceDialect].compactMap { $0 }.joined(separator: ", ")
    let to = [format, dialect].compactMap { $0 }.joined(separator: ", ")
    var text = "\(escaped(input, limit: 4096)) (\(from)) → \(escaped(output, limit: 4096)) (\(to))\n"
    text += isDryRun ? "would write" : "wrote"
    text += " \(counted(tensors.count, "tensor")), \(byteText(bytes))\n"
    var facts: [String] = []
    if renamed > 0 { facts.append("\(grouped(renamed)) renamed") }
    if fromMetadata > 0 { facts.append("\(grouped(fromMetadata)) from metadata") }
    let casts = tensors.filter { $0.from != $0.to }
    for pair in Set(casts.map { "\($0.from) → \($0.to)" }).sorted() {
      facts.append("\(grouped(casts.count { "\($0.from) → \($0.to)" == pair })) cast \(pair)")
    }
    text += facts.isEmpty ? "" : "  \(facts.joined(separator: ", "))\n"
    if let worst = worstRounding, let cast = worst.cast {
      text += "  worst rounding: \(scientific(cast.maxAbsoluteError)) in \(escaped(worst.name))\n"
    }
    let zeros = casts.reduce(0) { $0 + ($1.cast?.underflows ?? 0) }
    if zeros > 0 { text += "  too small for the type: \(counted(zeros, "value")) became zero\n" }
    for (what, names) in [
      ("dropped", dropped), ("as metadata", asMetadata), ("folded into convolutions", folded),
      ("kept unrenamed", extras), (isDryRun ? "would remove" : "removed", removed),
    ] {
      text += Self.list(what, names, whole: listsTensors)
    }
    if listsTensors { text += table(tensors.map(Self.row), indent: "  ") }
    return text
  }

  private static func list(_ what: String, _ names: [String], whole: Bool) -> String {
    guard !names.isEmpty else { return "" }
    let shown = (whole ? names[...] : names.prefix(3)).map { escaped($0) }.joined(separator: ", ")
    let rest = whole || names.count <= 3 ? "" : " and \(grouped(names.count - 3)) more (--tensors lists them)"
    return "  \(what): \(shown)\(rest)\n"
  }

  private static func row(_ tensor: ConversionReport.Tensor) -> [String] {
    let type = tensor.from == tensor.to ? "\(tensor.to)" : "\(tensor.from) → \(tensor.to)"
    let sources =
      tensor.sources == [tensor.name] ? "" : "from " + tensor.sources.map { escaped($0) }.joined(separator: " + ")
    return [escaped(tensor.name), type, "\(tensor.shape)", sources]
  }

  /// The report for programs.
  var json: JSONValue {
    [
      "schema": 1, "input": .string(input), "output": .string(output), "source_format": .string(sourceFormat),
      "source_dialect": JSONValue(sourceDialect), "format": .string(format), "dialect": JSONValue(dialect),
      "bytes": JSONValue(bytes), "dry_run": .bool(isDryRun), "tensors": .array(tensors.map(Self.json)),
      "dropped": .array(dropped.map(JSONValue.string)), "as_metadata": .array(asMetadata.map(JSONValue.string)),
      "folded": .array(folded.map(JSONValue.string)), "extras": .array(extras.map(JSONValue.string)),
      "removed": .array(removed.map(JSONValue.string)),
      "warnings": .array(warnings.map(JSONValue.string)),
    ]
  }

  private static func json(_ tensor: ConversionReport.Tensor) -> JSONValue {
    var object: JSONObject = [
      "name": .string(tensor.name), "sources": .array(tensor.sources.map(JSONValue.string)),
      "shape": JSONValue(tensor.shape), "from": .string(tensor.from.rawValue), "to": .string(tensor.to.rawValue),
    ]
    if let cast = tensor.cast, tensor.from != tensor.to {
      object["cast"] = [
        "max_absolute_error": JSONValue(cast.maxAbsoluteError), "max_relative_error": JSONValue(cast.maxRelativeError),
        "overflows": JSONValue(cast.overflows), "underflows": JSONValue(cast.underflows),
      ]
    }
    return .object(object)
  }
}
