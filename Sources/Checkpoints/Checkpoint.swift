/// Tensors by name, with the metadata that was stored beside them.
public struct Checkpoint: Sendable {
  /// The name of the format it was read from, as `CheckpointFormat.name`; empty for one made in memory.
  public var format: String
  /// What kind of that format: "TorchScript archive", "version 3", "2 shards".
  public var formatDetail: String
  /// The files it was read from: one, or the shards.
  public var files: [InputFile] = []
  /// Metadata by key, in file order.
  public var metadata: Metadata
  /// What the reader noticed and a user should know: skipped objects, aliases, an unexpected extension.
  public var notes: [String]
  /// Tensors of a type that is not read, each as the error that using it gives: `inspect` lists them, everything
  /// else refuses.
  public var unreadable: [FileError] = []
  /// Tensor names, in file order.
  public private(set) var names: [String]
  private var tensors: [String: Tensor]

  /// An empty checkpoint.
  public init(format: String = "", formatDetail: String = "", metadata: Metadata = Metadata(), notes: [String] = []) {
    self.format = format
    self.formatDetail = formatDetail
    self.metadata = metadata
    self.notes = notes
    names = []
    tensors = [:]
  }

  /// The tensor of that name, or nil.
  public subscript(name: String) -> Tensor? { tensors[name] }

  /// Adds a tensor; throws `malformed` when the name is taken. Names that differ only by Unicode normalisation are one
  /// name here, so such a pair is refused too.
  public mutating func add(_ tensor: Tensor, named name: String) throws(FileError) {
    guard tensors.updateValue(tensor, forKey: name) == nil else {
      throw FileError(.malformed, "two tensors have this name", tensor: name)
    }
    names.append(name)
  }

  /// Removes every tensor; metadata, notes and files stay.
  public mutating func removeAllTensors() {
    names = []
    tensors = [:]
  }

  /// Tensor names in the order of their bytes: the order in which writers store them.
  public var sortedNames: [String] {
    names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The bytes of all tensors.
  public var byteCount: Int { tensors.values.reduce(0) { $0 + $1.bytes.count } }
}
