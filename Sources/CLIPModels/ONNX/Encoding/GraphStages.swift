import Checkpoints

/// Which values of a graph are the stages of an encoder.
///
/// Our own exports name them. Those of torch say of each node to which module it belongs, in its name or its metadata:
/// a block's output is what the last node in it makes, and the stem is what the first block takes.
struct GraphStages {
  /// Values by stage.
  private(set) var values: [String: String] = [:]

  init(_ graph: ONNXGraph, tower: String) {
    let all = Set(graph.nodes.flatMap(\.outputs))
    for name in all where name.hasPrefix("\(tower).") && Stage(name)?.group == .hidden { values[name] = name }
    if values.isEmpty { findBlocks(graph, tower) }
  }

  private mutating func findBlocks(_ graph: ONNXGraph, _ tower: String) {
    var blocks: [String] = []
    var outputs: [String: String] = [:]
    var stem: String?
    let constants = Set(
      graph.initializers.map(\.name) + graph.nodes.filter { $0.kind == "Constant" }.flatMap(\.outputs))
    var inside: Set<String> = []
    for node in graph.nodes {
      guard let block = node.module.flatMap(Self.block), let output = node.outputs.first else { continue }
      if outputs[block] == nil { blocks.append(block) }
      if block == blocks.first {
        if stem == nil {
          stem = node.inputs.first { !$0.isEmpty && !constants.contains($0) && !inside.contains($0) }
        }
        inside.formUnion(node.outputs)
      }
      outputs[block] = output
    }
    guard let stem else { return }
    values["\(tower).stem"] = stem
    for (index, block) in blocks.enumerated() { values["\(tower).blocks.\(index)"] = outputs[block] }
  }

  /// The part of a module's path up to a block's number; nil outside blocks.
  private static func block(_ module: String) -> String? {
    let parts = module.split(separator: ".", omittingEmptySubsequences: false)
    for index in parts.indices.dropLast() where containers.contains(parts[index]) && Int(parts[index + 1]) != nil {
      return parts[...(index + 1)].joined(separator: ".")
    }
    return nil
  }

  private static let containers: Set<Substring> = [
    "layers", "resblocks", "blocks", "layer1", "layer2", "layer3", "layer4",
  ]
}
