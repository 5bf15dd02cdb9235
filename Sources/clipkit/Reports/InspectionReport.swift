import CLIPModels
import Checkpoints

/// An inspection as text and as JSON.
struct InspectionReport {
  private let inspection: Inspection
  private let path: String
  private let listsTensors: Bool

  init(_ inspection: Inspection, path: String, listsTensors: Bool) {
    self.inspection = inspection
    self.path = path
    self.listsTensors = listsTensors
  }

  private var checkpoint: Checkpoint { inspection.checkpoint }

  private var formatName: String {
    checkpoint.formatDetail.isEmpty ? checkpoint.format : "\(checkpoint.format) (\(checkpoint.formatDetail))"
  }

  /// What a checkpoint is that is no model.
  private var contents: String {
    let metadata = checkpoint.metadata
    if Golden.isGolden(checkpoint) {
      let model = metadata["clipkit.model"]?.string ?? ""
      let producer = metadata["clipkit.producer"]?.string ?? ""
      return "a golden file of \(escaped(model)), by \(escaped(producer))"
    }
    return metadata["clipkit.embeddings"] != nil ? "embeddings" : "not a CLIP that clipkit knows"
  }

  var text: String {
    var text = "\(escaped(path, limit: 4096)): \(formatName), \(byteText(inspection.fileBytes))\n"
    if let model = inspection.model {
      let encoder = !model.config.hasVision ? "" : model.config.isResNet ? " with a ModifiedResNet" : " with a ViT"
      text += "\(model.config.family.title)\(encoder), dialect \(model.dialect.name), "
    } else {
      text += "\(contents), "
    }
    text += "\(counted(inspection.entries.count, "tensor")), \(counted(inspection.parameters, "parameter"))\n"
    text += groups("types", inspection.types) + groups("towers", inspection.towers) + graphs + cost + config
    if listsTensors { text += tensors }
    let notes = checkpoint.notes + (inspection.model?.notes ?? [])
    if !notes.isEmpty { text += "\nnotes\n" + notes.map { "  \(escaped($0, limit: 500))\n" }.joined() }
    if !inspection.warnings.isEmpty {
      text += "\nwarnings\n" + inspection.warnings.map { "  \($0.code): \(escaped($0.message, limit: 500))\n" }.joined()
    }
    return text
  }

  private func groups(_ title: String, _ groups: [Inspection.Group]) -> String {
    guard !groups.isEmpty else { return "" }
    let rows = groups.map {
      [$0.name, "\(counted($0.tensors, "tensor"))", "\(counted($0.elements, "number"))", byteText($0.bytes)]
    }
    return "\n\(title)\n" + table(rows, indent: "  ")
  }

  private var graphs: String {
    inspection.graphs.map { graph in
      func values(_ title: String, _ values: [GraphSummary.Value]) -> [[String]] {
        values.map { value in
          [
            title, escaped(value.name),
            "\(value.dtype.map { "\($0)" } ?? "?") [\(escaped(value.shape.joined(separator: ", ")))]",
          ]
        }
      }
      let name = inspection.graphs.count > 1 ? " of \(escaped(graph.path, limit: 4096))" : ""
      var text =
        "\ngraph\(name), opset \(graph.opset)" + (graph.producer.isEmpty ? "\n" : ", by \(escaped(graph.producer))\n")
      text += table(values("input", graph.inputs) + values("output", graph.outputs), indent: "  ")
      text += "  operators: " + graph.operators.map { "\(escaped($0.name)) \($0.count)" }.joined(separator: ", ") + "\n"
      if !graph.notEvaluated.isEmpty {
        text += "  not evaluated here: \(escaped(graph.notEvaluated.joined(separator: ", "), limit: 1000))\n"
      }
      return text
    }.joined()
  }

  private var cost: String {
    guard let cost = inspection.cost else { return "" }
    var rows: [[String]] = []
    if let image = cost.image { rows.append(["a picture", "\(operationText(image))"]) }
    if let text = cost.text {
      let tokens = inspection.model?.config.integer(.textContextLength) ?? 0
      rows.append(["a text", "\(operationText(text)) for \(counted(tokens, "token")), less for fewer"])
    }
    return rows.isEmpty ? "" : "\nencoding\n" + table(rows, indent: "  ")
  }

  private var config: String {
    guard let config = inspection.model?.config else { return "" }
    let rows = ConfigField.allCases.compactMap { field in
      config[field].map { [field.rawValue, "\($0)", config.origins[field].map { "\($0)" } ?? ""] }
    }
    return rows.isEmpty ? "" : "\nconfig\n" + table(rows, indent: "  ")
  }

  private var tensors: String {
    let rows = inspection.entries.map { entry in
      var row = [escaped(entry.name), entry.tensor.dtype.rawValue, "\(entry.tensor.shape)"]
      if let statistics = entry.statistics {
        row += [
          "min \(scientific(statistics.min))", "max \(scientific(statistics.max))",
          "mean \(scientific(statistics.mean))", "std \(scientific(statistics.standardDeviation))",
        ]
      }
      return row
    }
    return "\ntensors\n" + table(rows, indent: "  ")
  }

  var json: JSONValue {
    var object: JSONObject = [
      "schema": 1, "path": .string(path), "format": .string(checkpoint.format),
      "format_detail": .string(checkpoint.formatDetail), "bytes": JSONValue(inspection.fileBytes),
      "tensor_count": JSONValue(inspection.entries.count), "parameters": JSONValue(inspection.parameters),
      "types": .array(inspection.types.map(json)),
    ]
    if let model = inspection.model {
      object["family"] = .string(model.config.family.rawValue)
      object["dialect"] = .string(model.dialect.name)
      object["towers"] = .array(inspection.towers.map(json))
      object["config"] = .object(config(model.config))
      object["flops"] = [
        "image": inspection.cost?.image.map { JSONValue($0) } ?? .null,
        "text": inspection.cost?.text.map { JSONValue($0) } ?? .null,
      ]
    }
    if !inspection.graphs.isEmpty { object["graphs"] = .array(inspection.graphs.map(json)) }
    if listsTensors { object["tensors"] = .array(inspection.entries.map(json)) }
    object["notes"] = .array((checkpoint.notes + (inspection.model?.notes ?? [])).map(JSONValue.string))
    object["warnings"] = .array(
      inspection.warnings.map { ["code": .string($0.code), "message": .string($0.message)] })
    return .object(object)
  }

  private func json(_ graph: GraphSummary) -> JSONValue {
    func values(_ values: [GraphSummary.Value]) -> JSONValue {
      .array(
        values.map { value in
          [
            "name": .string(value.name), "dtype": JSONValue(value.dtype?.rawValue),
            "shape": .array(value.shape.map(JSONValue.string)),
          ]
        })
    }
    var operators = JSONObject()
    for (name, count) in graph.operators { operators[name] = JSONValue(count) }
    return [
      "file": .string(graph.path), "opset": JSONValue(graph.opset), "producer": .string(graph.producer),
      "inputs": values(graph.inputs), "outputs": values(graph.outputs), "operators": .object(operators),
      "not_evaluated": .array(graph.notEvaluated.map(JSONValue.string)),
    ]
  }

  private func json(_ group: Inspection.Group) -> JSONValue {
    [
      "name": .string(group.name), "tensors": JSONValue(group.tensors), "elements": JSONValue(group.elements),
      "bytes": JSONValue(group.bytes),
    ]
  }

  private func json(_ entry: Inspection.Entry) -> JSONValue {
    var object: JSONObject = [
      "name": .string(entry.name), "canonical_name": JSONValue(entry.canonicalName),
      "dtype": .string(entry.tensor.dtype.rawValue), "shape": JSONValue(entry.tensor.shape),
      "bytes": JSONValue(entry.tensor.bytes.count),
    ]
    if let statistics = entry.statistics {
      object["statistics"] = [
        "min": JSONValue(statistics.min), "max": JSONValue(statistics.max), "mean": JSONValue(statistics.mean),
        "std": JSONValue(statistics.standardDeviation), "zeros": JSONValue(statistics.zeros),
        "nan": JSONValue(statistics.nanCount),
        "infinite": JSONValue(statistics.positiveInfinities + statistics.negativeInfinities),
      ]
    }
    return .object(object)
  }

  private func config(_ config: ModelConfig) -> JSONObject {
    var object = JSONObject()
    for field in ConfigField.allCases {
      guard let value = config[field] else { continue }
      object[field.rawValue] = ["value": value.json, "origin": JSONValue(config.origins[field].map { "\($0)" })]
    }
    return object
  }
}
