import Checkpoints

/// What the nodes of exported encoders tell of a config, which names and shapes of tensors do not.
///
/// A fact is taken where all nodes that tell it agree. Where they do not, no config says what the graph computes.
struct GraphFacts {
  private(set) var facts: ConfigFacts = [:]
  /// What blocks of one encoder do differently.
  private(set) var statements: [ConfigLimits.Statement] = []
  /// Heads, and widths of a head, by the field that counts heads.
  private var heads: [ConfigField: Set<Int>] = [:]
  private var headWidths: [ConfigField: Set<Int>] = [:]

  /// The facts of no graph.
  init() {}

  init(_ constants: GraphConstants) throws(FileError) {
    let graph = constants.graph
    let names = Set(graph.initializers.map(\.name))
    let inputs = graph.inputs.filter { !names.contains($0.name) }
    let (pictures, ids) = (inputs.first(where: \.isPictures), inputs.first(where: \.isIDs))
    let fromPictures = pictures.map { graph.values(from: $0.name) } ?? []
    let fromIDs = ids.map { graph.values(from: $0.name) } ?? []
    if let pictures {
      let tower = GraphTowerFacts(constants, input: pictures, values: fromPictures.subtracting(fromIDs))
      try add(tower, .visionHeads, .visionActivation, .visionEpsilon, .image)
      if let side = pictures.size(2), side == pictures.size(3) { facts[.visionImageSize] = .integer(side) }
    }
    if let ids {
      let tower = GraphTowerFacts(constants, input: ids, values: fromIDs.subtracting(fromPictures))
      try add(tower, .textHeads, .textActivation, .textEpsilon, .text)
      if let (pooling, end) = try tower.pooling() {
        facts[.textPooling] = .text(pooling.rawValue)
        facts[.textEndID] = end.map { .integer($0) }
      }
    }
  }

  private mutating func add(
    _ tower: GraphTowerFacts, _ heads: ConfigField, _ activation: ConfigField, _ epsilon: ConfigField,
    _ selection: TowerSelection
  ) throws(FileError) {
    for found in try tower.heads() {
      switch found {
      case .count(let count): self.heads[heads, default: []].insert(count)
      case .width(let width): headWidths[heads, default: []].insert(width)
      }
    }
    take(Set(try tower.activations().map { ConfigValue.text($0.rawValue) }), activation, selection)
    take(Set(try tower.epsilons().map { ConfigValue.number($0) }), epsilon, selection)
  }

  private mutating func take(_ values: Set<ConfigValue>, _ field: ConfigField, _ tower: TowerSelection) {
    guard values.count > 1 else { return facts[field] = values.first }
    let list = values.map(\.description).sorted().joined(separator: " and ")
    statements.append(ConfigLimits.Statement(tower: tower, text: "\(field.rawValue) is \(list) in one graph"))
  }

  /// Adds the facts of another file.
  mutating func merge(_ other: GraphFacts) {
    facts.merge(other.facts) { first, _ in first }
    heads.merge(other.heads) { first, _ in first }
    headWidths.merge(other.headWidths) { first, _ in first }
    statements += other.statements
  }

  /// Adds how many heads there are, now that the shapes have told how wide `width` says an encoder's attention is.
  func resolved(_ width: (ConfigField) -> Int?) -> GraphFacts {
    var result = self
    for (field, tower) in [(ConfigField.visionHeads, TowerSelection.image), (.textHeads, .text)] {
      var counts = heads[field] ?? []
      for part in headWidths[field] ?? [] {
        if let total = width(field), total % part == 0 { counts.insert(total / part) }
      }
      result.take(Set(counts.map { ConfigValue.integer($0) }), field, tower)
    }
    return result
  }
}
