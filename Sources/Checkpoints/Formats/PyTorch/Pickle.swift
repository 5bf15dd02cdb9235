/// What a pickle describes, as data: nothing it names was looked up, and nothing was called.
///
/// Texts, containers and objects are nodes of one table that refer to each other by index. So a value that the pickle
/// shares is one node, a cycle is no leak, and a million nested lists are freed without recursion.
struct Pickle {
  /// A plain value, or a node of the table.
  enum Value: Equatable {
    case none
    case bool(Bool)
    case int(Int)
    case float(Double)
    case node(Int)
  }

  /// What a node is, and what its `items` are.
  enum Kind: String {
    /// A text; `items` is empty.
    case text
    /// A byte string that is not UTF-8, or was pickled as bytes: its content is not kept.
    case bytes
    /// An integer that 64 bits do not hold: `text` is its little-endian hexadecimal, or its decimal.
    case longInteger = "long integer"
    /// The elements.
    case tuple, list, set
    /// Key, value, key, value.
    case dict
    /// A class or function by name; `text` is `module.name`.
    case global
    /// What a call would have made: callable, arguments, state, then what was appended or set.
    case object
    /// A reference out of the pickle: its identity.
    case persistent = "persistent reference"
  }

  /// One entry of the table.
  struct Node {
    var kind: Kind
    /// The offset in the file, or in the pickle when that is compressed, of the opcode that made it.
    var offset: Int
    var text = ""
    var items: [Value] = []
  }

  /// The table; every index in a `Value` is one of its own.
  var nodes: [Node] = []
  /// The value of the whole pickle.
  var root = Value.none
  /// Where it begins in the file, or 0 when it is compressed.
  var offset = 0
  /// How many bytes the pickle has.
  var byteCount = 0
  /// How many of the file's: fewer when it is compressed.
  var bytesInFile = 0
}

extension Pickle {
  /// The node of a value, or nil for a plain one.
  func node(_ value: Value) -> Node? {
    guard case .node(let index) = value else { return nil }
    return nodes[index]
  }

  /// The node of a value when it is of this kind.
  func node(_ value: Value, as kind: Kind) -> Node? {
    guard let node = node(value), node.kind == kind else { return nil }
    return node
  }

  /// The text of a value, when it is one.
  func text(_ value: Value) -> String? { node(value, as: .text)?.text }

  /// The integer of a value, when it is one.
  func integer(_ value: Value) -> Int? { if case .int(let integer) = value { integer } else { nil } }

  /// The elements of a tuple or list; a `torch.Size` is the tuple it was made from.
  func elements(_ value: Value) -> [Value]? {
    guard let node = node(value) else { return nil }
    switch node.kind {
    case .tuple, .list: return node.items
    case .object where path(node.items[0]) == "torch.Size":
      return self.node(node.items[1], as: .tuple)?.items.first.flatMap { self.node($0, as: .tuple)?.items }
    default: return nil
    }
  }

  /// `module.name` of a class or function.
  func path(_ value: Value) -> String? { node(value, as: .global)?.text }

  /// The parts of an object that a call of something named would have made.
  func call(_ value: Value) -> (path: String, arguments: [Value], offset: Int)? {
    guard let object = node(value, as: .object), let path = path(object.items[0]) else { return nil }
    return (path, node(object.items[1], as: .tuple)?.items ?? [], object.offset)
  }

  /// The state that BUILD would have given an object, nil without one.
  func state(_ value: Value) -> Value? {
    guard let object = node(value, as: .object), object.items[2] != .none else { return nil }
    return object.items[2]
  }

  /// The members of a dict, in order.
  func members(_ value: Value) -> [(key: Value, value: Value)]? {
    guard let dict = node(value, as: .dict) else { return nil }
    return stride(from: 0, to: dict.items.count - 1, by: 2).map { (dict.items[$0], dict.items[$0 + 1]) }
  }

  /// The value of a text key of a dict, the last one as in Python.
  func member(_ value: Value, _ key: String) -> Value? {
    members(value)?.last { text($0.key) == key }?.value
  }

  /// What a value is, in words for a message.
  func describe(_ value: Value) -> String {
    switch value {
    case .none: "None"
    case .bool: "a bool"
    case .int: "an integer"
    case .float: "a float"
    case .node(let index):
      if let call = call(value) {
        "a \(escaped(call.path))"
      } else {
        nodes[index].kind == .object ? "an object" : "a \(nodes[index].kind.rawValue)"
      }
    }
  }
}
