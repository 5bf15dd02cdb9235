/// Makes the tensors that `torch._utils._rebuild_…` would have made.
struct PyTorchTensors {
  let pickle: Pickle
  var storages: any PyTorchStorages
  /// Where the data of each tensor lies, with the first name it has.
  private var owners: [String: String] = [:]
  private let visits: PickleVisits
  /// Pairs of names that share their data.
  private(set) var aliases: [(name: String, owner: String)] = []

  init(_ pickle: Pickle, storages: any PyTorchStorages, visits: PickleVisits) {
    self.pickle = pickle
    self.storages = storages
    self.visits = visits
  }

  /// A tensor as a view of its storage.
  private struct View {
    var storage: Pickle.Value
    var offset: Int
    var shape: [Int]
    var strides: [Int]
    /// The type when the storage does not tell it.
    var type: String?
  }

  /// Whether a value is a tensor of any kind, readable or not.
  static func isTensor(_ value: Pickle.Value, of pickle: Pickle) -> Bool {
    guard let path = pickle.call(value)?.path else { return false }
    return path.hasPrefix("torch._utils._rebuild_") || path == "torch._tensor._rebuild_from_type_v2"
      || path == "torch.nested._internal.nested_tensor._rebuild_njt"
  }

  /// The tensor of a value for which `isTensor` holds.
  /// - Throws: `unsupported` for one that is valid but not read (sparse, quantized, an unknown type); `malformed` and
  ///   `truncated` for what PyTorch would not load either.
  mutating func tensor(_ value: Pickle.Value, named name: String) throws(FileError) -> Tensor {
    do throws(FileError) {
      let view = try view(value)
      let storage = try PyTorchStorage(view.storage, of: pickle)
      guard !storage.isMeta else { throw Self.meta }
      var type = storage.type
      if let path = view.type {
        guard let named = PyTorchDType(type: path) else {
          throw FileError(.unsupported, "\(escaped(path)) is not read")
        }
        type = named
      }
      guard let dtype = type.dtype else { throw FileError(.unsupported, "torch.\(type.name) is not read") }
      let tensor = try Tensor(dtype: dtype, shape: view.shape, bytes: data(view, storage, type))
      note(view, storage, type, of: tensor, named: name)
      return tensor
    } catch {
      throw error.located(offset: pickle.node(value)?.offset, tensor: name)
    }
  }

  private static let meta = FileError(
    .malformed, "is on the device 'meta', which keeps no data", hint: "Save the model with its weights loaded")

  /// Follows the wrappers of a tensor to its view.
  private func view(_ value: Pickle.Value) throws(FileError) -> View {
    var value = value
    for _ in 0..<Limits.nesting {
      guard let call = pickle.call(value) else { throw FileError(.malformed, "tensor is \(pickle.describe(value))") }
      switch call.path {
      case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
        guard let data = call.arguments.first else { throw Self.wrongArguments(call.path) }
        value = data
      case "torch._tensor._rebuild_from_type_v2":
        let arguments = call.arguments
        guard arguments.count == 4, let path = pickle.path(arguments[0]), let type = pickle.path(arguments[1]) else {
          throw Self.wrongArguments(call.path)
        }
        guard Self.plainTypes.contains(type) else { throw FileError(.unsupported, "\(escaped(type)) is not read") }
        return try view(path, pickle.elements(arguments[2]) ?? [])
      default:
        return try view(call.path, call.arguments)
      }
    }
    throw FileError(.malformed, "tensor is wrapped more than \(Limits.nesting) times")
  }

  private static let plainTypes: Set<String> = [
    "torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer",
  ]

  private func view(_ path: String, _ arguments: [Pickle.Value]) throws(FileError) -> View {
    let version: Int
    switch path {
    case "torch._utils._rebuild_tensor": version = 1
    case "torch._utils._rebuild_tensor_v2": version = 2
    case "torch._utils._rebuild_tensor_v3": version = 3
    case "torch._utils._rebuild_meta_tensor_no_storage": throw Self.meta
    default: throw FileError(.unsupported, "tensor made by \(escaped(path)) is not read")
    }
    guard arguments.count >= [4, 6, 7][version - 1], let offset = pickle.integer(arguments[1]),
      let shape = integers(arguments[2]), let strides = integers(arguments[3])
    else { throw Self.wrongArguments(path) }
    if arguments.count > version + 4, version > 1 { try checkBits(arguments[version + 4]) }
    let type = version == 3 ? pickle.path(arguments[6]) ?? "" : nil
    return View(storage: arguments[0], offset: offset, shape: shape, strides: strides, type: type)
  }

  private static func wrongArguments(_ path: String) -> FileError {
    FileError(.malformed, "arguments of \(path) are not those that PyTorch writes")
  }

  private func integers(_ value: Pickle.Value) -> [Int]? {
    guard let elements = pickle.elements(value), elements.count <= Limits.dimensions else { return nil }
    let integers = elements.compactMap { pickle.integer($0) }
    return integers.count == elements.count ? integers : nil
  }

  /// A lazily conjugated or negated tensor stores other numbers than it has.
  private func checkBits(_ metadata: Pickle.Value) throws(FileError) {
    if let node = pickle.node(metadata, as: .dict) { try visits.spend(node.items.count, at: node.offset) }
    for (key, value) in pickle.members(metadata) ?? [] where value == .bool(true) {
      throw FileError(
        .unsupported, "the bit '\(escaped(pickle.text(key) ?? ""))' is set, which changes the stored values",
        hint: "Save it after .resolve_conj() or .resolve_neg()")
    }
  }

  /// The elements in row-major order: the storage's own bytes when they lie so, gathered when they are read otherwise.
  private mutating func data(
    _ view: View, _ storage: PyTorchStorage, _ type: PyTorchDType
  ) throws(FileError) -> Bytes {
    let whole = try storages.bytes(of: storage)
    let base = try storage.checked(whole)
    guard view.shape.count == view.strides.count, view.offset >= 0, view.strides.allSatisfy({ $0 >= 0 }) else {
      throw FileError(
        .malformed, "offset \(view.offset) and strides \(view.strides) do not fit shape \(view.shape)")
    }
    let count = try DType.elementCount(of: view.shape)
    guard count > 0 else { return Bytes([]) }
    let available = base.count / type.size
    let begin = (storage.view?.lowerBound ?? 0) * storage.type.size
    if isContiguous(view) {
      guard view.offset <= available, count <= available - view.offset else {
        throw FileError(
          .malformed, "\(count) elements at \(view.offset) reach beyond the \(available) of the storage")
      }
      let start = view.offset * type.size
      return part(try base.slice(start, count * type.size), upTo: begin + start + count * type.size, of: whole)
    }
    // An expanded view repeats its storage: legal, but a few bytes must not become terabytes.
    guard count / Limits.repetitions <= available else {
      throw FileError(
        .malformed, "view of \(count) elements repeats a storage of \(available), allowed \(Limits.repetitions) times")
    }
    let strided = try StridedBytes(
      base, elementSize: type.size, shape: view.shape, strides: view.strides, offset: view.offset)
    return part(Bytes(strided), upTo: begin + view.offset * type.size + strided.reach, of: whole)
  }

  private func part(_ bytes: Bytes, upTo end: Int, of whole: Bytes) -> Bytes {
    end == whole.count ? bytes : Bytes(EntryPart(bytes, of: whole))
  }

  private func isContiguous(_ view: View) -> Bool {
    var expected = 1
    for (size, stride) in zip(view.shape, view.strides).reversed() where size != 1 {
      guard stride == expected else { return false }
      expected *= size
    }
    return true
  }

  private mutating func note(
    _ view: View, _ storage: PyTorchStorage, _ type: PyTorchDType, of tensor: Tensor, named name: String
  ) {
    guard tensor.count > 0 else { return }
    let start = view.offset + (storage.view?.lowerBound ?? 0)
    let place = "\(type.name) \(start) \(view.shape) \(view.strides) \(storage.key)"
    if let owner = owners[place] {
      aliases.append((name, owner))
    } else {
      owners[place] = name
    }
  }
}
