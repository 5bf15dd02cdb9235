import Checkpoints

/// What the nodes of exported encoders tell of a config, which names and shapes of tensors do not.
///
/// A fact is taken where all nodes that tell it agree, in all files of a model. Where they do not, no config says what
/// the graph computes.
struct GraphFacts {
  /// What a node tells of a fact.
  enum Told: Hashable {
    case value(ConfigValue)
    /// What no config says.
    case other(String)

    fileprivate var text: String {
      switch self {
      case .value(let value): value.description
      case .other(let text): text
      }
    }
  }

  /// A fact that no config can hold, and what is said of it.
  struct Contradiction {
    let field: ConfigField
    let statement: ConfigLimits.Statement
  }

  private var told: [ConfigField: Set<Told>] = [:]
  /// Widths of a head, by the field that counts heads.
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
      try add(tower, .visionHeads, .visionActivation, .visionEpsilon)
      if let side = pictures.size(2), side == pictures.size(3) { add(.visionImageSize, [.value(.integer(side))]) }
    }
    if let ids {
      let tower = GraphTowerFacts(constants, input: ids, values: fromIDs.subtracting(fromPictures))
      try add(tower, .textHeads, .textActivation, .textEpsilon)
      if let (pooling, end) = try tower.pooling() {
        add(.textPooling, [.value(.text(pooling.rawValue))])
        if let end { add(.textEndID, [.value(.integer(end))]) }
      }
    }
  }

  private mutating func add(
    _ tower: GraphTowerFacts, _ heads: ConfigField, _ activation: ConfigField, _ epsilon: ConfigField
  ) throws(FileError) {
    for found in try tower.heads() {
      switch found {
      case .count(let count): add(heads, [.value(.integer(count))])
      case .width(let width): headWidths[heads, default: []].insert(width)
      }
    }
    add(activation, try tower.activations())
    add(epsilon, try tower.epsilons())
  }

  private mutating func add(_ field: ConfigField, _ values: [Told]) { told[field, default: []].formUnion(values) }

  /// Adds what another file of the same model tells.
  mutating func merge(_ other: GraphFacts) {
    told.merge(other.told) { $0.union($1) }
    headWidths.merge(other.headWidths) { $0.union($1) }
  }

  /// The facts, now that the shapes have told how wide `width` says an encoder's attention is, and what is none.
  func resolved(_ width: (ConfigField) -> Int?) -> (facts: ConfigFacts, contradictions: [Contradiction]) {
    var told = told
    for (field, parts) in headWidths {
      guard let total = width(field) else { continue }
      for part in parts where total % part == 0 { told[field, default: []].insert(.value(.integer(total / part))) }
    }
    var facts: ConfigFacts = [:]
    var contradictions: [Contradiction] = []
    for field in ConfigField.allCases {
      guard let values = told[field], let first = values.first else { continue }
      if values.count == 1, case .value(let value) = first {
        facts[field] = value
      } else {
        contradictions.append(Contradiction(field: field, statement: Self.statement(field, values)))
      }
    }
    return (facts, contradictions)
  }

  private static func statement(_ field: ConfigField, _ values: Set<Told>) -> ConfigLimits.Statement {
    // A graph may be made to tell thousands.
    var list = values.map(\.text).sorted().prefix(4).joined(separator: " and ")
    if values.count > 4 { list += " and \(values.count - 4) more" }
    return ConfigLimits.Statement(
      tower: field.isAboutText ? .text : .image, text: "\(field.rawValue) is \(list) in the graph", isOfGraph: true)
  }
}
