extension PickleMachine {
  /// Names of classes and functions, and everything that would call one.
  mutating func object(_ opcode: UInt8) throws(FileError) -> Bool {
    switch opcode {
    case 0x63: try pushGlobal(module: line("module name"), name: line("global name"))  // GLOBAL
    case 0x93: try stackGlobal()  // STACK_GLOBAL
    case 0x52, 0x81:  // REDUCE, NEWOBJ
      let parts = try pop(2)
      try call(parts[0], parts[1])
    case 0x92:  // NEWOBJ_EX: the keyword arguments do not matter
      let parts = try pop(3)
      try call(parts[0], parts[1])
    case 0x69:  // INST
      let module = try line("module name")
      try inst(module: module, name: line("global name"))
    case 0x6F:  // OBJ
      let items = try popToMark()
      guard let callable = items.first else { throw error("OBJ without a class") }
      try push(.tuple, items: Array(items.dropFirst()))
      try call(callable, pop())
    case 0x62: try build()  // BUILD
    case 0x51: try persistent(pop())  // BINPERSID
    case 0x50: throw error("persistent reference as text, which torch does not write", .unsupported)  // PERSID
    case 0x82...0x84:  // EXT1, EXT2, EXT4
      throw error("opcode EXT names a class by a number of copyreg, which no checkpoint does", .unsupported)
    case 0x97, 0x98:  // NEXT_BUFFER, READONLY_BUFFER
      throw error("out-of-band buffer, which a file does not have", .unsupported)
    default: return false
    }
    return true
  }

  private mutating func pushGlobal(module: String, name: String) throws(FileError) {
    let module = PickleGlobals.module(module)
    let path = "\(module).\(name)"
    let key = "\(module)\n\(name)"
    if !harmless.contains(key) {
      guard !PickleGlobals.isDangerous(module: module, name: name) else {
        throw FileError(
          .malformed, "names '\(escaped(path))', which could run code when unpickled; nothing was run",
          offset: opcodeOffset, hint: "Do not load this file elsewhere")
      }
      try charge(64 + key.utf8.count)
      harmless.insert(key)
    }
    try charge(32 + path.utf8.count)
    try push(.global, text: path)
  }

  private mutating func stackGlobal() throws(FileError) {
    let parts = try pop(2)
    guard let module = pickle.text(parts[0]), let name = pickle.text(parts[1]) else {
      throw error("STACK_GLOBAL names \(pickle.describe(parts[0])) and \(pickle.describe(parts[1])), not texts")
    }
    try pushGlobal(module: module, name: name)
  }

  private mutating func inst(module: String, name: String) throws(FileError) {
    let arguments = try popToMark()
    try pushGlobal(module: module, name: name)
    try push(.tuple, items: arguments)
    let parts = try pop(2)
    try call(parts[0], parts[1])
  }

  /// Calls nothing: dicts become dicts, all else an object that says what would have been called.
  private mutating func call(_ callable: Pickle.Value, _ arguments: Pickle.Value) throws(FileError) {
    guard let tuple = pickle.node(arguments, as: .tuple) else {
      throw error("arguments are \(pickle.describe(arguments)), not a tuple")
    }
    guard let path = pickle.path(callable), PickleGlobals.dicts.contains(path) else {
      return try push(.object, items: [callable, arguments, .none])
    }
    // OrderedDict([[key, value], …]), as Python 2 pickles it; a defaultdict's argument is its factory.
    guard let pairs = tuple.items.first, pickle.node(pairs, as: .list) != nil else { return try push(.dict) }
    var items: [Pickle.Value] = []
    for pair in pickle.elements(pairs) ?? [] {
      guard let parts = pickle.elements(pair), parts.count == 2 else {
        throw error("\(path) of \(pickle.describe(pair)), expected pairs")
      }
      try charge(32)
      items += parts
    }
    try pushDict(items)
  }

  private mutating func build() throws(FileError) {
    let state = try pop()
    let target = try top()
    guard let node = pickle.node(target), case .node(let index) = target else {
      throw error("BUILD on \(pickle.describe(target))")
    }
    switch node.kind {
    case .object: pickle.nodes[index].items[2] = state
    case .dict, .list, .set: break  // attributes of the container: PyTorch's `_metadata`
    default: throw error("BUILD on \(pickle.describe(target))")
    }
  }

  private mutating func persistent(_ identity: Pickle.Value) throws(FileError) {
    // Legacy files refer to a module's class this way, with its source code, which nobody reads.
    if let parts = pickle.elements(identity), parts.count >= 2, pickle.text(parts[0]) == "module" {
      return try push(parts[1])
    }
    try push(.persistent, items: [identity])
  }
}
