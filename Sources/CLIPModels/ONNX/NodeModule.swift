import Checkpoints

extension ONNXNode {
  /// The path of the module that the node belongs to, as torch's exporters keep it: in the node's name, or in its metadata;
  /// nil when neither has one.
  var module: String? {
    if let scopes = metadata.first(where: { $0.key == "pkg.torch.onnx.name_scopes" })?.value {
      // The text of a Python list: modules from the outermost on, and the node itself.
      let parts = scopes.split(separator: "'", omittingEmptySubsequences: false)
      let names = parts.indices.filter { $0 % 2 == 1 }.map { String(parts[$0]) }
      return names.dropLast().last
    }
    guard name.hasPrefix("/") else { return nil }
    let parts = name.split(separator: "/").dropLast()
    // A list of modules stands before its member, whose name begins with the list's.
    let kept = parts.indices.filter { index in
      !(index + 1 < parts.endIndex && parts[index + 1].hasPrefix("\(parts[index])."))
    }
    return kept.map { String(parts[$0]) }.joined(separator: ".")
  }
}
