/// The dicts, lists and modules of a pickle, in which tensors have names.
struct PyTorchTree {
  let pickle: Pickle
  /// Whether a node has been found to hold tensors.
  private var holders: [Int: Bool] = [:]
  private var tensorCount = 0
  private var leafCount = 0
  private var nameBytes = 0
  private let visits: PickleVisits

  init(_ pickle: Pickle, visits: PickleVisits) {
    self.pickle = pickle
    self.visits = visits
  }

  /// A value with the name it has in its parent, nil when its key is neither text nor integer.
  typealias Child = (name: String?, value: Pickle.Value)

  /// What is below a value, nil when nothing can be.
  func children(of value: Pickle.Value) throws(FileError) -> [Child]? {
    guard let node = pickle.node(value) else { return nil }
    switch node.kind {
    case .dict:
      try visits.spend(node.items.count, at: node.offset)
      return pickle.members(value)?.map { (name($0.key), $0.value) }
    case .list, .tuple:
      try visits.spend(node.items.count, at: node.offset)
      return node.items.enumerated().map { ("\($0.offset)", $0.element) }
    case .object: return try objectChildren(value)
    default: return nil
    }
  }

  /// The value of a text key of a dict.
  func member(_ value: Pickle.Value, _ key: String) throws(FileError) -> Pickle.Value? {
    if let node = pickle.node(value, as: .dict) { try visits.spend(node.items.count, at: node.offset) }
    return pickle.member(value, key)
  }

  private func name(_ key: Pickle.Value) -> String? { pickle.text(key) ?? pickle.integer(key).map(String.init) }

  private func objectChildren(_ value: Pickle.Value) throws(FileError) -> [Child]? {
    var value = value
    // Typed containers of TorchScript hold the container and its type, and may hold one another. A pickle can nest
    // them as deep as it is long; nobody does.
    for _ in 0..<Limits.nesting {
      guard let call = pickle.call(value), call.path.hasPrefix("torch.jit._pickle.") else { break }
      guard let inner = call.arguments.first else { return nil }
      value = inner
    }
    if let call = pickle.call(value), call.path.hasPrefix("torch.jit._pickle.") { return nil }
    if pickle.node(value)?.kind != .object { return try children(of: value) }
    guard try isModule(value), let state = pickle.state(value) else { return nil }
    if isScripted(value) { return try children(of: state) }
    let transient = try texts(member(state, "_non_persistent_buffers_set"))
    let buffers = try children(of: member(state, "_buffers") ?? .none) ?? []
    return try (children(of: member(state, "_parameters") ?? .none) ?? [])
      + buffers.filter { !transient.contains($0.name ?? "") }
      + (children(of: member(state, "_modules") ?? .none) ?? [])
  }

  /// Whether a value is an instance of `torch.nn.Module`, or of a class of a TorchScript archive.
  func isModule(_ value: Pickle.Value) throws(FileError) -> Bool {
    guard let state = pickle.state(value), pickle.node(state, as: .dict) != nil else { return false }
    if isScripted(value) { return true }
    guard try member(state, "_modules") != nil else { return false }
    return try member(state, "_parameters") != nil
  }

  func isScripted(_ value: Pickle.Value) -> Bool { pickle.call(value)?.path.hasPrefix("__torch__.") ?? false }

  /// The texts of a set, which protocol 2 makes of a list.
  private func texts(_ set: Pickle.Value?) throws(FileError) -> Set<String> {
    guard let set, let node = pickle.node(set) else { return [] }
    let items = node.kind == .set ? node.items : pickle.call(set)?.arguments.first.flatMap { pickle.elements($0) }
    try visits.spend(items?.count ?? 0, at: node.offset)
    return Set((items ?? []).compactMap { pickle.text($0) })
  }

  func isTensor(_ value: Pickle.Value) -> Bool { PyTorchTensors.isTensor(value, of: pickle) }

  /// Whether a tensor is this value or is below it. Every node is looked at once, however often it is shared.
  mutating func holdsTensors(_ value: Pickle.Value, depth: Int = 0) throws(FileError) -> Bool {
    guard case .node(let index) = value else { return false }
    if let known = holders[index] { return known }
    if isTensor(value) { return true }
    guard let children = try children(of: value) else { return false }
    guard depth < Limits.nesting else { throw Self.tooDeep(pickle, index) }
    holders[index] = false
    var holds = false
    for child in children where try holdsTensors(child.value, depth: depth + 1) { holds = true }
    holders[index] = holds
    return holds
  }

  /// Calls `visit` with every tensor and every other value that is no branch below a value, in order, with its name:
  /// the keys that lead to it, joined by dots.
  mutating func forEachLeaf(
    of value: Pickle.Value, prefix: String = "", depth: Int = 0,
    _ visit: (String, Pickle.Value) throws(FileError) -> Void
  ) throws(FileError) {
    guard let children = try children(of: value), case .node(let index) = value else { return }
    guard depth < Limits.nesting else { throw Self.tooDeep(pickle, index) }
    for child in children {
      let isTensor = isTensor(child.value)
      let isBranch = isTensor ? false : try holdsTensors(child.value)
      guard let key = child.name else {
        guard isTensor || isBranch else { continue }
        throw FileError(
          .malformed, "key of a tensor in '\(escaped(prefix))' is neither text nor integer",
          offset: pickle.nodes[index].offset)
      }
      let name = prefix + key
      try count(name, isTensor: isTensor, at: pickle.nodes[index].offset)
      if isBranch {
        try forEachLeaf(of: child.value, prefix: "\(name).", depth: depth + 1, visit)
      } else {
        try visit(name, child.value)
      }
    }
  }

  /// A shared module has a name for each way to it, but sharing can also unfold without end. What a pickle writes out
  /// takes at least 3 bytes for a value and far more than 16 for a tensor.
  private mutating func count(_ name: String, isTensor: Bool, at offset: Int) throws(FileError) {
    tensorCount += isTensor ? 1 : 0
    leafCount += 1
    nameBytes += name.utf8.count
    guard tensorCount <= pickle.byteCount / 16 + 64, leafCount <= pickle.byteCount / 3 + 64,
      nameBytes <= Limits.inflatedHeader + Limits.headerRatio * pickle.bytesInFile
    else {
      throw FileError(
        .malformed, "shared values unfold to more names than a pickle of \(pickle.byteCount) bytes may have",
        offset: offset)
    }
  }

  private static func tooDeep(_ pickle: Pickle, _ index: Int) -> FileError {
    FileError(
      .malformed, "containers are nested deeper than \(Limits.nesting)", offset: pickle.nodes[index].offset)
  }
}

/// Counts the values of a pickle that are looked at, since it can share a large one among many small ones, and so be
/// far longer to walk through than to read.
final class PickleVisits {
  private let allowed: Int
  private var spent = 0

  init(_ pickle: Pickle) { allowed = Limits.visitsBase + Limits.visitsRatio * pickle.bytesInFile }

  /// Accounts for looking at `count` values, those of the container that begins at `offset`.
  func spend(_ count: Int, at offset: Int) throws(FileError) {
    spent += count
    guard spent <= allowed else {
      throw FileError(
        .malformed,
        "shared values unfold to more than \(allowed) to look at, allowed \(Limits.visitsBase) and "
          + "\(Limits.visitsRatio) for each byte of the pickle", offset: offset)
    }
  }
}
