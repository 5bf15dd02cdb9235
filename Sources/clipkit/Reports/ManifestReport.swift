import CLIPModels
import Checkpoints

/// A manifest as text, which is its own format, and as JSON.
struct ManifestReport {
  private let manifest: Manifest
  private let path: String

  init(_ manifest: Manifest, path: String) {
    self.manifest = manifest
    self.path = path
  }

  var text: String { manifest.entries.map { $0.line + "\n" }.joined() + "\(manifest.modelHash)  model\n" }

  var json: JSONValue {
    let tensors = manifest.entries.map { entry -> JSONValue in
      [
        "name": .string(entry.name), "dtype": .string(entry.dtype), "shape": JSONValue(entry.shape),
        "sha256": .string(entry.hash),
      ]
    }
    return [
      "schema": 1, "path": .string(path), "model_sha256": .string(manifest.modelHash), "tensors": .array(tensors),
    ]
  }

  func checkText(_ differences: [String]) -> String {
    let summary =
      differences.isEmpty
      ? "\(counted(manifest.entries.count, "tensor")) match the manifest\n"
      : "\(counted(differences.count, "difference")) from the manifest\n"
    return differences.map { $0 + "\n" }.joined() + summary
  }

  func checkJSON(_ differences: [String]) -> JSONValue {
    [
      "schema": 1, "path": .string(path), "matches": .bool(differences.isEmpty),
      "differences": .array(differences.map(JSONValue.string)),
    ]
  }
}
