/// Makes a checkpoint of the pickle of any kind of PyTorch file.
struct PyTorchReader {
  let pickle: Pickle
  let options: ReadOptions
  private var tree: PyTorchTree
  private var tensors: PyTorchTensors
  private var checkpoint: Checkpoint
  private var metadataBytes = 0

  init(_ pickle: Pickle, storages: any PyTorchStorages, detail: String, options: ReadOptions) {
    self.pickle = pickle
    self.options = options
    let visits = PickleVisits(pickle)
    tree = PyTorchTree(pickle, visits: visits)
    tensors = PyTorchTensors(pickle, storages: storages, visits: visits)
    checkpoint = Checkpoint(format: PyTorch.name, formatDetail: detail)
  }

  mutating func read() throws(FileError) -> Checkpoint {
    try skippedObjects()
    if tree.isTensor(pickle.root) {
      try add(pickle.root, named: "tensor")
      checkpoint.notes.append("a tensor without a name; it is called 'tensor' here")
    } else {
      try readModel()
    }
    for alias in tensors.aliases.prefix(10) {
      checkpoint.notes.append("alias: '\(escaped(alias.name))' shares the data of '\(escaped(alias.owner))'")
    }
    if tensors.aliases.count > 10 {
      checkpoint.notes.append("alias: \(tensors.aliases.count - 10) more tensors share the data of others")
    }
    return checkpoint
  }

  private mutating func readModel() throws(FileError) {
    let model = try PyTorchModel(&tree, key: options.key)
    let holdsTensors = try tree.holdsTensors(model.value)
    guard holdsTensors || isEmptyDict(pickle.root) else {
      throw FileError(
        .malformed, "no tensors: the file holds \(pickle.describe(pickle.root))",
        offset: pickle.node(pickle.root)?.offset ?? pickle.offset)
    }
    if !model.path.isEmpty {
      checkpoint.notes.append("tensors are in '\(escaped(model.path.joined(separator: ".")))'")
    }
    if !model.leftOut.isEmpty {
      checkpoint.notes.append("tensors beside them are left out: \(PyTorchModel.list(model.leftOut))")
    }
    for wrapper in model.wrappers {
      for child in try tree.children(of: wrapper) ?? [] { try addMetadata(child.value, named: child.name ?? "") }
    }
    let isScripted = tree.isScripted(model.value)
    // The closure needs the reader, which lends out its tree.
    var tree = tree
    try tree.forEachLeaf(of: model.value) { (name, value) throws(FileError) in
      if self.tree.isTensor(value) {
        try add(value, named: name)
      } else if isScripted {
        // Attributes of TorchScript modules are many; the integers are sizes (`input_resolution`).
        if pickle.integer(value) != nil { try addMetadata(value, named: name) }
      } else {
        try addMetadata(value, named: name)
      }
    }
  }

  private func isEmptyDict(_ value: Pickle.Value) -> Bool { pickle.members(value)?.isEmpty ?? false }

  private mutating func add(_ value: Pickle.Value, named name: String) throws(FileError) {
    do throws(FileError) {
      try checkpoint.add(tensors.tensor(value, named: name), named: name)
    } catch {
      guard error.kind == .unsupported else { throw error }
      checkpoint.unreadable.append(error)
    }
  }

  private mutating func addMetadata(_ value: Pickle.Value, named name: String) throws(FileError) {
    let metadata: MetadataValue? =
      switch value {
      case .bool(let value): .bool(value)
      case .int(let value): .int64(Int64(value))
      case .float(let value): .float64(value)
      default: pickle.text(value).map(MetadataValue.string)
      }
    guard let metadata, checkpoint.metadata[name] == nil else { return }
    // A text that many names share is written once for each.
    metadataBytes += name.utf8.count + (metadata.string?.utf8.count ?? 0)
    guard metadataBytes <= Limits.inflatedHeader + Limits.headerRatio * pickle.bytesInFile else {
      throw FileError(
        .malformed, "shared texts unfold to more metadata than a pickle of \(pickle.bytesInFile) bytes may have",
        offset: pickle.node(value)?.offset)
    }
    checkpoint.metadata[name] = metadata
  }

  /// Notes the objects that are neither tensors nor plain values nor modules; strict reading refuses them.
  private mutating func skippedObjects() throws(FileError) {
    var names: [String] = []
    var count = 0
    var called: Set<Int> = []
    func skip(_ name: String, at offset: Int) throws(FileError) {
      guard !options.strict else {
        throw FileError(
          .unsupported, "holds '\(escaped(name))', neither a tensor nor a plain value", offset: offset,
          hint: "Read it without --strict, which skips it")
      }
      count += 1
      if !names.contains(name), names.count <= 10 { names.append(name) }
    }
    for (index, node) in pickle.nodes.enumerated() where node.kind == .object {
      if case .node(let callable) = node.items[0] { called.insert(callable) }
      let path = pickle.path(node.items[0]) ?? "an object without a name"
      if !PickleGlobals.isKnown(path), try !tree.isModule(.node(index)) { try skip(path, at: node.offset) }
    }
    for (index, node) in pickle.nodes.enumerated() where node.kind == .global && !called.contains(index) {
      if !PickleGlobals.isKnown(node.text) { try skip(node.text, at: node.offset) }
    }
    guard count > 0 else { return }
    let list = names.prefix(10).map { escaped($0) }.joined(separator: ", ") + (names.count > 10 ? ", …" : "")
    checkpoint.notes.append("skipped \(count) object\(count == 1 ? "" : "s"): \(list)")
  }
}
