/// Finds which part of a pickle is the model: training checkpoints wrap it, and store much beside it.
struct PyTorchModel {
  /// The dict or module that holds the model's tensors.
  private(set) var value: Pickle.Value
  /// The keys that lead to it.
  private(set) var path: [String] = []
  /// The members beside it that hold tensors or are tensors, and are left out.
  private(set) var leftOut: [String] = []
  /// The dicts around it, whose plain values are metadata.
  private(set) var wrappers: [Pickle.Value] = []

  /// Follows `key`, a member's name or a dotted path of names, then the names that are usual; "." is the whole.
  /// - Throws: `usage` when there are several candidates, or none of the name `key`.
  init(_ tree: inout PyTorchTree, key: String?) throws(FileError) {
    value = tree.pickle.root
    if key == "." { return }
    if let key { try select(key, in: &tree) }
    while path.count < Limits.nesting, let next = try candidate(in: &tree) { try descend(to: next, tree) }
  }

  /// Keys under which training code stores a model.
  private static let wrapperKeys: Set<String> = [
    "state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params",
    "ema", "ema_model", "ema_state_dict", "model_ema", "state_dict_ema", "model_ema_state_dict", "params_ema",
    "teacher", "student",
  ]

  /// What stands beside a model and is none.
  private static let otherKeys = [
    "optim", "sched", "scaler", "rng", "random", "callbacks", "loops", "hyper_parameters", "hparams", "args",
    "config", "cfg",
  ]

  private typealias Member = (name: String, value: Pickle.Value)

  /// The members of a dict, list or tuple that hold tensors, without those of an optimizer and its like.
  private func branches(of value: Pickle.Value, in tree: inout PyTorchTree) throws(FileError) -> [Member] {
    var branches: [Member] = []
    for child in try tree.children(of: value) ?? [] {
      guard let name = child.name, !tree.isTensor(child.value), try tree.holdsTensors(child.value) else { continue }
      let isOther = name == "amp" || Self.otherKeys.contains { name.lowercased().contains($0) }
      if !isOther, try tree.member(child.value, "param_groups") == nil { branches.append((name, child.value)) }
    }
    return branches
  }

  /// The member that holds the model, nil when the value itself is the model.
  private func candidate(in tree: inout PyTorchTree) throws(FileError) -> Member? {
    guard try !tree.isModule(value), tree.pickle.node(value) != nil else { return nil }
    let branches = try branches(of: value, in: &tree)
    let isList = tree.pickle.elements(value) != nil
    guard isList || branches.contains(where: { Self.wrapperKeys.contains($0.name) }) else {
      // A dict of dicts is a model written as a tree, unless all there is is one flat dict under some name.
      let children = try tree.children(of: value) ?? []
      guard path.isEmpty, branches.count == 1, let only = branches.first,
        !children.contains(where: { tree.isTensor($0.value) })
      else { return nil }
      if try tree.isModule(only.value) { return only }
      return try (tree.children(of: only.value) ?? []).contains { tree.isTensor($0.value) } ? only : nil
    }
    guard branches.count < 2 else {
      throw FileError(
        .usage, "several members hold tensors: \(Self.list(branches.map(\.name)))",
        hint: "Choose one with --key NAME, or all of them with --key .")
    }
    return branches.first
  }

  private mutating func descend(to member: Member, _ tree: PyTorchTree) throws(FileError) {
    let beside = try (tree.children(of: value) ?? []).filter { $0.value != member.value }
    var copy = tree
    leftOut += beside.filter { (try? copy.holdsTensors($0.value)) ?? true }.compactMap(\.name)
    wrappers.append(value)
    path.append(member.name)
    value = member.value
  }

  /// Goes to the member of this name, or along the dotted path.
  private mutating func select(_ key: String, in tree: inout PyTorchTree) throws(FileError) {
    var rest = Substring(key)
    repeat {
      let members = try (tree.children(of: value) ?? []).filter { $0.name != nil }
      let found =
        members.first { $0.name == String(rest) }
        ?? members.first { rest.hasPrefix(($0.name ?? "") + ".") && $0.name != "" }
      guard let found, let name = found.name, try tree.holdsTensors(found.value), !tree.isTensor(found.value) else {
        let names = try branches(of: value, in: &tree).map(\.name)
        throw FileError(
          .usage, "no member '\(escaped(key))' holds tensors",
          hint: names.isEmpty ? "Leave out --key" : "Members that do: \(Self.list(names))")
      }
      try descend(to: (name, found.value), tree)
      rest = rest.dropFirst(name.count).drop { $0 == "." }
    } while !rest.isEmpty
  }

  static func list(_ names: [String]) -> String {
    let shown = names.prefix(10).map { "'\(escaped($0))'" }.joined(separator: ", ")
    return names.count > 10 ? "\(shown) and \(names.count - 10) more" : shown
  }
}
