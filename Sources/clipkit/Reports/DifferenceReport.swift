import CLIPModels
import Checkpoints

/// The differences of two models as text and as JSON.
struct DifferenceReport {
  private let difference: ModelDifference
  private let a: String
  private let b: String
  private let tolerance: Double

  init(_ difference: ModelDifference, a: String, b: String, tolerance: Double) {
    self.difference = difference
    self.a = a
    self.b = b
    self.tolerance = tolerance
  }

  private var equalCount: Int { difference.entries.count { $0.comparison?.isEqual == true } }

  func text(listsEqual: Bool) -> String {
    var text = ""
    let rows = difference.entries.filter { listsEqual || $0.comparison?.isEqual != true }.map(row)
    if !rows.isEmpty { text += table(rows) }
    for name in difference.onlyInA { text += "\(escaped(name))  only in \(escaped(a, limit: 4096))\n" }
    for name in difference.onlyInB { text += "\(escaped(name))  only in \(escaped(b, limit: 4096))\n" }
    text += "\(counted(difference.entries.count, "tensor")) in both, \(grouped(equalCount)) equal"
    let worst = difference.entries.compactMap { entry in entry.comparison.map { (entry.name, $0) } }
      .filter { !$0.1.isEqual }.max { $0.1.maxAbsolute < $1.1.maxAbsolute }
    if let (name, comparison) = worst {
      text += ", largest difference \(scientific(comparison.maxAbsolute)) in \(escaped(name))"
    }
    let isWithin = difference.isWithin(tolerance)
    text +=
      isWithin
      ? (tolerance > 0 ? ": within \(scientific(tolerance))\n" : ": the models are equal\n") : ": the models differ\n"
    return text
  }

  private func row(_ entry: ModelDifference.Entry) -> [String] {
    let types = entry.dtypes.a == entry.dtypes.b ? "\(entry.dtypes.a)" : "\(entry.dtypes.a) | \(entry.dtypes.b)"
    var row = [escaped(entry.name), types]
    if let comparison = entry.comparison {
      row +=
        comparison.isEqual
        ? ["equal"]
        : [
          "max-abs \(scientific(comparison.maxAbsolute))", "relative \(scientific(comparison.relative))",
          "cosine \(decimal(comparison.cosine, 8))",
        ]
      if comparison.nanMismatches > 0 { row.append("\(comparison.nanMismatches) NaN in one only") }
    } else {
      row.append("shape \(entry.shape) | \(entry.otherShape ?? [])")
    }
    return row
  }

  var json: JSONValue {
    [
      "schema": 1, "a": .string(a), "b": .string(b), "tolerance": JSONValue(tolerance),
      "within_tolerance": .bool(difference.isWithin(tolerance)), "equal": JSONValue(equalCount),
      "only_in_a": .array(difference.onlyInA.map(JSONValue.string)),
      "only_in_b": .array(difference.onlyInB.map(JSONValue.string)),
      "tensors": .array(difference.entries.map(json)),
    ]
  }

  private func json(_ entry: ModelDifference.Entry) -> JSONValue {
    var object: JSONObject = [
      "name": .string(entry.name), "shape": JSONValue(entry.shape), "dtype_a": .string(entry.dtypes.a.rawValue),
      "dtype_b": .string(entry.dtypes.b.rawValue),
    ]
    if let other = entry.otherShape { object["other_shape"] = JSONValue(other) }
    if let comparison = entry.comparison {
      object["equal"] = .bool(comparison.isEqual)
      object["max_absolute"] = JSONValue(comparison.maxAbsolute)
      object["relative"] = JSONValue(comparison.relative)
      object["cosine"] = JSONValue(comparison.cosine)
      object["nan_mismatches"] = JSONValue(comparison.nanMismatches)
    }
    return .object(object)
  }
}
